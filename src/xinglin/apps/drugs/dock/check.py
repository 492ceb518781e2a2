"""Does docking into this target tell known binders from others? Asked before anything is designed with it.

Enrichment of the best 1 % (Truchon and Bayly 2007), the area under the ROC curve, and Spearman's correlation of score
with measured affinity; beside each the same figure of a baseline that only counts atoms, since docking scores grow with
size. A molecule that could not be docked ranks last: leaving it out would flatter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError
from xinglin.measure import Figure, bootstrap

Array = NDArray[np.float64]

BEST = 0.01
REPETITIONS = 500
"""Of the bootstrap."""
FEWEST = 10
"""Actives, decoys or affinities below which no figure is given."""


@dataclass(frozen=True, slots=True)
class Enrichment:
    """How a score ranks known molecules; ``None``: not enough of them."""

    enrichment: Figure | None
    """Actives among the best 1 %, over what chance would give (EF1%)."""
    auroc: Figure | None
    spearman: Figure | None
    """Of score with affinity: positive, where better scores go with stronger binding."""
    actives: int
    decoys: int
    failed: int

    @property
    def better_than_chance(self) -> bool:
        """Whether the interval of AUROC lies above one half (or, without decoys, that of Spearman above zero)."""
        if self.auroc is not None:
            return bool(self.auroc.low > 0.5)
        return bool(self.spearman is not None and self.spearman.low > 0)


def enrichment(goodness: Array, active: NDArray[np.bool_], affinity: Array, *, seed: int = 0) -> Enrichment:
    """Return how a score ranks known molecules.

    Args:
        goodness: (n,) higher is better (a docking score with its sign turned); NaN: not docked, ranks last.
        active: (n,) whether it is a known binder.
        affinity: (n,) measured, higher binds more strongly (pKi); NaN: not measured.
        seed: of the bootstrap over molecules.

    Raises:
        InvalidInputError: lengths differ.
    """
    if not len(goodness) == len(active) == len(affinity):
        raise InvalidInputError("expected as many scores as labels and affinities")
    failed = np.isnan(goodness)
    lowest = np.nanmin(goodness) - 1.0 if not failed.all() else 0.0
    ranked = np.where(failed, lowest, goodness)
    actives, decoys = int(active.sum()), int((~active).sum())
    both = actives >= FEWEST and decoys >= FEWEST
    measured = np.flatnonzero(~np.isnan(affinity) & ~failed)

    def over(
        statistic: Callable[[Array, NDArray[Any]], float], labels: NDArray[Any], rows: NDArray[np.int64]
    ) -> Figure | None:
        def of(index: NDArray[np.int64]) -> float:
            return statistic(ranked[rows[index]], labels[rows[index]])

        if np.isnan(of(np.arange(len(rows)))):
            return None
        return bootstrap(of, len(rows), seed=seed, repetitions=REPETITIONS)

    every = np.arange(len(ranked))
    return Enrichment(
        over(enrichment_factor, active, every) if both else None,
        over(area, active, every) if both else None,
        over(rank_correlation, affinity, measured) if len(measured) >= FEWEST else None,
        actives,
        decoys,
        int(failed.sum()),
    )


def enrichment_factor(goodness: Array, active: NDArray[np.bool_], share: float = BEST) -> float:
    """Return the share of actives among the best ``share``, over their share of all; ties count by expectation."""
    n, actives = len(goodness), int(active.sum())
    if actives == 0:
        return float("nan")
    count = max(1, round(share * n))
    threshold = np.sort(goodness)[-count]
    above, level = goodness > threshold, goodness == threshold
    room = count - int(above.sum())
    hits = float(active[above].sum()) + room * float(active[level].mean())
    return hits / count / (actives / n)


def area(goodness: Array, active: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve (Mann-Whitney), ties counted half."""
    from scipy.stats import rankdata

    positives, n = int(active.sum()), len(active)
    if positives in (0, n):
        return float("nan")
    ranks = rankdata(goodness)
    return float((ranks[active].sum() - positives * (positives + 1) / 2) / (positives * (n - positives)))


def rank_correlation(first: Array, second: Array) -> float:
    """Return Spearman's rho; NaN where one of the two does not vary."""
    from scipy.stats import rankdata

    one, other = rankdata(first), rankdata(second)
    if one.std() == 0 or other.std() == 0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])
