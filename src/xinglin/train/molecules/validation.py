"""A fifth of a table is held back, predicted from the rest, and scored.

The split is the one that the table's own test set was made by: stratified by activity cliff for MoleculeACE, by scaffold
for TDC and MoleculeNet. Nothing is chosen on the fifth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xinglin.measure.calibration import debiased_ece
from xinglin.measure.intervals import Figure, bootstrap
from xinglin.measure.localisation import auroc
from xinglin.model.molecule.activity import Kind, Predictions
from xinglin.model.molecule.features import featurise
from xinglin.train.molecules.activity import ActivityOptions, Held, Table, fit_panel, folds_of, kind_of

Array = NDArray[np.float64]
PARTS = 5
"""One in so many molecules is held back."""
REPETITIONS = 500


@dataclass(frozen=True, slots=True)
class Scored:
    """One task's held-back molecules: what was measured and what was predicted."""

    task: str
    kind: Kind
    trained: int
    """Labelled molecules that the model was fitted on."""
    truth: Array
    cliff: NDArray[np.bool_] | None
    """Which are activity cliffs, where the table says so."""
    found: Predictions


def held_back(
    table: Table, options: ActivityOptions, report: Callable[[str], None] | None = None
) -> list[Scored]:
    """Hold a fifth of a table back, fit on the rest, predict the fifth.

    Args:
        table: of :func:`xinglin.apps.drugs.training_table.read_training`.
        options: how to fit; its split and seed also make the fifth.
        report: told of each task that is fitted.

    Raises:
        InvalidInputError: no task with enough labels.
    """
    aside = back(table, options)
    panel, fitted = fit_panel(_rows(table, np.flatnonzero(~aside)), options, report)
    trained = {one.task: len(one.truth) for one in fitted}
    found = panel.predict(featurise([table.smiles[row] for row in np.flatnonzero(aside).tolist()]))
    scored = []
    for model in panel.models:
        truth = table.labels[model.task][aside]
        known = np.isfinite(truth)
        cliff = None if table.strata is None else table.strata[aside][known] == 1
        some = found[model.task].take(known)
        scored.append(Scored(model.task, model.kind, trained[model.task], truth[known], cliff, some))
    return scored


def back(table: Table, options: ActivityOptions) -> NDArray[np.bool_]:
    """Return which molecules of a table are held back, shape (molecules,)."""
    # Of many tasks, the first that every molecule has a label of some kind for decides the strata.
    labels = next(iter(table.labels.values()))
    everywhere = np.where(np.isfinite(labels), labels, np.nanmean(labels))
    rows = np.arange(len(table.smiles))
    outer = replace(options, folds=PARTS, seed=options.seed + 1)
    held: NDArray[np.bool_] = folds_of(table, rows, everywhere, kind_of(everywhere), outer) == 0
    return held


def _rows(table: Table, rows: NDArray[np.int64]) -> Table:
    return Table(
        table.name,
        [table.smiles[row] for row in rows],
        {task: labels[rows] for task, labels in table.labels.items()},
        None if table.strata is None else table.strata[rows],
    )


def validated(held: Held) -> Scored:
    """Return a task's cross-validated predictions as they are scored; the calibration that they served has no interval."""
    none = np.full(len(held.truth), np.nan)
    found = Predictions(held.value, none, none, np.ones(len(held.truth), bool), held.near)
    return Scored(held.task, held.kind, len(held.truth), held.truth, None, found)


def figures(scored: Scored, seed: int = 0) -> dict[str, Figure]:
    """Return the figures of one task, each with n and a 95 % bootstrap interval over molecules.

    Of a number: RMSE, RMSE of activity cliffs, RMSE in and out of the domain, share inside the interval, its mean width.
    Of a probability: AUROC, average precision, share of label 1, debiased calibration error, mean width of the Venn-Abers
    interval. What cannot be computed is left out.
    """
    truth, found = scored.truth, scored.found
    named: dict[str, tuple[Callable[[Array, Predictions], float], NDArray[np.bool_]]] = {}
    everyone = np.ones(len(truth), bool)
    if scored.kind == "number":
        named["rmse"] = (rmse, everyone)
        if scored.cliff is not None:
            named["rmse_cliffs"] = (rmse, scored.cliff)
        named["rmse_in_domain"] = (rmse, found.in_domain)
        named["rmse_outside"] = (rmse, ~found.in_domain)
        named["coverage"] = (_inside, everyone)
        named["width"] = (_width, everyone)
    else:
        named["auroc"] = (_auroc, everyone)
        named["rate"] = (lambda some, _: float(some.mean()), everyone)
        named["average_precision"] = (_precision, everyone)
        named["auroc_in_domain"] = (_auroc, found.in_domain)
        named["ece"] = (_ece, everyone)
        named["width"] = (_width, everyone)
    named["in_domain"] = (lambda _, some: float(some.in_domain.mean()), everyone)
    made: dict[str, Figure] = {}
    for name, (statistic, which) in named.items():
        rows = np.flatnonzero(which)
        if len(rows) < 2 or not np.isfinite(statistic(truth[rows], found.take(rows))):
            continue

        def resampled(index: NDArray[np.int64], statistic=statistic, rows=rows) -> float:  # type: ignore[no-untyped-def]
            return float(statistic(truth[rows[index]], found.take(rows[index])))

        made[name] = bootstrap(resampled, len(rows), seed=seed, repetitions=REPETITIONS)
    return made


def rmse(truth: Array, found: Predictions) -> float:
    """Return the root of the mean squared error, in the table's unit."""
    return float(np.sqrt(np.mean((truth - found.value) ** 2)))


def _inside(truth: Array, found: Predictions) -> float:
    return float(((found.low <= truth) & (truth <= found.high)).mean())


def _width(_: Array, found: Predictions) -> float:
    return float((found.high - found.low).mean())


def _auroc(truth: Array, found: Predictions) -> float:
    return auroc(truth.astype(np.int64), found.value)


def _precision(truth: Array, found: Predictions) -> float:
    """Average precision: mean precision at the rank of each molecule with label 1, ties in the worst order."""
    if not truth.any():
        return float("nan")
    order = np.lexsort((truth, -found.value))
    hits = truth[order]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits == 1].mean())


def _ece(truth: Array, found: Predictions) -> float:
    return debiased_ece(found.value, truth == 1)
