"""A hospital's table as numbers, by the schema that the job states: the same columns, in the same order, at every site.

Missing values are never filled in unseen: a row with one is left out, or each column with gaps has a column of its
own that says where they are (the value itself then adds nothing). Both are counted.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from xinglin.errors import ConfigurationError, InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.federate.tasks.protocol import Archived, Array, Files, NodeData
from xinglin.records import archive, delimited, parquet
from xinglin.records.table import Table, positions
from xinglin.types import Record

MAX_ROWS = 5_000_000
OPENERS: dict[str, Callable[[Path], Table]] = {
    ".csv": delimited.open_table,
    ".tsv": delimited.open_table,
    ".parquet": parquet.open_table,
}


@dataclass(frozen=True, slots=True)
class Schema:
    """Which columns are read, and what they mean."""

    target: str
    """Column with the answer."""
    positive: tuple[str, ...]
    """Values of ``target`` that count as 1."""
    negative: tuple[str, ...]
    """Values of ``target`` that count as 0; any other is refused, a missing one leaves its row out."""
    numeric: tuple[str, ...] = ()
    """Columns of numbers."""
    lower: tuple[float, ...] = ()
    """Least plausible value of each numeric column: bounds known beforehand, not read from the data."""
    upper: tuple[float, ...] = ()
    """Largest plausible value of each numeric column. Numbers beyond the bounds are cut to them, and counted."""
    categorical: tuple[str, ...] = ()
    """Columns of levels, as ``cp=1|2|3|4``: one column of 0 and 1 for each level but the first."""
    patient: str = ""
    """Column that says whose a row is, for privacy by patient; empty: not read."""
    missing: tuple[str, ...] = ("", "?", "NA", "NaN", "nan", "null")
    """Spellings of *not known*."""
    gaps: Literal["drop", "indicate"] = "drop"
    """What becomes of a row with a missing value: left out, or its gaps indicated by columns of their own."""

    def __post_init__(self) -> None:
        if not self.numeric and not self.categorical:
            raise ConfigurationError("[train] numeric, categorical: expected at least one column")
        if not self.positive or not self.negative or set(self.positive) & set(self.negative):
            raise ConfigurationError(
                "[train] positive, negative: expected values on both sides, none on both"
            )
        if len(self.lower) != len(self.upper) or len(self.lower) not in (0, len(self.numeric)):
            raise ConfigurationError(
                f"[train] lower, upper: expected none, or one number for each of {len(self.numeric)} numeric columns"
            )
        if not all(low < high for low, high in zip(self.lower, self.upper, strict=True)):
            raise ConfigurationError("[train] lower, upper: expected each lower bound below its upper one")
        columns = [self.target, *self.numeric, *(name for name, _ in self.levels())]
        twice = next((name for name in columns if columns.count(name) > 1), None)
        if twice:
            raise ConfigurationError(f"[train] column {twice!r} is named twice")

    def levels(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return each categorical column with its levels.

        Raises:
            ConfigurationError: not written as ``name=level|level``, or a level twice.
        """
        found = []
        for text in self.categorical:
            name, _, spelled = text.partition("=")
            levels = tuple(_level(level) for level in spelled.split("|"))
            if not name or len(set(levels)) < 2 or len(set(levels)) < len(levels):
                raise ConfigurationError(
                    f"[train] categorical: expected name=level|level with different levels, got {text!r}"
                )
            found.append((name, levels))
        return found

    def columns(self) -> list[str]:
        """Return the columns of the table that features and target are read from; the target is the last."""
        return [*self.numeric, *(name for name, _ in self.levels()), self.target]

    def features(self) -> list[str]:
        """Return the names of the numbers that a row becomes."""
        names = list(self.numeric)
        names += [f"{name}={level}" for name, levels in self.levels() for level in levels[1:]]
        if self.gaps == "indicate":
            names += [f"{name} missing" for name in self.columns()[:-1]]
        return names


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """A table as numbers."""

    features: Array
    """float32, shape (rows, features); numeric columns as they were measured, or scaled to [-1, 1] by their bounds.
    NaN where a number is missing and gaps are indicated."""
    targets: Array
    """float32 of 0 and 1, shape (rows,)."""
    patients: tuple[str, ...] | None
    """Whose each row is; ``None``: the job names no such column."""
    dropped: int
    """Rows left out: a missing target, or a missing value where gaps are dropped."""
    outside: int
    """Numbers that lay beyond their bounds."""
    centre: Array
    """Mean of each feature over the hospital's training part, shape (features,); never sent anywhere."""
    spread: Array
    """Standard deviation (n - 1) of each feature there, 1 where a feature does not vary; never sent anywhere."""

    def __len__(self) -> int:
        return len(self.targets)


def read_examples(node: NodeData, schema: Schema) -> Examples:
    """Read a hospital's rows.

    Raises:
        MissingDataError: no table.
        InvalidInputError: no usable row, a column absent, or a cell that does not fit its column;
            names the place and the column, never the cell.
        InputTooLargeError: more than five million rows.
    """
    read = _rows(node, schema)
    own = reference(node)
    base = read if own is None else _rows(own, schema)
    centre, spread = moments(base.features)
    return Examples(read.features, read.targets, read.patients, read.dropped, read.outside, centre, spread)


