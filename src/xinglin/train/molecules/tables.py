"""Tables of measured molecules: which columns are labels, and what a model may learn from them.

Three layouts are known: ``dataset`` and ``y`` (MoleculeACE), ``task`` and ``Y`` (TDC), and one column a task (MoleculeNet).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError
from xinglin.records.molecules.standard import LENIENT
from xinglin.records.molecules.tables import ListedMolecule, read_molecules
from xinglin.records.table import positions
from xinglin.train.molecules.activity import Split, Table, kind_of

LONG = (("dataset", "y"), ("task", "Y"))
"""Columns that name the task and hold its label, where every row is one measurement."""
CLIFF = "cliff_mol"
"""1 where a similar molecule of the table differs tenfold or more in activity (van Tilborg et al. 2022)."""
NO_LABELS = frozenset(
    (
        *("row_id", "smiles", "split", "name", "iupac", "task", "dataset", CLIFF),
        *("CID", "mol_id", "Drug_ID", "CMPD_CHEMBLID", "Compound ID", "Model"),
        *("calc", "ESOL predicted log solubility in mols per litre", "exp_nM", "p_activity"),
    )
)
"""Columns of the known tables that are names, other people's predictions or other forms of the label."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a file holds, read for training."""

    tables: tuple[Table, ...]
    """One a data set, with its tasks."""
    keys: dict[str, dict[str, int]]
    """Of each table: InChIKey to row."""
    task_column: str | None
    """Column that names the table of an input row; None: every row is asked every task."""
    problems: dict[str, str]
    """Place of every row that was left out, with the reason."""
    merged: int
    """Rows that repeated a molecule."""
    contradictory: int
    """Labels left out since the rows of one molecule disagree evenly."""
    split: Split
    """How the validation should be split: ``random`` where activity cliffs are marked, as MoleculeACE does."""


def read_training(
    path: Path, targets: Sequence[str] | None = None, *, only: Sequence[str] | None = None
) -> TrainingData:
    """Return the tables of a file of measured molecules.

    Args:
        path: CSV, TSV or gzipped, with a column ``smiles``.
        targets: label columns; None: those of the known layouts.
        only: names of the data sets wanted, where a column names them; None: all.

    Raises:
        MissingDataError: there is no such file.
        InvalidInputError: no label column, a label that is no number, or no readable molecule.
    """
    wanted = None if only is None else set(only)

    def asked(cells: dict[str, str]) -> bool:
        return wanted is None or not any(name in cells and cells[name] not in wanted for name, _ in LONG)

    entries = read_molecules(path, options=LENIENT, wanted=asked).entries
    header = list(next((entry.cells for entry in entries if entry.cells), {}))
    long = None if targets else next((pair for pair in LONG if set(pair) <= set(header)), None)
    columns = [long[1]] if long else list(targets or ()) or _label_columns(entries, header)
    positions(header, columns)
    problems = {entry.place: entry.problem for entry in entries if entry.problem}
    groups: dict[str, list[ListedMolecule]] = {}
    for entry in entries:
        if entry.molecule:
            group = entry.cells[long[0]] if long else path.name.split(".")[0].removesuffix("_train_valid")
            groups.setdefault(group, []).append(entry)
    if not groups:
        raise InvalidInputError(
            f"{path.name}: expected molecules with labels, none of {len(entries)} rows can be read"
        )
    tables, keys, merged, contradictory = [], {}, 0, 0
    for name, members in groups.items():
        table, rows, disagreeing = _table(
            name, members, {name: long[1]} if long else {one: one for one in columns}
        )
        tables.append(table)
        keys[name] = rows
        merged += len(members) - len(table.smiles)
        contradictory += disagreeing
    split: Split = "random" if CLIFF in header else "scaffold"
    return TrainingData(
        tuple(tables), keys, long[0] if long else None, problems, merged, contradictory, split
    )


def _label_columns(entries: Sequence[ListedMolecule], header: Sequence[str]) -> list[str]:
    found = []
    for column in header:
        if column in NO_LABELS or column.lower() == "smiles":
            continue
        values = [entry.cells[column].strip() for entry in entries if entry.cells]
        if any(values) and all(_number(value) is not None for value in values if value):
            found.append(column)
    if not found:
        raise InvalidInputError(
            f"expected a column of labels (numbers), found none among {', '.join(header[:20])}: name it with --target"
        )
    return found


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _table(
    name: str, members: Sequence[ListedMolecule], columns: dict[str, str]
) -> tuple[Table, dict[str, int], int]:
    """One table, each molecule once: a number becomes the mean of its rows, a class their majority."""
    rows: dict[str, int] = {}
    smiles: list[str] = []
    places: list[int] = []
    for entry in members:
        molecule = entry.molecule
        if molecule is None:
            continue
        identity = molecule.inchikey or molecule.smiles
        if identity not in rows:
            rows[identity] = len(smiles)
            smiles.append(molecule.smiles)
        places.append(rows[identity])
    at = np.asarray(places)
    labels, contradictory = {}, 0
    for task, column in columns.items():
        values = np.array([_label(entry, column) for entry in members])
        known = np.isfinite(values)
        count = np.bincount(at[known], minlength=len(smiles))
        mean = np.full(len(smiles), np.nan)
        np.divide(np.bincount(at[known], values[known], len(smiles)), count, out=mean, where=count > 0)
        if known.any() and kind_of(values[known]) == "probability":
            contradictory += int((mean == 0.5).sum())
            mean = np.where(mean == 0.5, np.nan, np.round(mean))
        labels[task] = mean
    return Table(name, smiles, labels, _cliffs(members, at, len(smiles))), rows, contradictory


def _label(entry: ListedMolecule, column: str) -> float:
    text = entry.cells[column].strip()
    if not text:
        return math.nan
    value = _number(text)
    if value is None:
        raise InvalidInputError(f"{entry.place}: column {column!r}: expected a number, got {text[:40]!r}")
    return value


def _cliffs(members: Sequence[ListedMolecule], at: NDArray[np.int64], count: int) -> NDArray[np.int64] | None:
    marks = [entry.cells.get(CLIFF, "").strip() for entry in members]
    if not any(marks):
        return None
    found = np.zeros(count, np.int64)
    found[at] = [int(_number(mark) == 1) for mark in marks]
    return found
