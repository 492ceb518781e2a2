"""Venn-Abers predictors: for each case two probabilities of which one is calibrated, whatever the score.

Inductive Venn-Abers (Vovk and Petej 2014, arXiv 1211.0025; Vovk, Petej and Fedorova 2015, arXiv 1511.00213): the case joins
the calibration set once as a 0 and once as a 1; the two isotonic regressions give p0 and p1. We differ in computing them
on a grid of scores once and taking p0 of the grid score below and p1 of the one above: both grow with the score, so that
the interval is never narrower.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
MOST_GRID = 256


@dataclass(frozen=True, slots=True)
class VennAbers:
    """The table of p0 and p1 over scores."""

    scores: Array
    """Grid, ascending, shape (grid,)."""
    low: Array
    """p0 at each grid score, ascending."""
    high: Array
    """p1 at each grid score, ascending."""

    @classmethod
    def fit(cls, scores: Array, truth: NDArray[np.int64]) -> VennAbers:
        """Return the table of a calibration set.

        Args:
            scores: of each case; any monotone scale.
            truth: 0 or 1.

        Raises:
            ValueError: no case, other shapes, a score that is not finite.
        """
        if len(scores) == 0 or scores.shape != truth.shape or not np.isfinite(scores).all():
            raise ValueError(
                f"expected equal vectors of finite scores and 0/1, got {scores.shape}, {truth.shape}"
            )
        grid = np.unique(scores)
        if len(grid) > MOST_GRID:
            grid = grid[np.unique(np.linspace(0, len(grid) - 1, MOST_GRID).astype(int))]
        order = np.argsort(scores, kind="stable")
        ordered, labels = scores[order], truth[order].astype(np.float64)
        pairs = np.array([[_joined(ordered, labels, score, label) for label in (0.0, 1.0)] for score in grid])
        return cls(grid, np.maximum.accumulate(pairs[:, 0]), np.maximum.accumulate(pairs[:, 1]))

    def interval(self, scores: Array) -> tuple[Array, Array]:
        """Return p0 and p1 of each score, each in [0, 1], p0 <= p1."""
        below = np.searchsorted(self.scores, scores, side="right") - 1
        above = np.searchsorted(self.scores, scores, side="left")
        low = np.where(below < 0, 0.0, self.low[np.maximum(below, 0)])
        high = np.where(above == len(self.scores), 1.0, self.high[np.minimum(above, len(self.scores) - 1)])
        return low, np.maximum(low, high)


def _joined(scores: Array, labels: Array, score: float, label: float) -> float:
    """Isotonic regression (least squares) of the calibration cases and one more, read at the one more."""
    from scipy.optimize import isotonic_regression

    values, first = np.unique(scores, return_index=True)
    sums = np.add.reduceat(labels, first)
    weights = np.diff(np.append(first, len(scores))).astype(np.float64)
    at = int(np.searchsorted(values, score))
    if at < len(values) and values[at] == score:
        sums[at] += label
        weights[at] += 1
    else:
        sums, weights = np.insert(sums, at, label), np.insert(weights, at, 1.0)
    return float(isotonic_regression(sums / weights, weights=weights).x[at])
