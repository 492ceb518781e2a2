"""Labels, gold items and readings as files: one JSON object a line, bounded, every line checked.

{"item": "r00017", "label": "icd10-who:I21"}
{"item": "r00017", "reader": "A", "label": ["icd10-who:I21", "icd10-who:I50"], "role": "auditor", "saw": []}
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.labels.evidence import Reading
from xinglin.records.decode import decode_json

MAX_BYTES = 2 * 1024**3
MAX_LINE = 65_536


def label_text(given: Any, where: str) -> str:
    """Return a label as it is compared: codes sorted, each once, joined by spaces.

    Raises:
        InvalidInputError: neither a text nor a list of texts without spaces.
    """
    codes = [given] if isinstance(given, str) else given
    if not isinstance(codes, list) or not all(
        isinstance(code, str) and code and " " not in code for code in codes
    ):
        raise InvalidInputError(f"{where}: expected a label as system:value or a list of such; correct it")
    return " ".join(sorted(set(codes)))


def read_labels(path: Path) -> dict[str, str]:
    """Return items and labels of a file.

    Raises:
        MissingDataError, InputTooLargeError, InvalidInputError: names the line.
    """
    labels: dict[str, str] = {}
    for where, row in _rows(path, {"item", "label"}, set()):
        if row["item"] in labels:
            raise InvalidInputError(f"{where}: the item stands twice: keep one line")
        labels[row["item"]] = label_text(row["label"], where)
    return labels


def read_readings(path: Path) -> list[Reading]:
    """Return the readings of a file.

    Raises:
        MissingDataError, InputTooLargeError, InvalidInputError: names the line.
    """
    readings = []
    for where, row in _rows(path, {"item", "reader", "label"}, {"role", "saw"}):
        role, saw = row.get("role", "auditor"), row.get("saw", [])
        if role not in ("auditor", "adjudicator") or not isinstance(row["reader"], str):
            raise InvalidInputError(f"{where}: expected a reader, and the role auditor or adjudicator")
        if not isinstance(saw, list) or not all(isinstance(what, str) for what in saw):
            raise InvalidInputError(
                f"{where}: expected `saw` as a list of what was shown before the decision"
            )
        readings.append(
            Reading(row["item"], row["reader"], label_text(row["label"], where), role, tuple(sorted(saw)))
        )
    return readings


def read_annotators(path: Path) -> dict[str, frozenset[str]]:
    """Return who labelled which item, from the votes of a round: ``item`` and ``annotator`` a line.

    Raises:
        MissingDataError, InputTooLargeError, InvalidInputError: names the line.
    """
    found: dict[str, set[str]] = {}
    for where, row in _rows(path, {"item", "annotator"}, None):
        if not isinstance(row["annotator"], str):
            raise InvalidInputError(f"{where}: expected an annotator's name")
        found.setdefault(row["item"], set()).add(row["annotator"])
    return {item: frozenset(people) for item, people in found.items()}


def _rows(path: Path, needed: set[str], more: set[str] | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Place and content of each line; other keys than ``needed`` and ``more`` are errors unless ``more`` is None."""
    if not path.is_file():
        raise MissingDataError(f"there is no file {path}")
    if path.stat().st_size > MAX_BYTES:
        raise InputTooLargeError(f"{path.name}: at most {MAX_BYTES} bytes, got {path.stat().st_size}")
    with path.open("rb") as stream:
        number = 0
        while line := stream.readline(MAX_LINE + 1):
            number += 1
            where = f"{path.name}:{number}"
            if len(line) > MAX_LINE:
                raise InputTooLargeError(f"{where}: at most {MAX_LINE} bytes a line")
            if not line.strip():
                continue
            row = decode_json(line, where)
            keys = set(row) if isinstance(row, dict) else set()
            if not needed <= keys or (more is not None and keys - needed - more):
                raise InvalidInputError(f"{where}: expected an object with {', '.join(sorted(needed))}")
            if not isinstance(row["item"], str) or not row["item"]:
                raise InvalidInputError(f"{where}: expected the item's id as text")
            yield where, row
