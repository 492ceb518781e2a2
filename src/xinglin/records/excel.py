"""The first sheet of an Excel workbook (.xlsx) as rows of cells; formulas are never evaluated.

A workbook is a zip of XML (ECMA-376): its size is bounded before anything is unpacked, and ``defusedxml`` refuses
entities. What Excel had computed for a formula is not taken either, since nothing says that it is up to date: a
row with a formula in a column of the mapping is a problem of its own.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingExtraError
from xinglin.records.readers.protocol import foreign
from xinglin.records.table import MAX_COLUMNS, Row, Table, checked_header

MAX_BYTES = 256 * 1024 * 1024
MAX_UNPACKED = 1024 * 1024 * 1024
MAX_EXPANSION = 200
"""Times its size that one member may grow; sheets of real workbooks grow by 5 to 20."""
MAX_MEMBERS = 10_000
SHARED = 256 * 1024 * 1024
"""Bytes of the table of shared texts, which has to lie in memory."""
MAX_DIGITS = 1e15
"""Excel keeps 15 significant digits: a longer number in a cell has lost some."""


def open_table(path: Path, columns: Sequence[str] | None = None) -> Table:
    """Open the first sheet; its first row that is not blank is the header.

    Args:
        path: the file.
        columns: those whose formulas matter; ``None`` takes all.

    Raises:
        MissingExtraError: ``openpyxl`` or ``defusedxml`` is not installed.
        InvalidInputError: not a workbook, or no header.
        InputTooLargeError: a zip bomb, or beyond the bounds.
    """
    try:
        import openpyxl
        from openpyxl import DEFUSEDXML
    except ModuleNotFoundError as error:
        raise MissingExtraError("Reading Excel", "records") from error
    if not DEFUSEDXML:
        raise MissingExtraError("Reading Excel without harm (defusedxml)", "records")
    _check(path)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=False, keep_links=False)
        sheets = book.worksheets
        if not sheets:
            raise InvalidInputError("expected a sheet, the workbook has none")
        sheet = sheets[0]
        sheet.reset_dimensions()  # A stated size may be a lie: count what is there.
        rows = _numbered(sheet)
        for _, cells in rows:
            if any(cell.value is not None for cell in cells):
                header = checked_header([cell.value for cell in cells])
                break
        else:
            raise InvalidInputError(
                "expected a header line with the names of the columns, the sheet is empty"
            )
    except Exception as error:
        if isinstance(error, InvalidInputError):
            raise
        raise foreign(error, "not an Excel workbook (.xlsx)") from None
    while header and not header[-1]:
        header.pop()
    matters = {n for n, name in enumerate(header) if columns is None or name in set(columns)}
    return Table(header, _rows(rows, len(header), matters))


def _check(path: Path) -> None:
    if path.stat().st_size > MAX_BYTES:
        raise InputTooLargeError(
            f"a workbook: at most {MAX_BYTES // 2**20} MiB, got {path.stat().st_size} bytes"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise foreign(error, "not an Excel workbook (.xlsx)") from None
    total = sum(member.file_size for member in members)
    if len(members) > MAX_MEMBERS or total > MAX_UNPACKED:
        raise InputTooLargeError(f"a workbook: {len(members)} members of {total} bytes unpacked are too much")
    for member in members:
        grown = member.file_size > 2**20 and member.file_size > MAX_EXPANSION * max(1, member.compress_size)
        if grown or (member.filename.endswith("sharedStrings.xml") and member.file_size > SHARED):
            raise InputTooLargeError(
                f"a workbook: a member expands from {member.compress_size} to {member.file_size} bytes: refused"
            )


def _numbered(sheet: Any) -> Iterator[tuple[int, Any]]:
    yield from enumerate(sheet.iter_rows(max_col=MAX_COLUMNS), start=1)


def _rows(rows: Iterator[tuple[int, Any]], width: int, matters: set[int]) -> Iterator[Row]:
    number = 0
    while True:
        try:
            number, cells = next(rows)
        except StopIteration:
            return
        except Exception as error:
            raise foreign(error, f"damaged after row {number}") from None
        values = [cell.value for cell in cells]
        if all(value is None for value in values):
            continue
        place = f"row {number}"
        problem = next((said for n in sorted(matters) if n < len(cells) and (said := _wrong(cells[n]))), None)
        if problem is None and any(value is not None for value in values[width:]):
            problem = f"a cell beyond the {width} columns of the header"
        yield Row(place, [] if problem else [*values[:width], *[None] * (width - len(values))], problem)


def _wrong(cell: Any) -> str | None:
    if cell.data_type == "f":
        return f"cell {cell.coordinate} is a formula, which is not evaluated: paste its value"
    if cell.data_type == "e":
        return f"cell {cell.coordinate} is an error of the sheet"
    if (
        isinstance(cell.value, int | float)
        and not isinstance(cell.value, bool)
        and abs(cell.value) >= MAX_DIGITS
    ):
        return f"cell {cell.coordinate} has more digits than Excel keeps: format the column as text and enter it again"
    return None
