"""Rows of a table in a file, by named column: ``.tsv``, ``.csv`` or ``.jsonl``, plain or gzipped, bounded."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError

Column = Sequence[str]
"""The names under which a column may stand; the first that is there counts."""
ITEM = ("item", "task", "question", "record_id", "taskId", "task_id", "orig_id")
ANNOTATOR = ("annotator", "worker", "performer", "rater", "workerId", "worker_id", "!amt_worker_ids")
LABEL = ("label", "answer", "response", "class", "truth", "true_label", "gold")
MAX_LINE = 1_000_000
"""Characters of a line at most."""


def column(chosen: str | None, usual: Column) -> Column:
    """Return the name chosen for a column, or its usual ones."""
    return usual if chosen is None else (chosen,)


def cells(path: Path, columns: Sequence[Column]) -> Iterator[tuple[str, list[str]]]:
    """Yield where each row stands and its cells of these columns, stripped; an absent JSON value is empty.

    Raises:
        MissingDataError: there is no such file.
        InputTooLargeError: a line over ``MAX_LINE`` characters.
        InvalidInputError: an unknown kind of file, a damaged one, not UTF-8, a missing column or a short row. Says
            where, and does not echo the content.
    """
    kind = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    if kind in ("tsv", "csv"):
        yield from _table(path, "\t" if kind == "tsv" else ",", columns)
    elif kind == "jsonl":
        for at, row in objects(path):
            found = [row.get(_present(list(row), names, at)) for names in columns]
            if any(isinstance(cell, dict | list | bool) for cell in found):
                raise InvalidInputError(f"{at}: expected text or a number in the columns read")
            yield at, ["" if cell is None else str(cell).strip() for cell in found]
    else:
        raise InvalidInputError(f"{path.name}: expected a .tsv, .csv or .jsonl file, or one of them with .gz")


def objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where each object of a JSON-lines file stands, and the object.

    Raises:
        MissingDataError: there is no such file.
        InputTooLargeError: a line over ``MAX_LINE`` characters.
        InvalidInputError: a damaged file, not UTF-8, or a line that is no JSON object.
    """
    from xinglin.records.decode import decode_json

    for number, line in enumerate(_lines(path), 1):
        if line.strip():
            at = f"{path.name}:{number}"
            row = decode_json(line.encode(), at)
            if not isinstance(row, dict):
                raise InvalidInputError(f"{at}: expected a JSON object")
            yield at, row


def _table(path: Path, delimiter: str, columns: Sequence[Column]) -> Iterator[tuple[str, list[str]]]:
    # A tab-separated file quotes nothing: a lone quotation mark is a character of its cell.
    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    reader = csv.reader(_lines(path), delimiter=delimiter, quoting=quoting, strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        places = [header.index(_present(header, names, path.name)) for names in columns]
        for row in reader:
            at = f"{path.name}:{reader.line_num}"
            if row and len(row) <= max(places):
                raise InvalidInputError(f"{at}: expected {len(header)} cells, got {len(row)}")
            if row:
                yield at, [row[place].strip() for place in places]
    except csv.Error as error:
        raise InvalidInputError(f"{path.name}:{reader.line_num}: {error}") from None


def _lines(path: Path) -> Iterator[str]:
    if not path.is_file():
        raise MissingDataError(f"there is no file {path}")
    opener = gzip.open if path.suffix == ".gz" else open
    number = 0
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as stream:
            while line := stream.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    raise InputTooLargeError(
                        f"{path.name}:{number}: a line may hold at most {MAX_LINE} characters"
                    )
                yield line
    except UnicodeDecodeError:
        raise InvalidInputError(
            f"{path.name}: expected UTF-8, which it is not after line {number}; save it as UTF-8"
        ) from None
    except (EOFError, OSError, zlib.error) as error:
        raise InvalidInputError(f"{path.name}: damaged after line {number}: {type(error).__name__}") from None


def _present(header: Sequence[str], names: Column, at: str) -> str:
    found = [name for name in names if name in header]
    if not found:
        raise InvalidInputError(
            f"{at}: expected a column named {' or '.join(names)}; name yours by an option"
        )
    return found[0]
