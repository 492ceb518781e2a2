"""Paired comparison of two answers to the same cases."""

from __future__ import annotations

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
