"""Two ways of training compared over seeds: every seed is run both ways, every run scores the same cases.

Two kinds of chance are at work, and each has its own interval: the seed (initial weights, order, few examples
drawn), over which the paired t-test goes, and the cases at hand, over which the bootstrap goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
MOST_FLIPS = 16
"""Up to so many seeds the sign-flip test is exact."""


@dataclass(frozen=True, slots=True)
class SeedComparison:
    """Outcome of a paired comparison over seeds."""

    gain: float
    """Mean of the first minus mean of the second."""
    low: float
    high: float
    """95 % interval of ``gain`` over seeds (Student)."""
    p: float
    """Two-sided p-value of the paired t-test over seeds."""
    flip_p: float
    """Two-sided sign-flip permutation p-value over seeds; never below ``2 / 2 ** seeds``."""
    seeds: int


def compare_seeds(ours: Array, theirs: Array, *, seed: int = 0) -> SeedComparison:
    """Compare one figure a seed, paired.

    Args:
        ours: figure of each seed, shape (seeds,).
        theirs: the other way's, same seeds in the same order.
        seed: of the sign flips drawn when there are more seeds than ``MOST_FLIPS``.

    Raises:
        ValueError: the shapes differ, or there are fewer than two seeds.
    """
    from scipy.stats import t

    if ours.shape != theirs.shape or ours.ndim != 1 or len(ours) < 2:
        raise ValueError(
            f"expected two equal vectors of at least two seeds, got {ours.shape}, {theirs.shape}"
        )
    difference = ours.astype(float) - theirs.astype(float)
    n, gain = len(difference), float(difference.mean())
    error = float(difference.std(ddof=1)) / np.sqrt(n)
    if error < 1e-12:
        p = 1.0 if abs(gain) < 1e-12 else 0.0
    else:
        p = float(2 * t.sf(abs(gain) / error, n - 1))
    half = float(t.ppf(0.975, n - 1)) * error
    return SeedComparison(gain, gain - half, gain + half, p, _flipped(difference, seed), n)


def _flipped(difference: Array, seed: int) -> float:
    """Share of sign patterns whose mean is at least as far from zero as the one seen."""
    n = len(difference)
    if n <= MOST_FLIPS:
        signs = np.array(list(product((1.0, -1.0), repeat=n)))
    else:
        drawn = np.random.default_rng(seed).integers(0, 2, (2**MOST_FLIPS, n)) * 2.0 - 1.0
        signs = np.vstack([np.ones(n), drawn])
    means = np.abs(signs @ difference) / n
    return float((means >= abs(difference.mean()) - 1e-12).mean())


def holm(p: Array) -> Array:
    """Return p-values adjusted for testing them all (Holm 1979): valid under any dependence.

    Args:
        p: p-values, shape (tests,).
    """
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def over_seeds(values: Array) -> tuple[float, float | None, float | None]:
    """Return the mean of one figure a seed, and its 95 % interval over seeds (Student); no interval of one seed.

    Raises:
        ValueError: no value.
    """
    from scipy.stats import t

    if values.ndim != 1 or not len(values):
        raise ValueError(f"expected one figure a seed, got shape {values.shape}")
    mean = float(values.mean())
    if len(values) == 1:
        return mean, None, None
    half = float(t.ppf(0.975, len(values) - 1)) * float(values.std(ddof=1)) / np.sqrt(len(values))
    return mean, mean - half, mean + half
