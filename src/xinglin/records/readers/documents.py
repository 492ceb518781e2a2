"""One JSON document a file: a FHIR Bundle (R4, or R4B and R5 checked by ``fhir.resources``) or our own JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.records.decode import decode_json
from xinglin.records.encoding import decode
from xinglin.records.fhir_versions import Version, record_of_version
from xinglin.records.intake import record_from_json
from xinglin.records.readers.protocol import MAX_RECORD, AtPath, Item, Unit, files


@dataclass(frozen=True, slots=True)
class Documents(AtPath):
    """Files of one document each."""

    version: Version = "R4"
    resumes: ClassVar[bool] = True

    @property
    def settings(self) -> str:
        """The FHIR version."""
        return self.version

    def units(self) -> Iterator[Unit]:
        """Yield the files."""
        return files(self.path, (".json",))

    def items(self, unit: Unit, start: int) -> Iterator[Item]:
        """Yield the one record of a file."""
        if start:
            return
        if unit.path.stat().st_size > MAX_RECORD:
            raise InputTooLargeError(f"expected at most {MAX_RECORD // 2**20} MiB in a document")
        text, encoding = decode(unit.path.read_bytes())
        decoded = decode_json(text.encode(), "JSON")
        if not isinstance(decoded, dict):
            raise InvalidInputError(f"expected one object, got {type(decoded).__name__}")
        if self.version != "R4":
            record = record_of_version(decoded, self.version)
        else:
            record = record_from_json(decoded)
        if not (decoded.get("id") or record.subject):
            record = replace(record, id=unit.name.removesuffix(".json"))
        yield Item("", record, encoding=encoding)
