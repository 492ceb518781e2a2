"""Adaptive prediction sets: split conformal with a coverage guarantee under exchangeability.

APS of Romano, Sesia and Candes (2020), without randomisation: the set is the shortest list of classes by
descending probability whose mass reaches the quantile. Leaving out the randomisation makes the sets a
little larger and the answer reproducible.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def aps_scores(probability: Array, truth: NDArray[np.int64]) -> Array:
    """Return per calibration case the mass needed to reach the truth, in (0, 1]."""
    order = np.argsort(-probability, axis=1, kind="stable")
    mass = np.cumsum(np.take_along_axis(probability, order, axis=1), axis=1)
    rank = np.argmax(order == truth[:, None], axis=1)
    return np.asarray(mass[np.arange(len(truth)), rank])


def aps_quantile(scores: Array, coverage: float) -> float:
    """Return the ``ceil((n + 1) coverage)``-th smallest score, or 1.0 if there are too few."""
    n = len(scores)
    rank = int(np.ceil((n + 1) * coverage))
    return 1.0 if rank > n else float(np.sort(scores)[rank - 1])


def aps_set(probability: Array, quantile: float) -> list[int]:
    """Return the class indices of one case's prediction set, most probable first; never empty."""
    order = np.argsort(-probability, kind="stable")
    mass = np.cumsum(probability[order])
    size = int(np.searchsorted(mass, quantile - 1e-12)) + 1
    return [int(index) for index in order[: min(size, len(order))]]
