"""Paired comparison of two answers to the same cases."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Outcome of a paired comparison of two accuracies."""

    gain: float
    """Accuracy of the first minus accuracy of the second."""
    low: float
    high: float
    """95 % interval of ``gain`` by paired bootstrap."""
    p: float
    """Two-sided exact McNemar p-value."""
    n: int


def paired_accuracy(ours: NDArray[np.bool_], theirs: NDArray[np.bool_], *, seed: int = 0) -> PairedTest:
    """Compare two vectors of hits on the same cases: exact McNemar test (McNemar 1947).

    Raises:
        ValueError: the vectors differ in length or are empty.
    """
    from scipy.stats import binomtest

    if ours.shape != theirs.shape or ours.size == 0:
        raise ValueError(f"expected two equal, non-empty vectors, got {ours.shape} and {theirs.shape}")
    difference = ours.astype(float) - theirs.astype(float)
    won, lost = int((difference > 0).sum()), int((difference < 0).sum())
    p = float(binomtest(won, won + lost).pvalue) if won + lost else 1.0
    generator = np.random.default_rng(seed)
    n = difference.size
    gains = [difference[generator.integers(0, n, n)].mean() for _ in range(2000)]
    low, high = np.percentile(gains, [2.5, 97.5])
    return PairedTest(float(difference.mean()), float(low), float(high), p, n)


def paired_power(n: int, discordant: float, difference: float, *, alpha: float = 0.05) -> float:
    """Return the power of the paired test: its chance to see a true difference of two accuracies.

    Normal approximation for McNemar's test (Connor, Biometrics 1987), two-sided.

    Args:
        n: cases.
        discordant: share of cases in which just one of the two is right, in (0, 1]; at least ``difference``.
        difference: of the accuracies, in (0, 1).
        alpha: of the test.

    Raises:
        ValueError: a value out of its range.
    """
    from scipy.stats import norm

    if n < 1 or not 0 < difference < 1 or not difference <= discordant <= 1 or not 0 < alpha < 1:
        raise ValueError(
            f"expected n >= 1 and 0 < difference <= discordant <= 1, got {n}, {difference}, {discordant}"
        )
    spread = math.sqrt(max(discordant - difference**2, 1e-12))
    z = float(norm.ppf(1 - alpha / 2))
    return float(norm.cdf((difference * math.sqrt(n) - z * math.sqrt(discordant)) / spread))
