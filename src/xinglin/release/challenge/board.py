"""The board: places, figures with intervals, ties, subgroups.

Ranks tie where a paired test shows no difference: an entry's rank is one more than the number of entries that are
significantly better, by McNemar's exact test (paired bootstrap for a figure that is no hit), Holm's correction over all
pairs of the board, at the manifest's level; never better than that of an entry with a better figure.
While a challenge is open the board rests on its own part and on accepted entries alone (``ladder``), without
subgroups; the board at close rests on the other part, which no score told before has touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.measure import Figure, bootstrap, bootstrap_pairs, holm, mcnemar_pairs
from xinglin.release.challenge.metrics import Metric
from xinglin.release.challenge.parts import Case
from xinglin.release.challenge.predictions import Predictions

Array = NDArray[np.float64]
SMALL = 10
"""A subgroup of fewer cases shows no figure."""


@dataclass(frozen=True, slots=True)
class Row:
    """One person's line."""

    entrant: str
    title: str
    entry: int
    """Its number in the challenge."""
    kind: str
    rank: int
    figure: Figure
    entries: int
    """How many the person made."""
    time: str
    baseline: bool = False
    """Whether the organiser put it there for comparison."""
    groups: Mapping[str, Figure | None] = field(default_factory=dict)
    """``kind = value`` -> figure; ``None``: fewer than ``SMALL`` cases."""

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "entrant": self.entrant,
            "title": self.title,
            "entry": self.entry,
            "kind": self.kind,
            "rank": self.rank,
            **self.figure.as_json(),
            "n": self.figure.n,
            "entries": self.entries,
            "time": self.time,
            "baseline": self.baseline,
            "groups": {
                name: None if figure is None else figure.as_json() | {"n": figure.n}
                for name, figure in self.groups.items()
            },
        }


def row_from(told: Mapping[str, Any]) -> Row:
    """Return a line of its JSON values."""
    groups = {
        name: None if one is None else Figure(one["value"], one["low"], one["high"], one["n"])
        for name, one in told["groups"].items()
    }
    figure = Figure(told["value"], told["low"], told["high"], told["n"])
    rest = {key: told[key] for key in ("entrant", "title", "entry", "kind", "rank", "entries", "time")}
    return Row(**rest, figure=figure, baseline=told["baseline"], groups=groups)


def figures_of(metric: Metric, predictions: Predictions, cases: Sequence[Case]) -> Array:
    """Return the metric's figure of each case, in the cases' order."""
    place = {key: number for number, key in enumerate(predictions.ids)}
    rows = [place[case.id] for case in cases]
    column = {label: number for number, label in enumerate(predictions.labels)}
    truth = np.array([column[case.label] for case in cases], np.int64)
    return metric.each(predictions.probabilities[rows], truth)


def interval(figures: Array) -> Figure:
    """Return the mean with its bootstrap interval.

    The figures are sorted first: the interval then tells nothing of which case is which, so that a board may show it
    while the labels are hidden. For hits it depends on their number alone; for other figures on their sorted values.
    """
    ordered = np.sort(figures)
    return bootstrap(lambda index: float(ordered[index].mean()), len(ordered), seed=0)


def ranks(metric: Metric, losses: Array, alpha: float) -> list[int]:
    """Return the rank of each entry.

    Args:
        metric: whose figures they come from.
        losses: entries x cases, smaller is better.
        alpha: level after correction.
    """
    count = len(losses)
    if not count:
        return []
    upper = np.triu_indices(count, 1)
    p = mcnemar_pairs(losses < 0.5) if metric.binary else bootstrap_pairs(losses)
    differs = np.zeros((count, count), bool)
    if len(upper[0]):
        differs[upper] = holm(p[upper]) < alpha
    differs |= differs.T
    mean = losses.mean(axis=1)
    found = [1 + int((differs[one] & (mean < mean[one])).sum()) for one in range(count)]
    worst = 1
    for one in np.argsort(mean, kind="stable"):
        worst = found[one] = max(worst, found[one])
    # Equal figures share the better rank, whatever their order.
    return [min(found[other] for other in range(count) if mean[other] == mean[one]) for one in range(count)]


def subgroups(metric: Metric, predictions: Predictions, cases: Sequence[Case]) -> dict[str, Figure | None]:
    """Return the figure of each subgroup; a small one is named without a figure.

    So that a small subgroup cannot be had as the rest of its kind, the next smallest of that kind shows none either.
    """
    figures = figures_of(metric, predictions, cases)
    kinds: dict[str, dict[str, list[int]]] = {}
    for number, case in enumerate(cases):
        for kind, value in case.groups.items():
            kinds.setdefault(kind, {}).setdefault(value, []).append(number)
    found: dict[str, Figure | None] = {}
    for kind, values in sorted(kinds.items()):
        small = {value for value, rows in values.items() if len(rows) < SMALL}
        rest = sorted((len(rows), value) for value, rows in values.items() if value not in small)
        if len(small) == 1 and rest:
            small.add(rest[0][1])
        for value, rows in sorted(values.items()):
            found[f"{kind} = {value}"] = None if value in small else interval(figures[rows])
    return found


def in_order(rows: Sequence[Row], metric: Metric) -> list[Row]:
    """Return lines by rank, then by figure, then by who was first."""
    return sorted(
        rows,
        key=lambda row: (row.rank, -row.figure.value if metric.greater else row.figure.value, row.entry),
    )
