"""Tab-separated files with a header line: rows with their line numbers, errors that name the line.

The format is fixed in ``docs/starter-graph.md``: UTF-8, no quoting, ``|`` inside a list, an empty cell
for *not known*.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from xinglin.errors import MissingDataError, VocabularyError


class Row:
    """One line: cells by column name, and where it stands."""

    __slots__ = ("_cells", "_index", "line", "path")

    def __init__(self, path: Path, line: int, index: dict[str, int], cells: list[str]) -> None:
        self.path, self.line, self._index, self._cells = path, line, index, cells

    def __getitem__(self, column: str) -> str:
        return self._cells[self._index[column]]

    def many(self, column: str) -> tuple[str, ...]:
        """The items of a ``|`` list, blanks dropped."""
        cell = self[column]
        return tuple(item for part in cell.split("|") if (item := part.strip())) if cell else ()

    def required(self, column: str) -> str:
        """The cell, which must not be empty.

        Raises:
            VocabularyError: it is.
        """
        cell = self[column]
        if not cell:
            raise self.error(f"expected a value in column {column!r}; it is empty: fill it in")
        return cell

    def number(self, column: str) -> float | None:
        """The cell as a number; ``None`` when empty.

        Raises:
            VocabularyError: it is not a number.
        """
        cell = self[column]
        if not cell:
            return None
        try:
            value = float(cell)
        except ValueError:
            value = float("nan")
        if value != value or value in (float("inf"), float("-inf")):
            raise self.error(f"expected a finite number in column {column!r}; got {cell!r}: correct it")
        return value

    def error(self, message: str) -> VocabularyError:
        """A :class:`VocabularyError` that names file and line."""
        return VocabularyError(f"{self.path.name}:{self.line}: {message}")


def rows(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    """The lines of a file whose header has at least ``columns``.

    Raises:
        MissingDataError: the file is absent.
        VocabularyError: not UTF-8, a column missing, or a line with another number of cells.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise MissingDataError(
            f"expected the file {path}; it is absent: restore it or name its folder"
        ) from None
    except UnicodeDecodeError as error:
        raise VocabularyError(f"{path.name}: expected UTF-8; {error}: save it as UTF-8") from None
    lines = text.split("\n")
    header = lines[0].rstrip("\r").split("\t")
    missing = [column for column in columns if column not in header]
    if missing:
        raise VocabularyError(
            f"{path.name}:1: expected the columns {', '.join(columns)}; missing {', '.join(missing)}: "
            "add them to the header line, tab-separated"
        )
    index = {column: i for i, column in enumerate(header)}
    width = len(header)
    for number, line in enumerate(lines[1:], start=2):
        line = line.rstrip("\r")
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != width:
            raise VocabularyError(
                f"{path.name}:{number}: expected {width} tab-separated cells; got {len(cells)}: "
                "check for a missing or an extra tab"
            )
        yield Row(path, number, index, cells)
