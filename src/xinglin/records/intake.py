"""A file or a decoded JSON object -> Record: FHIR R4 Bundle, or our own JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.records.decode import decode_json
from xinglin.records.fhir import record_from_bundle
from xinglin.types import Code, Event, Patient, Record

MAX_BYTES = 32 * 1024 * 1024


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class PatientJson(_Strict):
    """Header of our own JSON; every field may be left out, and what is left out stays unknown."""

    age: float | None = Field(None, ge=0, le=130, description="years")
    sex: Literal["male", "female"] | None = None
    pregnant: bool | None = None
    gestation_weeks: float | None = Field(None, ge=0, le=45)
    lactating: bool | None = None
    allergies: list[str] | None = Field(None, max_length=100)
    drugs: list[str] | None = Field(None, max_length=200)
    egfr: float | None = Field(None, ge=0, le=250, description="mL/min/1.73 m2")

    def noun(self) -> Patient:
        """Return the frozen noun."""
        values = self.model_dump()
        for name in ("allergies", "drugs"):
            values[name] = tuple(values[name]) if values[name] is not None else None
        return Patient(**values)


class MeasurementJson(_Strict):
    """One vital sign or laboratory value."""

    name: str = Field(max_length=200)
    value: float | str
    unit: str | None = Field(None, max_length=40)
    time: str | None = Field(None, max_length=40)
    low: float | None = None
    high: float | None = None


class FindingJson(_Strict):
    """One finding by name, present unless said otherwise."""

    name: str = Field(max_length=200)
    state: Literal["present", "absent", "unknown"] = "present"


class RecordJson(_Strict):
    """Our own JSON record."""

    id: str = Field("record", max_length=200)
    text: str = Field("", max_length=20_000)
    patient: PatientJson = PatientJson()
    findings: list[FindingJson] = Field(default_factory=list, max_length=2000)
    vitals: list[MeasurementJson] = Field(default_factory=list, max_length=2000)
    labs: list[MeasurementJson] = Field(default_factory=list, max_length=5000)


def read_record(path: Path) -> Record:
    """Read a record file.

    Raises:
        MissingDataError: there is no such file.
        InputTooLargeError: larger than 32 MiB.
        InvalidInputError: not UTF-8, not JSON, or neither format; names the offending element.
    """
    if not path.is_file():
        raise MissingDataError(f"there is no record file {path}")
    if path.stat().st_size > MAX_BYTES:
        raise InputTooLargeError(
            f"{path.name}: at most {MAX_BYTES // 2**20} MiB, got {path.stat().st_size} bytes"
        )
    return record_from_json(decode_json(path.read_bytes(), path.name))


def record_from_json(decoded: Any) -> Record:
    """Turn decoded JSON into a Record: a FHIR Bundle by its ``resourceType``, else our own format.

    Raises:
        InvalidInputError: neither; names the offending element.
    """
    if isinstance(decoded, dict) and "resourceType" in decoded:
        return record_from_bundle(decoded)
    try:
        parsed = RecordJson.model_validate(decoded)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "record"
        raise InvalidInputError(f"{place}: {first['msg']}") from None
    events = [
        Event(Code("text", item.name, item.name), item.value, item.unit, item.time, item.low, item.high)
        for item in (*parsed.vitals, *parsed.labs)
    ]
    events += [
        Event(Code("text", item.name, item.name), kind="finding", status=item.state)
        for item in parsed.findings
    ]
    return Record(id=parsed.id, text=parsed.text, patient=parsed.patient.noun(), events=tuple(events))
