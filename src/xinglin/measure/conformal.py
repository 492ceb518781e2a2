"""Adaptive prediction sets: split conformal with a coverage guarantee under exchangeability.

APS of Romano, Sesia and Candes (2020), without randomisation: a class is in the set if the mass of the
classes at or above it is within the quantile of the calibration scores. We differ in keeping at least the
most probable class, so that a set is never empty; leaving out the randomisation makes the answer
reproducible.
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
    """Return the classes whose score is within the quantile, most probable first; never empty."""
    order = np.argsort(-probability, kind="stable")
    inside = int((np.cumsum(probability[order]) <= quantile + 1e-12).sum())
    return [int(index) for index in order[: max(1, inside)]]


def mass_set(probability: Array, mass: float) -> list[int]:
    """Return the shortest list of classes, most probable first, that holds this much probability."""
    order = np.argsort(-probability, kind="stable")
    size = int((np.cumsum(probability[order]) < mass - 1e-12).sum()) + 1
    return [int(index) for index in order[:size]]
