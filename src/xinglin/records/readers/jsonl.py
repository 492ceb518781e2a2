"""JSON lines, plain or gzipped: our own JSON, FHIR R4 Bundles, the archive's own lines, or any objects with a mapping."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
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
        encoding, mark = encoding_of(unit.path, MAX_RECORD)
        taken = 0
        for number, line in enumerate(lines(unit.path, MAX_RECORD), start=1):
            if line is not None:
                line = line[mark if number == 1 else 0 :]
                if not line or line.isspace():
                    continue
            taken += 1
            if taken <= start:
                continue
            place = f"line {number}"
            if line is None:
                problem = f"expected at most {MAX_RECORD // 2**20} MiB in a line"
                yield Item(place, problem=problem, encoding=encoding)
                continue
            try:
                record = self._record(line, encoding, f"{unit.name}#{number}")
            except XinglinError as error:
                yield Item(place, problem=str(error), encoding=encoding)
            else:
                yield Item(place, record, encoding=encoding)

    def _record(self, line: bytes, encoding: str, unnamed: str) -> Record:
        if encoding != "utf-8":
            try:
                line = line.decode(encoding).encode()
            except UnicodeDecodeError as error:
                raise InvalidInputError(f"expected {encoding.upper()}, byte {error.start} is not") from None
        decoded = decode_json(line, "JSON")
        if not isinstance(decoded, dict):
            raise InvalidInputError(f"expected an object a line, got {type(decoded).__name__}")
        if self.mapping is not None:
            return record_from_row(self.mapping, lambda column: _at(decoded, column), unnamed=unnamed)
        if self.stored:
            return record_from_stored(decoded)
        record = record_from_json(decoded)
        # A Bundle of a named patient bears the patient's id; only what says neither is named by its place.
        return record if decoded.get("id") or record.subject else replace(record, id=unnamed)


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
