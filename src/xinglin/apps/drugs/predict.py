"""``xinglin drugs predict``: fit on a table of measured molecules, predict others, say how sure and whether it may."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xinglin.apps.drugs.safety import Refusal, screen
from xinglin.errors import InvalidInputError
from xinglin.model.molecule.activity import Predictions
from xinglin.model.molecule.features import featurise
from xinglin.records.molecules.standard import LENIENT
from xinglin.records.molecules.tables import ListedMolecule, read_molecules
from xinglin.train.molecules.activity import ActivityOptions, Held, Split, Table, fit_panel
from xinglin.train.molecules.tables import TrainingData, read_training

WITHHELD = "cwc"
"""Categories of the screen that begin so are not predicted. Controlled medicines are, since measured tables are full of
them (5 % of MoleculeACE) and a prediction neither designs nor makes one; the note names their schedule."""
COLUMNS = ("row_id", "task", "prediction", "lower", "upper", "in_domain", "note")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is predicted of one input row for one task."""

    row_id: str
    task: str
    value: float | None
    """A number in the table's unit, or the probability of label 1; None where the row is no molecule."""
    low: float | None
    high: float | None
    in_domain: bool
    note: str = ""
    """What was changed in the structure, why it cannot be trusted, or why there is no prediction."""


@dataclass(frozen=True, slots=True)
class PredictionRun:
    """All answers, and what was left out of training."""

    answers: tuple[Answer, ...]
    held: tuple[Held, ...]
    """Each task's cross-validated predictions of the training molecules."""
    training: TrainingData
    unfitted: tuple[str, ...]
    """Tasks with too few labels, of which nothing is predicted."""
    refusals: tuple[Refusal, ...]
    """Of the input rows for which nothing is predicted since they are chemical weapons; for the ledger."""


def predict(
    train: Path,
    inputs: Path,
    options: ActivityOptions | None = None,
    *,
    split: Split | None = None,
    targets: Sequence[str] | None = None,
    report: Callable[[str], None] | None = None,
) -> PredictionRun:
    """Fit one model a task on a training table and predict the molecules of another.

    A structure that a strict reading refuses (a metal complex, a mixture, a query atom) is still predicted, from what can be
    described of it, but is outside of the domain, and the note says why. Every structure is screened: nothing is predicted
    for a chemical weapon, whatever the task.

    Args:
        train: measured molecules; see :func:`read_training`.
        inputs: ``smiles`` and ``row_id``, and the task's column where the training table has one.
        options: how to fit.
        split: of the cross-validation; None: the one that fits the table.
        targets: label columns; None: those of the known layouts.
        report: told of each task that is fitted.

    Raises:
        MissingDataError: a file is absent.
        InvalidInputError: a table that cannot be read, or a task that no training row has.
    """
    training = read_training(train, targets)
    options = replace(options or ActivityOptions(), split=split or training.split)
    entries = read_molecules(inputs, options=LENIENT).entries
    wanted = _by_table(entries, training)
    screened = {at: screen(entry.text) for at, entry in enumerate(entries) if entry.molecule}
    answers: dict[int, list[Answer]] = {}
    held: list[Held] = []
    unfitted: list[str] = []
    for table in training.tables:
        asked = wanted[table.name]
        if not asked:
            continue
        panel, validated = fit_panel(table, options, report)
        held += validated
        fitted = {model.task for model in panel.models}
        unfitted += [task for task in table.labels if task not in fitted]
        readable = [at for at in asked if entries[at].molecule and not _withheld(screened[at])]
        found = panel.predict(featurise([_smiles(entries[at]) for at in readable]))
        place = {at: row for row, at in enumerate(readable)}
        for at in asked:
            refusal = screened.get(at)
            answers[at] = [
                _answer(
                    entries[at],
                    table,
                    training.keys[table.name],
                    task,
                    found.get(task),
                    place.get(at),
                    refusal,
                )
                for task in table.labels
            ]
    ordered = tuple(answer for at in sorted(answers) for answer in answers[at])
    refusals = tuple(refusal for refusal in screened.values() if refusal and _withheld(refusal))
    return PredictionRun(ordered, tuple(held), training, tuple(unfitted), refusals)


def answers_csv(answers: Sequence[Answer]) -> str:
    """Return the answers as CSV with the columns ``COLUMNS``; what is not known is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for answer in answers:
        numbers = (answer.value, answer.low, answer.high)
        shown = ["" if number is None else f"{number:.6g}" for number in numbers]
        writer.writerow([answer.row_id, answer.task, *shown, str(answer.in_domain).lower(), answer.note])
    return text.getvalue()


def _by_table(entries: Sequence[ListedMolecule], training: TrainingData) -> dict[str, list[int]]:
    """Which rows each table is asked about."""
    names = [table.name for table in training.tables]
    if training.task_column is None:
        return {name: list(range(len(entries))) for name in names}
    wanted: dict[str, list[int]] = {name: [] for name in names}
    for at, entry in enumerate(entries):
        name = entry.cells.get(training.task_column)
        if name not in wanted:
            raise InvalidInputError(
                f"{entry.place}: expected in column {training.task_column!r} a task of the training table, got "
                f"{name!r}; there are: {', '.join(names[:10])}"
            )
        wanted[name].append(at)
    return wanted


def _withheld(refusal: Refusal | None) -> bool:
    return refusal is not None and refusal.entry.category.startswith(WITHHELD)


def _smiles(entry: ListedMolecule) -> str:
    return entry.molecule.smiles if entry.molecule else ""


def _answer(
    entry: ListedMolecule,
    table: Table,
    keys: dict[str, int],
    task: str,
    found: Predictions | None,
    row: int | None,
    refusal: Refusal | None,
) -> Answer:
    identity = entry.cells.get("row_id") or entry.place
    molecule = entry.molecule
    if refusal is not None and _withheld(refusal):
        return Answer(identity, task, None, None, None, False, f"{refusal.zh} {refusal.en}")
    if molecule is None or row is None:
        return Answer(identity, task, None, None, None, False, entry.problem or "not a molecule")
    if found is None:
        return Answer(identity, task, None, None, None, False, "too few labels in the training table")
    said = [*molecule.notes, *molecule.doubts]
    if refusal is not None:
        said.append(f"管制 controlled: {refusal.entry.schedule} {refusal.entry.schedule_en}")
    known = keys.get(molecule.inchikey)
    if known is not None and np.isfinite(table.labels[task][known]):
        said.append(f"measured in the training table: {table.labels[task][known]:.6g}")
    inside = bool(found.in_domain[row]) and not molecule.doubts
    if not found.in_domain[row]:
        said.append(
            f"outside of the domain: similarity to the nearest training molecules {found.nearness[row]:.2f}"
        )
    return Answer(
        identity,
        task,
        float(found.value[row]),
        float(found.low[row]),
        float(found.high[row]),
        inside,
        "; ".join(said),
    )
