"""FHIR bulk export: NDJSON files of one resource a line, brought together by patient.

Source: FHIR Bulk Data Access (https://hl7.org/fhir/uv/bulkdata/export.html). A resource belongs to the patient
that its ``subject`` or ``patient`` refers to; what refers to none (Organization, Practitioner) is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from xinglin.errors import InputTooLargeError, InvalidInputError, XinglinError
from xinglin.records.decode import decode_json
from xinglin.records.fhir import MAX_ENTRIES, record_from_bundle
from xinglin.records.grouping import Groups, Row, grouping
from xinglin.records.lines import lines
from xinglin.records.readers.jsonl import SUFFIXES
from xinglin.records.readers.protocol import MAX_RECORD, AtPath, Item, Unit, files, whole
from xinglin.types import Record

MAX_PATIENT = 256 * 1024 * 1024
"""Bytes of one patient's resources."""


@dataclass(frozen=True, slots=True)
class FhirBulk(AtPath):
    """A folder (or a file) of NDJSON; the whole export is one unit, since a patient's lines lie in many files."""

    resumes: ClassVar[bool] = True

    @property
    def settings(self) -> str:
        """Nothing to set."""
        return ""

    def units(self) -> Iterator[Unit]:
        """Yield the export."""
        return whole(self.path, files(self.path, SUFFIXES))

    def items(self, unit: Unit, start: int) -> Iterator[Item]:
        """Yield first what is broken, by file and line, then a record a patient in the order of their ids."""
        taken = 0
        with grouping() as groups:
            for problem in self._gather(groups):
                taken += 1
                if taken > start:
                    yield problem
            groups.seal()
            for key in groups.keys(max(0, start - taken)):
                place = f"Patient/{key}"
                try:
                    yield Item(place, _record(groups, key))
                except XinglinError as error:
                    yield Item(place, problem=str(error))

    def _gather(self, groups: Groups) -> Iterator[Item]:
        for file in files(self.path, SUFFIXES):
            waiting: list[Row] = []
            number = 0
            try:
                for number, line in enumerate(lines(file.path, MAX_RECORD), start=1):
                    if line is not None and (not line or line.isspace()):
                        continue
                    try:
                        found = _patient(line)
                    except XinglinError as error:
                        yield Item(f"{file.name} line {number}", problem=str(error))
                        continue
                    if found and line is not None:
                        waiting.append((found[0], found[1], line))
                    if len(waiting) == 1000:
                        groups.add(waiting)
                        waiting = []
            except XinglinError as error:
                yield Item(f"{file.name} after line {number}", problem=str(error))
            groups.add(waiting)


def _patient(line: bytes | None) -> tuple[str, str] | None:
    """The id of the patient that a resource is about, and its type."""
    if line is None:
        raise InputTooLargeError(f"expected at most {MAX_RECORD // 2**20} MiB in a line")
    resource = decode_json(line, "JSON")
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        raise InvalidInputError("expected a FHIR resource, it has no resourceType")
    kind = resource["resourceType"]
    if kind == "Bundle":
        raise InvalidInputError("expected one resource a line, got a Bundle: use --format jsonl")
    if kind == "Patient":
        found = resource.get("id")
        if not isinstance(found, str) or not found:
            raise InvalidInputError("Patient.id: expected a text, it is absent")
        return found, kind
    about: Any = resource.get("subject") or resource.get("patient")
    reference = about.get("reference") if isinstance(about, dict) else None
    if not isinstance(reference, str):
        return None
    parts = reference.split("/")
    return (parts[-1], kind) if len(parts) > 1 and parts[-2] == "Patient" and parts[-1] else None


def _record(groups: Groups, key: str) -> Record:
    entries: list[dict[str, Any]] = []
    size = 0
    for _, line in groups.of(key):
        size += len(line)
        if len(entries) == MAX_ENTRIES or size > MAX_PATIENT:
            raise InputTooLargeError(
                f"a patient: at most {MAX_ENTRIES:,} resources and {MAX_PATIENT // 2**20} MiB; take in fewer years"
            )
        entries.append({"resource": json.loads(line.decode("utf-8-sig"))})
    record = record_from_bundle({"resourceType": "Bundle", "id": key, "entry": entries})
    return record if record.subject else replace(record, subject=key)
