"""An entry's answers: CSV, JSON or JSONL -> probabilities, one row a case, in the order of the ids.

CSV has the columns ``id,label``, or ``id`` and every label (probabilities). JSON is ``{id: label}`` or
``{id: {label: probability}}``, JSONL one ``{"id", "label"}`` or ``{"id", "probabilities"}`` a line. A bare label is a
probability of one. What comes from outside is never trusted: bounded bytes, every id exactly once, finite numbers.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.records.decode import decode_json
from xinglin.store.keys import canonical_json, digest

MAX_BYTES = 32 << 20
SLACK = 1e-3
"""How far a row's sum may be from one."""


@dataclass(frozen=True)
class Predictions:
    """Answers to all cases."""

    ids: tuple[str, ...]
    """Sorted."""
    labels: tuple[str, ...]
    probabilities: NDArray[np.float64]
    """Cases x labels, rows summing to one."""
    bare: bool = False
    """Whether labels alone were given."""

    def canonical(self) -> bytes:
        """Return the answers in one spelling: what is kept, and scored again when the challenge is verified."""
        rows = {
            key: [float(value) for value in row]
            for key, row in zip(self.ids, self.probabilities, strict=True)
        }
        return canonical_json({"bare": self.bare, "labels": list(self.labels), "rows": rows})

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical bytes."""
        return digest(self.canonical())


def read_predictions(data: bytes, name: str, ids: Iterable[str], labels: Sequence[str]) -> Predictions:
    """Read a file of answers.

    Args:
        data: its bytes.
        name: its name; the ending says the format: ``.csv``, ``.json``, ``.jsonl``.
        ids: the cases to be answered, each exactly once.
        labels: of the challenge.

    Raises:
        InputTooLargeError: more than 32 MiB.
        InvalidInputError: another format, a wrong, doubled or missing id, an unknown label, a probability that is
            not a number from 0 to 1, a row that does not sum to one.
    """
    if len(data) > MAX_BYTES:
        raise InputTooLargeError(f"predictions: at most {MAX_BYTES} bytes, got {len(data)}")
    ending = name.rsplit(".", 1)[-1].lower()
    readers = {"csv": _csv_rows, "json": _json_rows, "jsonl": _jsonl_rows}
    if ending not in readers:
        raise InvalidInputError(
            f"predictions: expected a file .csv, .json or .jsonl, got .{ending[:20]}: code and pickles are never read"
        )
    return from_rows(readers[ending](data, labels), ids, labels)


def from_rows(
    rows: Iterable[tuple[str, str, str | Mapping[str, Any]]], ids: Iterable[str], labels: Sequence[str]
) -> Predictions:
    """Return answers of (place for messages, id, label or probabilities).

    Raises:
        InvalidInputError: as :func:`read_predictions`.
    """
    order = sorted(ids)
    place = {key: number for number, key in enumerate(order)}
    column = {label: number for number, label in enumerate(labels)}
    table = np.zeros((len(order), len(labels)))
    seen: set[str] = set()
    bare: set[bool] = set()
    for at, key, answer in rows:
        if key not in place:
            raise InvalidInputError(f"{at}: the id is none of the challenge's {len(order)} cases")
        if key in seen:
            raise InvalidInputError(f"{at}: the id comes twice")
        seen.add(key)
        bare.add(isinstance(answer, str))
        if isinstance(answer, str):
            table[place[key], _column(column, answer, at)] = 1.0
        else:
            table[place[key]] = _row(answer, column, at)
    if len(seen) < len(order):
        raise InvalidInputError(f"expected an answer to each of {len(order)} cases, got {len(seen)}")
    if len(bare) == 2:
        raise InvalidInputError("expected labels or probabilities throughout, got both")
    return Predictions(tuple(order), tuple(labels), table, bare == {True})


def read_canonical(data: bytes) -> Predictions:
    """Read answers as they were kept."""
    told = decode_json(data, "kept predictions")
    ids = tuple(sorted(told["rows"]))
    table = np.array([told["rows"][key] for key in ids], float)
    return Predictions(ids, tuple(told["labels"]), table, bool(told["bare"]))


def _row(answer: Mapping[str, Any], column: Mapping[str, int], at: str) -> NDArray[np.float64]:
    row = np.zeros(len(column))
    for label, value in answer.items():
        number = _column(column, label, at)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InvalidInputError(f"{at}: expected finite probabilities")
        if not 0.0 <= value <= 1.0:
            raise InvalidInputError(f"{at}: expected probabilities from 0 to 1")
        row[number] = value
    total = math.fsum(row)
    if abs(total - 1.0) > SLACK:
        raise InvalidInputError(f"{at}: expected probabilities that sum to 1, got {total:.4f}")
    return row / total


def _column(column: Mapping[str, int], label: Any, at: str) -> int:
    if not isinstance(label, str) or label not in column:
        raise InvalidInputError(f"{at}: an unknown label; known are the {len(column)} of the challenge")
    return column[label]


def _csv_rows(data: bytes, labels: Sequence[str]) -> Iterable[tuple[str, str, str | Mapping[str, Any]]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"predictions: expected UTF-8, byte {error.start} is not") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        head = next(reader, [])
        if head != ["id", "label"] and (head[:1] != ["id"] or sorted(head[1:]) != sorted(labels)):
            raise InvalidInputError("predictions: expected the columns id,label, or id and every label once")
        for row in reader:
            at = f"predictions:{reader.line_num}"
            if not row:
                continue
            if len(row) != len(head):
                raise InvalidInputError(f"{at}: expected {len(head)} fields, got {len(row)}")
            if head[1] == "label" and len(head) == 2:
                yield at, row[0], row[1]
            else:
                yield at, row[0], dict(zip(head[1:], (_number(field, at) for field in row[1:]), strict=True))
    except csv.Error as error:
        raise InvalidInputError(f"predictions:{reader.line_num}: expected CSV: {error}") from None


def _number(field: str, at: str) -> float:
    try:
        return float(field)
    except ValueError:
        raise InvalidInputError(f"{at}: expected a number") from None


def _json_rows(data: bytes, labels: Sequence[str]) -> Iterable[tuple[str, str, str | Mapping[str, Any]]]:
    # Python keeps the last of two equal keys: an id that comes twice must not pass unseen.
    pairs = _pairs(data)
    for number, (key, answer) in enumerate(pairs, 1):
        yield _answered(f"predictions: entry {number}", key, answer)


def _pairs(data: bytes) -> list[tuple[str, Any]]:
    decoded = decode_json(data, "predictions")
    if not isinstance(decoded, dict):
        raise InvalidInputError("predictions: expected an object of id: answer")
    doubled = False

    def unique(found: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal doubled
        made = dict(found)
        doubled = doubled or len(made) < len(found)
        return made

    json.loads(data.decode("utf-8-sig"), object_pairs_hook=unique)
    if doubled:
        raise InvalidInputError("predictions: an id or a label comes twice")
    return list(decoded.items())


def _jsonl_rows(data: bytes, labels: Sequence[str]) -> Iterable[tuple[str, str, str | Mapping[str, Any]]]:
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        at = f"predictions:{number}"
        row = decode_json(line, at)
        if not isinstance(row, dict) or set(row) not in ({"id", "label"}, {"id", "probabilities"}):
            raise InvalidInputError(f"{at}: expected id and label, or id and probabilities")
        yield _answered(at, row["id"], row.get("label", row.get("probabilities")))


def _answered(at: str, key: Any, answer: Any) -> tuple[str, str, str | Mapping[str, Any]]:
    if not isinstance(key, str) or not isinstance(answer, str | dict):
        raise InvalidInputError(f"{at}: expected an id, and a label or an object of probabilities")
    return at, key, answer
