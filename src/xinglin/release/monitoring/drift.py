"""Drift of inputs: the population stability index of binned features, and the maximum mean discrepancy of vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError

SMOOTHING = 0.5
"""Added to every bin of both sides, so that an empty one has a logarithm."""


@dataclass(frozen=True, slots=True)
class Drift:
    """How far two samples lie apart."""

    value: float
    p: float
    """Chance of a value as large or larger if nothing had drifted."""
    n: int
    """Of the sample looked at."""
    reference: int
    """Of the reference."""


def stability(reference: Mapping[str, int], current: Mapping[str, int]) -> Drift:
    """Return the population stability index of one binned feature.

    The index is sum (q - p) ln(q / p) over the bins. The customary limits .1 and .25 ignore the sizes of the samples:
    without any drift the index is distributed as (1/n + 1/m) times chi-squared with B - 1 degrees of freedom (Yurdakul
    and Naranjo 2020, J. Risk Model Validation), which gives ``p``. Small samples exceed .25 by chance; read both.

    Args:
        reference: count by bin, when the model was released.
        current: count by bin, now; the bins of either side count.

    Raises:
        InvalidInputError: a side is empty, or a count is negative.
    """
    from scipy.stats import chi2

    bins = sorted(reference.keys() | current.keys())
    before = np.array([reference.get(name, 0) for name in bins], float)
    after = np.array([current.get(name, 0) for name in bins], float)
    if before.sum() <= 0 or after.sum() <= 0 or (before < 0).any() or (after < 0).any():
        raise InvalidInputError("drift: expected counts on both sides")
    m, n = int(before.sum()), int(after.sum())
    if len(bins) == 1:
        return Drift(0.0, 1.0, n, m)
    p = (before + SMOOTHING) / (before + SMOOTHING).sum()
    q = (after + SMOOTHING) / (after + SMOOTHING).sum()
    value = float(((q - p) * np.log(q / p)).sum())
    return Drift(value, float(chi2.sf(value / (1 / n + 1 / m), len(bins) - 1)), n, m)


def discrepancy(
    reference: NDArray[np.float64], current: NDArray[np.float64], *, permutations: int = 500, seed: int = 0
) -> Drift:
    """Return the maximum mean discrepancy of two samples of vectors, with a permutation test.

    Gretton et al., JMLR 2012: the unbiased estimate of MMD squared with a Gaussian kernel whose width is the median
    distance within both samples together.

    Args:
        reference: (m, d), m >= 2.
        current: (n, d), n >= 2; m + n at most 4,000, since all pairs are compared.
        permutations: of the test; its least p is 1 / (permutations + 1).
        seed: of the permutations.

    Raises:
        InvalidInputError: other shapes, too many rows, or values that are not finite.
    """
    from scipy.spatial.distance import cdist

    if reference.ndim != 2 or current.ndim != 2 or reference.shape[1] != current.shape[1]:
        raise InvalidInputError(
            f"drift: expected two tables of equal width, got {reference.shape}, {current.shape}"
        )
    m, n = len(reference), len(current)
    if min(m, n) < 2 or m + n > 4000:
        raise InvalidInputError(
            f"drift: expected 2 rows or more each and at most 4,000 together, got {m} and {n}"
        )
    both = np.concatenate([reference, current]).astype(float)
    if not np.isfinite(both).all():
        raise InvalidInputError("drift: expected finite numbers")
    squared = cdist(both, both, "sqeuclidean")
    width = float(np.median(squared[np.triu_indices(m + n, 1)])) or 1.0
    kernel = np.exp(-squared / width)
    np.fill_diagonal(kernel, 0.0)

    def estimate(order: NDArray[np.intp]) -> float:
        first = np.zeros(m + n)
        first[order[:m]] = 1.0
        second = 1.0 - first
        left, right = kernel @ first, kernel @ second
        within = first @ left / (m * (m - 1)) + second @ right / (n * (n - 1))
        return float(within - 2 * (first @ right) / (m * n))

    value = estimate(np.arange(m + n))
    generator = np.random.default_rng(seed)
    larger = sum(estimate(generator.permutation(m + n)) >= value for _ in range(permutations))
    return Drift(value, (larger + 1) / (permutations + 1), n, m)
