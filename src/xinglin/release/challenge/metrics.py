"""The metrics that a challenge may name: means of a figure per case from ``measure``, greater or smaller is better.

A mean over cases is what the Ladder, the paired tests and the subgroups all need, so a figure that is none (an F1,
an AUROC) cannot rank a challenge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.measure import brier, nll, top_k

Array = NDArray[np.float64]
Truth = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure per case."""

    name: str
    zh: str
    en: str
    each: Callable[[Array, Truth], Array]
    """(probabilities cases x labels, label index) -> figure of each case."""
    greater: bool
    """Whether greater is better."""
    scale: float
    """Largest distance of two cases' figures: a loss is (figure, turned so that smaller is better) / scale."""
    binary: bool = False
    """Whether each case is right or wrong: McNemar's test applies."""
    needs_probabilities: bool = False
    """Whether an entry of bare labels cannot be scored by it."""

    def losses(self, figures: Array) -> Array:
        """Return the loss of each case, smaller is better, within [0, 1] or clipped to it."""
        worse = 1.0 - figures if self.greater else figures / self.scale
        return np.clip(worse, 0.0, 1.0)


def _hits(k: int) -> Callable[[Array, Truth], Array]:
    return lambda probability, truth: top_k(probability, truth, k).astype(float)


METRICS = {
    one.name: one
    for one in (
        Metric("accuracy", "准确率", "accuracy", _hits(1), True, 1.0, binary=True),
        Metric(
            "top3", "前三命中率", "top-3 accuracy", _hits(3), True, 1.0, binary=True, needs_probabilities=True
        ),
        Metric("brier", "Brier 分数", "Brier score", brier, False, 2.0, needs_probabilities=True),
        # Of 1e-12, the least probability that measure.nll counts.
        Metric("nll", "负对数似然", "negative log-likelihood", nll, False, 27.7, needs_probabilities=True),
    )
}
"""By name."""
