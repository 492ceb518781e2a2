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


def mcnemar_pairs(hits: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the two-sided exact McNemar p-value of every pair of answers to the same cases.

    Args:
        hits: answers x cases.

    Returns:
        answers x answers, symmetric, 1 on the diagonal; the same p as :func:`paired_accuracy`.
    """
    from scipy.stats import binom

    table = hits.astype(np.int64)
    won = table @ (1 - table).T
    apart = won + won.T
    p = np.minimum(1.0, 2.0 * binom.cdf(np.minimum(won, won.T), apart, 0.5))
    return np.where(apart == 0, 1.0, p)


def bootstrap_pairs(
    values: NDArray[np.float64], *, seed: int = 0, repetitions: int = 4000
) -> NDArray[np.float64]:
    """Return the two-sided p-value of every pair's mean difference by paired bootstrap (Efron and Tibshirani 1993).

    The p-value is twice the smaller share of resamples in which the difference lies on the other side of zero, the
    sample itself counted among them: never below ``2 / (repetitions + 1)``.

    Args:
        values: answers x cases, one figure each.
        seed: of the resampling, the same cases for every pair.
        repetitions: number of resamples.

    Returns:
        answers x answers, symmetric, 1 on the diagonal.
    """
    answers, n = values.shape
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1.0 / n), repetitions)
    means = counts @ values.T / n
    p = np.ones((answers, answers))
    for one in range(answers):
        difference = means - means[:, [one]]
        below = (difference <= 0).sum(axis=0) + 1
        above = (difference >= 0).sum(axis=0) + 1
        p[one] = np.minimum(1.0, 2.0 * np.minimum(below, above) / (repetitions + 1))
    np.fill_diagonal(p, 1.0)
    return p


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
