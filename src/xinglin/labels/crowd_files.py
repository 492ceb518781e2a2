"""Votes in files: a row a vote, as crowd-sourcing platforms and published data sets write them."""

from __future__ import annotations

import csv
import gzip
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.labels.votes import Ints, Votes

ITEM = ("item", "task", "question", "record_id", "taskId", "task_id", "orig_id")
ANNOTATOR = ("annotator", "worker", "performer", "rater", "workerId", "worker_id", "!amt_worker_ids")
LABEL = ("label", "answer", "response", "class", "truth", "true_label", "gold")
MAX_VOTES = 50_000_000
MAX_LINE = 1_000_000
"""Characters of a line at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """Votes with the names behind their indices, and the known truth of some items."""

    votes: Votes
    items: tuple[str, ...]
    annotators: tuple[str, ...]
    classes: tuple[str, ...]
    """Sorted: by number where every class is one, else by character; for ordinal classes check that it is their
    order."""
    gold: Ints
    """Known class of each item, shape (items,); -1 where none is known."""
    missing: int
    """Rows whose label is empty: a vote asked for and not given."""


def read_votes(
    path: Path,
    gold: Path | None = None,
    *,
    item: str | None = None,
    annotator: str | None = None,
    label: str | None = None,
) -> Crowd:
    """Read votes, and the true classes if there is a file of them.

    ``.tsv`` and ``.csv`` have a header; ``.jsonl`` an object a line; each may be gzipped (``.gz``). UTF-8. Columns are
    found under the names in ``ITEM``, ``ANNOTATOR`` and ``LABEL``. The file of true classes has the columns of item
    and label; of it, items without any vote are kept, so that what is missing shows.

    Args:
        path: the votes.
        gold: the true classes.
        item: name of the column of the item, where it is another one.
        annotator: likewise.
        label: likewise.

    Raises:
        MissingDataError: there is no such file.
        InputTooLargeError: a line over ``MAX_LINE`` characters, or more than ``MAX_VOTES`` votes.
        InvalidInputError: a column is missing, a row is short or has no item or annotator, an item has two true
            classes, or the file is damaged or of an unknown kind. Says where, and does not echo the content.
    """
    items: dict[str, int] = {}
    annotators: dict[str, int] = {}
    classes: dict[str, int] = {}
    columns = (array("q"), array("q"), array("q"))
    missing = 0
    wanted = (_names(item, ITEM), _names(annotator, ANNOTATOR), _names(label, LABEL))
    for place, (who, by, what) in _cells(path, wanted):
        if not who or not by:
            raise InvalidInputError(f"{place}: the item or the annotator is empty")
        if not what:
            items.setdefault(who, len(items))
            missing += 1
            continue
        for column, names, name in zip(columns, (items, annotators, classes), (who, by, what), strict=True):
            column.append(names.setdefault(name, len(names)))
        if len(columns[0]) > MAX_VOTES:
            raise InputTooLargeError(f"{path.name}: more than {MAX_VOTES} votes; split the file")
    known = _gold(gold, (wanted[0], wanted[2])) if gold else {}
    for name, given in known.items():
        items.setdefault(name, len(items))
        classes.setdefault(given, len(classes))
    ordered = _ordered(classes)
    place_of = np.empty(max(len(classes), 1), np.int64)
    for position, name in enumerate(ordered):
        place_of[classes[name]] = position
    truth = np.full(len(items), -1)
    for name, given in known.items():
        truth[items[name]] = place_of[classes[given]]
    rows = [np.frombuffer(column, np.int64) if column else np.empty(0, np.int64) for column in columns]
    votes = Votes(rows[0], rows[1], place_of[rows[2]], len(items), len(annotators), len(classes))
    return Crowd(votes, tuple(items), tuple(annotators), ordered, truth, missing)


def _names(chosen: str | None, usual: Sequence[str]) -> Sequence[str]:
    return usual if chosen is None else (chosen,)


def _gold(path: Path, wanted: tuple[Sequence[str], Sequence[str]]) -> dict[str, str]:
    """Return the true class of each item."""
    known: dict[str, str] = {}
    for place, (name, given) in _cells(path, wanted):
        if not name:
            raise InvalidInputError(f"{place}: the item is empty")
        if given and known.setdefault(name, given) != given:
            raise InvalidInputError(f"{place}: this item already has another true class")
    return known


def _ordered(classes: dict[str, int]) -> tuple[str, ...]:
    try:
        return tuple(sorted(classes, key=lambda name: (float(name), name)))
    except ValueError:
        return tuple(sorted(classes))


def _cells(path: Path, wanted: Sequence[Sequence[str]]) -> Iterator[tuple[str, list[str]]]:
    """Yield where a row stands and its wanted cells."""
    if not path.is_file():
        raise MissingDataError(f"there is no file {path}")
    kind = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    if kind not in ("tsv", "csv", "jsonl"):
        raise InvalidInputError(f"{path.name}: expected a .tsv, .csv or .jsonl file, or one of them with .gz")
    opener = gzip.open if path.suffix == ".gz" else open
    number = 0
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as stream:
            rows = (
                _objects(stream, path.name, wanted)
                if kind == "jsonl"
                else _table(stream, path.name, kind, wanted)
            )
            for number, cells in rows:
                yield f"{path.name}:{number}", [cell.strip() for cell in cells]
    except (EOFError, OSError, zlib.error) as error:
        raise InvalidInputError(f"{path.name}: damaged after line {number}: {type(error).__name__}") from None
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"{path.name}: expected UTF-8, {error.reason} after line {number}; re-save the file as UTF-8"
        ) from None


def _lines(stream: IO[str], name: str) -> Iterator[str]:
    number = 0
    while line := stream.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise InputTooLargeError(f"{name}:{number}: a line may hold at most {MAX_LINE} characters")
        yield line


def _table(
    stream: IO[str], name: str, kind: str, wanted: Sequence[Sequence[str]]
) -> Iterator[tuple[int, list[str]]]:
    # A tab-separated file quotes nothing: a lone quotation mark is a character of its cell.
    lines = _lines(stream, name)
    if kind == "tsv":
        reader = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE, strict=True)
    else:
        reader = csv.reader(lines, strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        places = [header.index(_present(header, names, name)) for names in wanted]
        for row in reader:
            if not row:
                continue
            if len(row) <= max(places):
                raise InvalidInputError(
                    f"{name}:{reader.line_num}: expected {len(header)} cells, got {len(row)}"
                )
            yield reader.line_num, [row[place] for place in places]
    except csv.Error as error:
        raise InvalidInputError(f"{name}:{reader.line_num}: {error}") from None


def _objects(stream: IO[str], name: str, wanted: Sequence[Sequence[str]]) -> Iterator[tuple[int, list[str]]]:
    from xinglin.records.decode import decode_json

    for number, line in enumerate(_lines(stream, name), 1):
        if not line.strip():
            continue
        at = f"{name}:{number}"
        row = decode_json(line.encode(), at)
        if not isinstance(row, dict):
            raise InvalidInputError(f"{at}: expected a JSON object")
        cells = [row.get(_present(list(row), names, at)) for names in wanted]
        if any(isinstance(cell, dict | list | bool) for cell in cells):
            raise InvalidInputError(f"{at}: expected text or a number for item, annotator and label")
        yield number, ["" if cell is None else str(cell) for cell in cells]


def _present(header: Sequence[str], names: Sequence[str], at: str) -> str:
    found = [name for name in names if name in header]
    if not found:
        raise InvalidInputError(
            f"{at}: expected a column named {' or '.join(names)}; name yours by an option"
        )
    return found[0]
