"""Does the point lie where the finding is? Hit rates and distances, and how well scores part two groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xinglin.measure.intervals import Figure, bootstrap, proportion

Array = NDArray[np.float64]
SLACK = 3.0
"""Millimetres within which a point hits a nodule however small it is."""


def auroc(labels: NDArray[np.int64], scores: Array) -> float:
    """Return the probability that a positive scores above a negative, ties half (Mann and Whitney 1947).

    NaN when only one group is there.
    """
    from scipy.stats import rankdata

    positive = np.asarray(labels) == 1
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if not ones or not zeros:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def auroc_figure(labels: NDArray[np.int64], scores: Array, *, seed: int = 0) -> Figure:
    """Return :func:`auroc` with its bootstrap interval over cases."""
    return bootstrap(lambda index: auroc(labels[index], scores[index]), len(labels), seed=seed)


def localisation(points: Array, centres: Array, diameters: Array, *, seed: int = 0) -> dict[str, Figure]:
    """Score one point a finding.

    Args:
        points: millimetres, shape (n, 3).
        centres: the truth in the same frame, shape (n, 3).
        diameters: millimetres, shape (n,).
        seed: of the resampling.

    Returns:
        ``hit_rate``: within max(3 mm, radius); ``hit_rate_luna16``: nearer than the radius; ``median_mm`` and
        ``p90_mm``: of the distance. Wilson intervals for rates, bootstrap for distances.

    Raises:
        ValueError: shapes that do not belong together, no finding, or values that are not finite.
    """
    if points.shape != centres.shape or points.shape[1:] != (3,) or diameters.shape != points.shape[:1]:
        raise ValueError(
            f"expected n x 3 points and centres and n diameters, got {points.shape}, {centres.shape}, "
            f"{diameters.shape}"
        )
    n = len(points)
    if not n or not (np.isfinite(points).all() and np.isfinite(centres).all() and (diameters > 0).all()):
        raise ValueError(f"expected at least one finding with finite places and a diameter, got n = {n}")
    error = np.linalg.norm(points - centres, axis=1)
    radii = diameters / 2
    return {
        "hit_rate": proportion(int((error <= np.maximum(SLACK, radii)).sum()), n),
        "hit_rate_luna16": proportion(int((error < radii).sum()), n),
        "median_mm": bootstrap(lambda index: float(np.median(error[index])), n, seed=seed),
        "p90_mm": bootstrap(lambda index: float(np.quantile(error[index], 0.9)), n, seed=seed),
    }
