"""JSON lines, plain or gzipped: our own JSON, FHIR R4 Bundles, the archive's own lines, or any objects with a mapping."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

from xinglin.errors import InvalidInputError, XinglinError
from xinglin.records.codec import record_from_stored
from xinglin.records.decode import decode_json
from xinglin.records.intake import record_from_json
from xinglin.records.lines import encoding_of, lines
from xinglin.records.mapping import Mapping
from xinglin.records.readers.protocol import MAX_RECORD, AtPath, Item, Unit, files
from xinglin.records.rows import Cell, record_from_row
from xinglin.types import Record

SUFFIXES = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")


@dataclass(frozen=True, slots=True)
class JsonLines(AtPath):
    """One object a line; a line that cannot be read is a problem of its own."""

    mapping: Mapping | None = None
    stored: bool = False
    """The lines are what ``xinglin records read`` wrote."""
    resumes: ClassVar[bool] = True

    @property
    def settings(self) -> str:
        """The mapping's digest."""
        return f"{self.stored} {self.mapping.digest() if self.mapping else ''}"

    def units(self) -> Iterator[Unit]:
        """Yield the files."""
        return files(self.path, SUFFIXES)

    def items(self, unit: Unit, start: int) -> Iterator[Item]:
        """Yield the lines that are not blank."""
        for line in json_lines(unit.path, start):
            place = f"line {line.number}"
            try:
                record = self._record(line.value(), f"{unit.name}#{line.number}")
            except XinglinError as error:
                yield Item(place, problem=str(error), encoding=line.encoding)
            else:
                yield Item(place, record, encoding=line.encoding)

    def _record(self, decoded: dict[str, Any], unnamed: str) -> Record:
        if self.mapping is not None:
            return record_from_row(self.mapping, lambda column: _at(decoded, column), unnamed=unnamed)
        if self.stored:
            return record_from_stored(decoded)
        record = record_from_json(decoded)
        # A Bundle of a named patient bears the patient's id; only what says neither is named by its place.
        return record if decoded.get("id") or record.subject else replace(record, id=unnamed)


@dataclass(frozen=True, slots=True)
class JsonLine:
    """One line of a file, not yet decoded."""

    number: int
    """From 1, blank lines counted."""
    content: bytes | None
    """``None``: too long."""
    encoding: str

    def value(self) -> dict[str, Any]:
        """Return the object that stands there.

        Raises:
            InvalidInputError: the line is too long, not of the file's encoding, no strict JSON, or no object.
        """
        line = self.content
        if line is None:
            raise InvalidInputError(f"expected at most {MAX_RECORD // 2**20} MiB in a line")
        if self.encoding != "utf-8":
            try:
                line = line.decode(self.encoding).encode()
            except UnicodeDecodeError as error:
                raise InvalidInputError(
                    f"expected {self.encoding.upper()}, byte {error.start} is not"
                ) from None
        decoded = decode_json(line, "JSON")
        if not isinstance(decoded, dict):
            raise InvalidInputError(f"expected an object a line, got {type(decoded).__name__}")
        return decoded


def json_lines(path: Path, start: int = 0) -> Iterator[JsonLine]:
    """Yield the lines of a file that are not blank, behind the first ``start`` of them.

    Args:
        path: UTF-8 or GB18030, with a mark or not, gzipped or not.
        start: lines to leave out.

    Raises:
        InvalidInputError: neither encoding, or the gzip stream is damaged; lines before the damage have been yielded.
        InputTooLargeError: it expands without measure.
    """
    encoding, mark = encoding_of(path, MAX_RECORD)
    taken = 0
    for number, line in enumerate(lines(path, MAX_RECORD), start=1):
        if line is not None:
            line = line[mark if number == 1 else 0 :]
            if not line or line.isspace():
                continue
        taken += 1
        if taken > start:
            yield JsonLine(number, line, encoding)


def _at(decoded: Any, column: str) -> Cell:
    """The value under a path with dots; the texts of a list are joined by line breaks."""
    found = [decoded]
    for step in column.split("."):
        found = list(chain.from_iterable(item if isinstance(item, list) else [item] for item in found))
        found = [item.get(step) for item in found if isinstance(item, dict)]
    found = list(chain.from_iterable(item if isinstance(item, list) else [item] for item in found))
    found = [item for item in found if item is not None]
    if len(found) > 1:
        if not all(isinstance(item, str) for item in found):
            raise InvalidInputError(f"column {column!r}: expected one value or a list of texts")
        return "\n".join(found)
    return found[0] if found else None
