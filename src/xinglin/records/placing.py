"""A table beside the records: where each belongs. Tab-separated, with a header line of some of

    id  site  label  part

``xinglin records split`` writes one; reports and later splits read it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError

COLUMNS = ("id", "site", "label", "part")
MAX_BYTES = 1024**3


@dataclass(frozen=True, slots=True)
class Place:
    """What the table says of one record; ``None``: nothing."""

    site: str | None = None
    label: str | None = None
    part: str | None = None


NOWHERE = Place()


def read_places(path: Path) -> dict[str, Place]:
    """Read a table, by record id.

    Raises:
        MissingDataError: there is no such file.
        InputTooLargeError: more than 1 GiB.
        InvalidInputError: not UTF-8, no column ``id``, an unknown column, a row of another width, an id twice; names
            the line, never its content.
    """
    if not path.is_file():
        raise MissingDataError(f"there is no table {path}")
    if path.stat().st_size > MAX_BYTES:
        raise InputTooLargeError(f"{path.name}: at most {MAX_BYTES} bytes")
    places: dict[str, Place] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            header = lines.readline().rstrip("\r\n").split("\t")
            if "id" not in header or len(set(header)) < len(header) or not set(header) <= set(COLUMNS):
                raise InvalidInputError(
                    f"{path.name}:1: expected tab-separated columns id and any of {', '.join(COLUMNS[1:])}"
                )
            for number, line in enumerate(lines, 2):
                cells = line.rstrip("\r\n").split("\t")
                if cells == [""]:
                    continue
                if len(cells) != len(header):
                    raise InvalidInputError(
                        f"{path.name}:{number}: expected {len(header)} cells, got {len(cells)}"
                    )
                row = {column: cell or None for column, cell in zip(header, cells, strict=True)}
                name = row.pop("id")
                if name is None or name in places:
                    raise InvalidInputError(f"{path.name}:{number}: expected an id, each once")
                places[name] = Place(**row)
    except UnicodeDecodeError:
        raise InvalidInputError(f"{path.name}: expected UTF-8") from None
    return places


def write_places(places: Mapping[str, Place], path: Path) -> None:
    """Write a table, whole or not at all.

    Raises:
        InvalidInputError: a tab or a line break in an id, site, label or part.
    """
    new = path.with_name(f".{path.name}.new")
    with new.open("w", encoding="utf-8", newline="\n") as out:
        out.write("\t".join(COLUMNS) + "\n")
        for name, place in places.items():
            cells = (name, place.site or "", place.label or "", place.part or "")
            if any(mark in cell for cell in cells for mark in "\t\r\n"):
                new.unlink()
                raise InvalidInputError(
                    "a tab or a line break in an id, site, label or part cannot stand in the table"
                )
            out.write("\t".join(cells) + "\n")
    os.replace(new, path)
