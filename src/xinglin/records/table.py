"""An opened table of any file format: a header and rows with their places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.records.rows import Cell

MAX_COLUMNS = 5000


@dataclass(frozen=True, slots=True)
class Row:
    """One row, or what is wrong with it."""

    place: str
    """``line 7`` of a text, ``row 7`` of a sheet; the header is the first."""
    cells: Sequence[Cell]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """An opened table."""

    header: list[str]
    rows: Iterator[Row]
    """All rows below the header; blank ones are left out."""
    encoding: str | None = None


def checked_header(cells: Sequence[Cell]) -> list[str]:
    """Return the column names of a header row.

    Raises:
        InvalidInputError: no name at all, or one that stands there twice.
        InputTooLargeError: more than 5,000 columns.
    """
    header = ["" if cell is None else str(cell).strip() for cell in cells]
    if len(header) > MAX_COLUMNS:
        raise InputTooLargeError(f"header: at most {MAX_COLUMNS:,} columns, got {len(header):,}")
    named = [name for name in header if name]
    if not named:
        raise InvalidInputError("expected a header line with the names of the columns, it is empty")
    twice = (
        next((name for name in named if named.count(name) > 1), None)
        if len(set(named)) < len(named)
        else None
    )
    if twice:
        raise InvalidInputError(f"header: column {twice[:60]!r} stands there twice: rename one")
    return header


def positions(header: Sequence[str], wanted: Sequence[str]) -> dict[str, int]:
    """Return where the wanted columns stand.

    Raises:
        InvalidInputError: one is absent; names the nearest that is there.
    """
    index = {name: number for number, name in enumerate(header)}
    for name in wanted:
        if name not in index:
            near = get_close_matches(name, header, n=1, cutoff=0.4)
            raise InvalidInputError(
                f"column {name!r} of the mapping is not in the table"
                + (f"; nearest: {near[0]!r}" if near else f"; there are: {', '.join(header[:20])}")
            )
    return {name: index[name] for name in wanted}
