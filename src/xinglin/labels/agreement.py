"""Agreement between annotators beyond chance: Cohen's kappa, Fleiss' kappa, Krippendorff's alpha.

Each is one minus observed over expected disagreement. They differ in what chance is (each annotator's own habits, or
everyone's) and in which votes they can use: Cohen's takes two annotators, Fleiss' as many votes of every item,
Krippendorff's any votes at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError
from xinglin.labels.votes import Votes

Array = NDArray[np.float64]
Weights = Literal["none", "linear", "quadratic"]
Level = Literal["nominal", "ordinal", "interval"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """One coefficient of agreement with its bootstrap interval over items."""

    value: float | None
    """1 = perfect, 0 = chance, below 0 = worse than chance; ``None`` when no disagreement is to be expected, as where
    all votes are of one class: agreement beyond chance is then undefined, not perfect."""
    low: float | None
    high: float | None
    """95 % percentile interval; ``None`` without resamples, or where a quarter of them has no value."""
    items: int
    """Items that entered."""
    votes: int
    """Votes that entered."""


def cohen_kappa(
    votes: Votes,
    first: int = 0,
    second: int = 1,
    *,
    weights: Weights = "none",
    resamples: int = 1000,
    seed: int = 0,
) -> Agreement:
    """Return Cohen's kappa of two annotators over the items both voted on.

    Cohen 1960 (*Educational and Psychological Measurement* 20, 37-46); weighted: Cohen 1968 (*Psychological Bulletin*
    70, 213-220), disagreement ``|a - b|`` (linear) or ``(a - b) ** 2`` (quadratic) between classes a and b.

    Raises:
        InvalidInputError: no item has a vote of both, one of them voted twice on an item, or unknown weights.
    """
    if weights not in ("none", "linear", "quadratic"):
        raise InvalidInputError(f"weights: expected none, linear or quadratic, got {weights!r}")
    chosen = np.full((2, votes.n_items), -1)
    for row, annotator in zip(chosen, (first, second), strict=True):
        mine = votes.annotators == annotator
        if len(np.unique(votes.items[mine])) != mine.sum():
            raise InvalidInputError(
                f"Cohen's kappa: annotator {annotator} voted more than once on an item; keep one vote"
            )
        row[votes.items[mine]] = votes.labels[mine]
    a, b = chosen[:, (chosen >= 0).all(axis=0)]
    if not len(a):
        raise InvalidInputError(
            f"Cohen's kappa: annotators {first} and {second} share no item; use Krippendorff's alpha"
        )
    classes = votes.n_classes
    cost = _distance(classes, {"none": "nominal", "linear": "linear", "quadratic": "interval"}[weights])
    pairs = a * classes + b

    def value(index: NDArray[np.int64]) -> float:
        table = np.bincount(pairs[index], minlength=classes**2).reshape(classes, classes) / len(index)
        expected = float((cost * np.outer(table.sum(axis=1), table.sum(axis=0))).sum())
        return _beyond_chance(float((cost * table).sum()), expected)

    return _agreement(value, len(a), 2 * len(a), resamples, seed)


def fleiss_kappa(votes: Votes, *, resamples: int = 1000, seed: int = 0) -> Agreement:
    """Return Fleiss' kappa (1971, *Psychological Bulletin* 76, 378-382): nominal classes, as many votes on each item.

    Items without a vote are left out; who voted does not matter.

    Raises:
        InvalidInputError: items have different numbers of votes, or one each.
    """
    counts = votes.counts()
    counts = counts[counts.sum(axis=1) > 0]
    raters = counts.sum(axis=1)
    if raters.min() != raters.max() or raters[0] < 2:
        raise InvalidInputError(
            f"Fleiss' kappa: expected the same number of votes, at least 2, on each item, got {raters.min():g} to "
            f"{raters.max():g}; use Krippendorff's alpha"
        )
    m = float(raters[0])
    differing = 1 - ((counts**2).sum(axis=1) - m) / (m * (m - 1))

    def value(index: NDArray[np.int64]) -> float:
        share = counts[index].sum(axis=0) / (m * len(index))
        return _beyond_chance(float(differing[index].mean()), 1 - float((share**2).sum()))

    return _agreement(value, len(counts), int(counts.sum()), resamples, seed)


def krippendorff_alpha(
    votes: Votes,
    *,
    level: Level = "nominal",
    values: Array | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Agreement:
    """Return Krippendorff's alpha: any number of annotators, any votes missing.

    Hayes and Krippendorff 2007 (*Communication Methods and Measures* 1, 77-89). An item with one vote cannot be paired
    and is left out.

    Where we differ: the interval resamples items, as for the other coefficients, where Hayes and Krippendorff resample
    the disagreements of single pairs.

    Args:
        votes: the votes.
        level: of measurement: ``nominal``, ``ordinal`` (the order of the class indices) or ``interval``.
        values: the number that each class stands for, for ``interval``; default: its index.
        resamples: bootstrap resamples; 0 leaves out the interval.
        seed: of the resampling.

    Raises:
        InvalidInputError: no item has two votes, the level is unknown, or ``values`` does not fit.
    """
    if level not in ("nominal", "ordinal", "interval"):
        raise InvalidInputError(f"level: expected nominal, ordinal or interval, got {level!r}")
    if values is not None and (level != "interval" or np.shape(values) != (votes.n_classes,)):
        raise InvalidInputError(
            f"values: expected {votes.n_classes} numbers, one a class, and level interval; got "
            f"{np.shape(values)} with {level}"
        )
    counts = votes.counts()
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        raise InvalidInputError("Krippendorff's alpha: no item has two votes, so nothing can be compared")
    raters = counts.sum(axis=1)
    fixed = None if level == "ordinal" else _distance(votes.n_classes, level, values)

    def value(index: NDArray[np.int64]) -> float:
        some, weight = counts[index], 1 / (raters[index] - 1)
        total = some.sum(axis=0)
        cost = _ordinal(total) if fixed is None else fixed
        # Pairs of a vote with itself cost nothing, so that they need not be taken out.
        observed = float(np.einsum("i,ik,kl,il->", weight, some, cost, some, optimize=True))
        n = float(total.sum())
        return _beyond_chance(observed / n, float(total @ cost @ total) / (n * (n - 1)))

    return _agreement(value, len(counts), int(counts.sum()), resamples, seed)


def _distance(classes: int, metric: str, values: Array | None = None) -> Array:
    """Disagreement between each two classes, shape (classes, classes)."""
    if metric == "nominal":
        return 1.0 - np.eye(classes)
    at = np.arange(classes, dtype=float) if values is None else np.asarray(values, float)
    gap = np.abs(at[:, None] - at)
    return np.asarray(gap if metric == "linear" else gap**2)


def _ordinal(total: Array) -> Array:
    """Squared number of votes between two classes, each of the two counted half (Krippendorff's ordinal metric)."""
    middle = np.cumsum(total) - total / 2
    return np.asarray((middle[:, None] - middle) ** 2)


def _beyond_chance(observed: float, expected: float) -> float:
    return 1 - observed / expected if expected > 0 else float("nan")


def _agreement(
    value: Callable[[NDArray[np.int64]], float], items: int, votes: int, resamples: int, seed: int
) -> Agreement:
    generator = np.random.default_rng(seed)
    drawn = np.array([value(generator.integers(0, items, items)) for _ in range(resamples)])
    whole = value(np.arange(items))
    low = high = None
    if resamples and np.isfinite(drawn).mean() > 0.75 and np.isfinite(whole):
        low, high = (float(x) for x in np.nanpercentile(drawn, [2.5, 97.5]))
    return Agreement(float(whole) if np.isfinite(whole) else None, low, high, items, votes)
