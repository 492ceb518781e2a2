"""One line of a result table, and the figures of a probability matrix."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin import measure as m
from xinglin.measure import Figure

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ResultRow:
    """Figures of one set in one mode and arm."""

    set: str
    mode: str
    arm: str
    n: int
    metrics: Mapping[str, Figure]
    note: str = ""
    """What a reader must know: weak labels, indicative figures, a floor's source."""

    def as_json(self) -> dict[str, Any]:
        """Return the documented JSON object."""
        body: dict[str, Any] = {"set": self.set, "mode": self.mode, "arm": self.arm, "n": self.n}
        body["metrics"] = {name: figure.as_json() for name, figure in self.metrics.items()}
        return body | ({"note": self.note} if self.note else {})


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case's ranked labels, so that anyone can score it again."""

    id: str
    mode: str
    arm: str
    ranked: Sequence[tuple[str, float | None]]
    truth: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """Return one line of the predictions file."""
        ranked = [
            {"label": label, "probability": None if p is None else round(p, 6)} for label, p in self.ranked
        ]
        return {
            "id": self.id,
            "mode": self.mode,
            "arm": self.arm,
            "truth": list(self.truth),
            "ranked": ranked,
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything one evaluation yields."""

    rows: list[ResultRow]
    cases: list[CaseResult] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """Comparisons in words: paired tests, floors."""


def rate(hits: Sequence[bool] | NDArray[np.bool_]) -> Figure:
    """Return a share of cases with its Wilson interval."""
    values = np.asarray(hits, bool)
    return m.proportion(int(values.sum()), len(values))


def mean(values: Sequence[float] | Array, seed: int = 0) -> Figure:
    """Return a mean over cases with its bootstrap interval."""
    array = np.asarray(values, float)
    return m.bootstrap(lambda index: float(array[index].mean()), len(array), seed=seed)


def _lines(top: Array, hit: NDArray[np.bool_]) -> list[Callable[[NDArray[np.int64]], float]]:
    """Slope and intercept as two statistics; the same resample is fitted once for both."""
    known: dict[bytes, tuple[float, float]] = {}

    def fitted(index: NDArray[np.int64]) -> tuple[float, float]:
        key = index.tobytes()
        if key not in known:
            known[key] = m.slope_intercept(top[index], hit[index])
        return known[key]

    return [lambda index: fitted(index)[0], lambda index: fitted(index)[1]]


def probability_figures(
    probability: Array, truth: NDArray[np.int64], sets: Sequence[Sequence[int]] | None = None, seed: int = 0
) -> dict[str, Figure]:
    """Return accuracy, top3, top5, nll, brier, ece, slope, intercept, aurc and, given sets, coverage and set_size.

    A truth of -1 lies outside the label space: it is missed by every figure, with probability 0. Slope and
    intercept are left out where they are not defined (every case right, or every case wrong).
    """
    hit = m.top_k(probability, truth, 1)
    top = probability.max(axis=1)
    n = len(truth)
    figures = {"accuracy": rate(hit), "top3": rate(m.top_k(probability, truth, 3))}
    if probability.shape[1] > 5:
        figures["top5"] = rate(m.top_k(probability, truth, 5))
    wide, place = _widened(probability, truth)
    figures["nll"] = mean(m.nll(wide, place), seed)
    figures["brier"] = mean(m.brier(wide, place), seed)
    figures["ece"] = m.bootstrap(lambda i: m.debiased_ece(top[i], hit[i]), n, seed=seed, repetitions=400)
    if hit.any() and not hit.all():
        for name, statistic in zip(("slope", "intercept"), _lines(top, hit), strict=True):
            figures[name] = m.bootstrap(statistic, n, seed=seed, repetitions=400)
    figures["aurc"] = m.bootstrap(lambda i: m.aurc(top[i], hit[i]), n, seed=seed, repetitions=400)
    if sets is not None:
        figures["coverage"] = rate([int(t) in members for t, members in zip(truth, sets, strict=True)])
        figures["set_size"] = mean([float(len(members)) for members in sets], seed)
    return figures


def _widened(probability: Array, truth: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
    """Give a truth outside the label space a column of its own, with probability 0."""
    if not (truth < 0).any():
        return probability, truth
    wide = np.hstack([probability, np.zeros((len(probability), 1))])
    return wide, np.where(truth < 0, probability.shape[1], truth)
