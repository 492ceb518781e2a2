"""CSV and TSV as rows of text cells, each with its line; a row that is broken does not take the next one along."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from xinglin.errors import InvalidInputError
from xinglin.records.lines import encoding_of, lines
from xinglin.records.rows import MAX_CELL
from xinglin.records.table import Row, Table, checked_header

MAX_LINE = 8 * 1024 * 1024
MAX_LINES = 2000
"""Lines that one quoted row may span; beyond, its quote was never closed."""
DELIMITERS = ",\t;|"
_BROKEN = re.compile("[\ud800-\udfff]")


def open_table(path: Path) -> Table:
    """Open a delimited file with a header line (RFC 4180; also tabs, semicolons and bars between cells).

    Raises:
        InvalidInputError: no header, a column named twice, neither UTF-8 nor GB18030.
    """
    encoding, mark = encoding_of(path, MAX_LINE)
    source = _Lines(path, encoding, mark)
    first = source.peek()
    if not first.strip():
        raise InvalidInputError("expected a header line, it is empty")
    delimiter = max(DELIMITERS, key=first.count)
    rows = _rows(source, delimiter)
    top = next(rows)
    if top.problem:
        raise InvalidInputError(f"header: {top.problem}")
    header = checked_header(top.cells)
    return Table(header, _checked(rows, len(header)), encoding)


def _checked(rows: Iterator[Row], width: int) -> Iterator[Row]:
    for row in rows:
        if row.problem is None and len(row.cells) != width:
            yield Row(row.place, [], f"expected {width} cells, got {len(row.cells)}")
        elif row.problem is None and any(_BROKEN.search(str(cell)) for cell in row.cells):
            yield Row(row.place, [], "bytes that are not of the file's encoding")
        else:
            yield row


class _Lines:
    """The lines of the file as text, of which some can be given back."""

    def __init__(self, path: Path, encoding: str, mark: int) -> None:
        self._lines = lines(path, MAX_LINE)
        self._encoding, self._mark = encoding, mark
        self._back: list[str | None] = []
        self.number = 0
        """Of the line that was given last."""

    def peek(self) -> str:
        for line in self:
            self.back([line])
            return line or ""
        return ""

    def back(self, given: list[str | None]) -> None:
        self._back = given + self._back
        self.number -= len(given)

    def __iter__(self) -> Iterator[str | None]:
        return self

    def __next__(self) -> str | None:
        if self._back:
            self.number += 1
            return self._back.pop(0)
        line = next(self._lines)
        if self.number == 0 and line is not None:
            line = line[self._mark :]
        self.number += 1
        # What is not of the encoding becomes lone surrogates, so that the row keeps its shape and its place.
        return None if line is None else line.decode(self._encoding, "surrogateescape")


def _rows(source: _Lines, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(MAX_CELL)
    for line in source:
        place = f"line {source.number}"
        if line is None:
            yield Row(place, [], f"expected at most {MAX_LINE // 2**20} MiB in a line")
            continue
        if not line.strip():
            continue
        if '"' not in line:
            yield Row(place, line.split(delimiter))
            continue
        more: list[str | None] = []
        try:
            yield Row(place, _quoted(line, source, more, delimiter))
        except csv.Error as error:
            source.back(more)
            yield Row(
                place, [], f"quotes that do not match or a cell beyond {MAX_CELL:,} characters ({error})"
            )


def _quoted(line: str, source: _Lines, more: list[str | None], delimiter: str) -> list[str]:
    """The cells of a row whose first line holds a quote; the further lines that it took are noted in ``more``."""

    def feed() -> Iterator[str]:
        yield line + "\n"
        size = len(line)
        for further in source:
            more.append(further)
            size += len(further or "")
            if further is None or len(more) > MAX_LINES or size > MAX_LINE:
                raise csv.Error("row too long")
            yield further + "\n"

    return next(csv.reader(feed(), delimiter=delimiter, strict=True))