def moments(features: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation (n - 1) of each feature over its known values, float32; 0 and 1 where it has none
    or does not vary."""
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column without any value: no mean, no spread
        centre = np.nan_to_num(np.nanmean(features, axis=0, dtype=np.float64))
        spread = np.nan_to_num(np.nanstd(features, axis=0, ddof=1, dtype=np.float64))
    return np.asarray(centre, np.float32), np.asarray(np.where(spread > 0, spread, 1.0), np.float32)


def reference(node: NodeData) -> NodeData | None:
    """Return the data whose moments standardise a part that is not trained on; ``None``: the part itself."""
    if isinstance(node, Archived):
        return None if node.reference is None else replace(node, dataset=node.reference, reference=None)
    return None if node.part == "train" else replace(node, part="train")


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    features: Array
    targets: Array
    patients: tuple[str, ...] | None
    dropped: int
    outside: int


def _rows(node: NodeData, schema: Schema) -> _Read:
    rows: list[list[float]] = []
    targets: list[float] = []
    patients: list[str] = []
    dropped = outside = 0
    wanted, levels = schema.columns(), schema.levels()
    gaps = frozenset(mark.casefold() for mark in schema.missing)
    for place, (owner, *found) in cells(node, [schema.patient or schema.target, *wanted]):
        if len(rows) >= MAX_ROWS:
            raise InputTooLargeError(f"expected at most {MAX_ROWS:,} rows")
        texts = [
            None if cell is None or str(cell).strip().casefold() in gaps else str(cell).strip()
            for cell in found
        ]
        if texts[-1] is None or (schema.gaps == "drop" and None in texts):
            dropped += 1
            continue
        values, beyond = _numbers(texts, schema, levels, place)
        outside += beyond
        rows.append(values)
        targets.append(_target(texts[-1], schema, place))
        if schema.patient and not str(owner or "").strip():
            raise InvalidInputError(
                f"{place}: column {schema.patient!r}: expected whose the row is, it is empty"
            )
        patients.append(str(owner))
    if not rows:
        raise InvalidInputError(
            f"expected at least one row with all that is needed; {dropped} were left out for missing values"
        )
    owners = tuple(patients) if schema.patient else None
    return _Read(np.array(rows, np.float32), np.array(targets, np.float32), owners, dropped, outside)


def _numbers(
    texts: list[str | None], schema: Schema, levels: list[tuple[str, tuple[str, ...]]], place: str
) -> tuple[list[float], int]:
    values: list[float] = []
    outside = 0
    for number, name in enumerate(schema.numeric):
        text = texts[number]
        value = math.nan if text is None else _number(text, name, place)
        if schema.lower and text is not None:
            low, high = schema.lower[number], schema.upper[number]
            outside += not low <= value <= high
            value = 2.0 * (min(max(value, low), high) - low) / (high - low) - 1.0
        values.append(value)
    for number, (name, known) in enumerate(levels, len(schema.numeric)):
        text = texts[number]
        if text is not None and _level(text) not in known:
            raise InvalidInputError(f"{place}: column {name!r}: a level that the job does not name")
        values += [math.nan if text is None else float(_level(text) == level) for level in known[1:]]
    if schema.gaps == "indicate":
        values += [float(text is None) for text in texts[:-1]]
    return values, outside


def _number(text: str, name: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InvalidInputError(f"{place}: column {name!r}: expected a finite number")
    return value


def _target(text: str, schema: Schema, place: str) -> float:
    level = _level(text)
    if level in map(_level, schema.positive):
        return 1.0
    if level in map(_level, schema.negative):
        return 0.0
    raise InvalidInputError(
        f"{place}: column {schema.target!r}: neither among positive nor negative of the job"
    )


def _level(text: str) -> str:
    """Return a level in one spelling: 1, 1.0 and 01 are the same."""
    try:
        return f"{float(text):g}"
    except ValueError:
        return text.strip()


def cells(node: NodeData, wanted: list[str]) -> Iterator[tuple[str, list[Any]]]:
    """Yield the place of each row and its cells in the wanted columns.

    Of the archive's records, a column is ``subject``, ``age`` or ``sex`` of the header, else the latest value under
    that code.
    """
    if isinstance(node, Archived):
        reading = archive.read(node.store, node.dataset, purpose=node.purpose, actor=node.actor)
        for number, record in enumerate(reading, 1):
            yield f"record {number}", [_of_record(record, name) for name in wanted]
        return
    table = _table(node)
    index = positions(table.header, wanted)
    for row in table.rows:
        if row.problem is not None:
            raise InvalidInputError(f"{row.place}: {row.problem}")
        yield row.place, [row.cells[index[name]] for name in wanted]


def _table(node: Files) -> Table:
    there: list[Path] = [node.folder / (node.part + ending) for ending in OPENERS]
    found = [path for path in there if path.is_file()]
    if len(found) != 1:
        names = ", ".join(path.name for path in there)
        raise MissingDataError(f"{node.folder}: expected exactly one of {names}, found {len(found)}")
    return OPENERS[found[0].suffix](found[0])


def _of_record(record: Record, name: str) -> Any:
    if name == "subject":
        return record.subject or record.id
    if name in ("age", "sex"):
        return getattr(record.patient, name)
    said = [event for event in record.events if event.code.value == name and event.value is not None]
    return max(said, key=lambda event: event.time or "").value if said else None
