"""A thin reader of HL7 FHIR R4 Bundles (https://hl7.org/fhir/R4/bundle.html) into a Record.

Reads Patient, Observation (with components), Condition, AllergyIntolerance, MedicationStatement,
MedicationRequest, Procedure and DiagnosticReport; other resources are passed over. Every element is
checked for its type; a wrong one is an error that names its path. No reference leaves the bundle.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from typing import Any, Literal

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.types import Code, Event, Patient, Record

MAX_ENTRIES = 50_000
SYSTEMS = {
    "http://loinc.org": "loinc",
    "http://snomed.info/sct": "snomedct",
    "http://hl7.org/fhir/sid/icd-10": "icd10-who",
    "http://hl7.org/fhir/sid/icd-10-cm": "icd10-cm",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "rxnorm",
}
INACTIVE = {"inactive", "remission", "resolved"}
REFUTED = {"refuted", "entered-in-error"}
NO_ALLERGY = {
    Code("snomedct", value) for value in ("716186003", "409137002", "429625007", "428607008", "428197003")
}
"""No known allergy; no known drug, food, environmental or insect allergy."""
NO_DRUG_ALLERGY = {Code("snomedct", "716186003"), Code("snomedct", "409137002")}


def record_from_bundle(bundle: Any, *, today: date | None = None) -> Record:
    """Read one patient's bundle.

    Args:
        bundle: decoded JSON of a Bundle resource.
        today: reference date for the age; ``None`` takes the newest date in the bundle.

    Raises:
        InvalidInputError: not a Bundle, more than one patient, or an element of a wrong type.
        InputTooLargeError: more than 50,000 entries.
    """
    root = _object(bundle, "Bundle")
    if root.get("resourceType") != "Bundle":
        raise InvalidInputError(f"expected a FHIR Bundle, got resourceType {root.get('resourceType')!r}")
    entries = _list(root.get("entry", []), "Bundle.entry")
    if len(entries) > MAX_ENTRIES:
        raise InputTooLargeError(f"Bundle.entry: at most {MAX_ENTRIES} entries, got {len(entries)}")
    resources = []
    for number, entry in enumerate(entries):
        at = f"Bundle.entry[{number}]"
        resource = _object(_object(entry, at).get("resource", {}), f"{at}.resource")
        resources.append((f"{at}.resource", resource))
    patients = [(at, item) for at, item in resources if item.get("resourceType") == "Patient"]
    if len(patients) > 1:
        raise InvalidInputError(f"expected one Patient in the bundle, got {len(patients)}: split the bundle")
    events = [event for at, item in resources for event in _events(at, item)]
    text = "\n".join(
        _string(item["conclusion"], f"{at}.conclusion")
        for at, item in resources
        if item.get("resourceType") == "DiagnosticReport" and item.get("conclusion") is not None
    )
    newest = max((event.time[:10] for event in events if event.time), default=None)
    reference = today or (_date(newest, "newest date") if newest else None)
    subject = None
    age: float | None = None
    sex: Literal["male", "female"] | None = None
    if patients:
        at, item = patients[0]
        subject = _string(item["id"], f"{at}.id") if "id" in item else None
        gender = item.get("gender")
        if gender is not None and gender not in ("male", "female", "other", "unknown"):
            raise InvalidInputError(f"{at}.gender: expected male, female, other or unknown")
        sex = gender if gender in ("male", "female") else None
        if item.get("birthDate") is not None and reference is not None:
            born = _date(_string(item["birthDate"], f"{at}.birthDate"), f"{at}.birthDate")
            age = (reference - born).days / 365.25
            if not 0 <= age <= 130:
                raise InvalidInputError(f"{at}.birthDate: the age at {reference} is not possible")
    stated = [event.code for event in events if event.kind == "allergy"]
    allergies = tuple(code.display for code in stated if code not in NO_ALLERGY)
    none_known = not allergies and any(code in NO_DRUG_ALLERGY for code in stated)
    drugs = tuple(event.code.display for event in events if event.kind == "medication")
    patient = Patient(
        age=age, sex=sex, allergies=allergies or (() if none_known else None), drugs=drugs or None
    )
    return Record(id=str(root.get("id") or subject or "bundle"), subject=subject, text=text, patient=patient,
                  events=tuple(events))  # fmt: skip


def _events(at: str, item: dict[str, Any]) -> Iterator[Event]:
    kind = item.get("resourceType")
    if kind == "Observation":
        yield from _observation(at, item)
    elif kind == "Condition":
        status = _status(item.get("clinicalStatus"), f"{at}.clinicalStatus")
        verified = _status(item.get("verificationStatus"), f"{at}.verificationStatus")
        if verified not in REFUTED:
            time = item.get("onsetDateTime") or item.get("recordedDate")
            yield Event(
                _code(item.get("code"), f"{at}.code"), time=_time(time, at), kind="condition", status=status
            )
    elif kind == "AllergyIntolerance":
        if _status(item.get("clinicalStatus"), f"{at}.clinicalStatus") not in INACTIVE:
            yield Event(_code(item.get("code"), f"{at}.code"), kind="allergy")
    elif kind in ("MedicationStatement", "MedicationRequest"):
        if item.get("status") == "active" and "medicationCodeableConcept" in item:
            path = f"{at}.medicationCodeableConcept"
            time = item.get("authoredOn") or item.get("effectiveDateTime")
            yield Event(
                _code(item["medicationCodeableConcept"], path), time=_time(time, at), kind="medication"
            )
    elif kind == "Procedure" and item.get("status") == "completed":
        yield Event(
            _code(item.get("code"), f"{at}.code"),
            time=_time(item.get("performedDateTime"), at),
            kind="procedure",
        )


def _observation(at: str, item: dict[str, Any]) -> Iterator[Event]:
    if item.get("status") in ("entered-in-error", "cancelled"):
        return
    time = _time(item.get("effectiveDateTime") or item.get("issued"), at)
    parts = [(at, item)]
    for number, part in enumerate(_list(item.get("component", []), f"{at}.component")):
        path = f"{at}.component[{number}]"
        parts.append((path, _object(part, path)))
    for path, part in parts:
        value: float | str | None = None
        unit: str | None = None
        if "valueQuantity" in part:
            quantity = _object(part["valueQuantity"], f"{path}.valueQuantity")
            value = _number(quantity.get("value"), f"{path}.valueQuantity.value")
            raw = quantity.get("unit") or quantity.get("code")
            unit = _string(raw, f"{path}.valueQuantity.unit") if raw is not None else None
        elif "valueCodeableConcept" in part:
            value = _code(part["valueCodeableConcept"], f"{path}.valueCodeableConcept").display
        elif "valueString" in part:
            value = _string(part["valueString"], f"{path}.valueString")
        if value is None:
            continue
        low = high = None
        ranges = _list(part.get("referenceRange", []), f"{path}.referenceRange")
        if ranges:
            limits = _object(ranges[0], f"{path}.referenceRange[0]")
            low = _limit(limits.get("low"), f"{path}.referenceRange[0].low")
            high = _limit(limits.get("high"), f"{path}.referenceRange[0].high")
        yield Event(_code(part.get("code"), f"{path}.code"), value, unit, time, low, high)


def _code(value: Any, at: str) -> Code:
    concept = _object(value, at)
    text = _string(concept["text"], f"{at}.text") if concept.get("text") is not None else ""
    codings = [_object(item, f"{at}.coding") for item in _list(concept.get("coding", []), f"{at}.coding")]
    for coding in codings:
        system = SYSTEMS.get(str(coding.get("system")))
        if system and isinstance(coding.get("code"), str):
            return Code(system, coding["code"], str(coding.get("display") or text))
    if codings and isinstance(codings[0].get("code"), str):
        return Code(
            str(codings[0].get("system") or ""),
            codings[0]["code"],
            text or str(codings[0].get("display") or ""),
        )
    if not text:
        raise InvalidInputError(f"{at}: expected a coding or a text, got neither")
    return Code("text", text, text)


def _status(value: Any, at: str) -> str | None:
    if value is None:
        return None
    codings = _list(_object(value, at).get("coding", []), f"{at}.coding")
    return str(_object(codings[0], f"{at}.coding[0]").get("code")) if codings else None


def _limit(value: Any, at: str) -> float | None:
    return None if value is None else _number(_object(value, at).get("value"), f"{at}.value")


def _time(value: Any, at: str) -> str | None:
    if value is None:
        return None
    text = _string(value, f"{at} date")
    _date(text[:10], f"{at} date")
    return text


def _date(text: str, at: str) -> date:
    try:
        # FHIR dates may be partial: a year or a year and month.
        return date.fromisoformat((text + "-01-01")[:10] if len(text) == 4 else (text + "-01")[:10])
    except ValueError:
        raise InvalidInputError(f"{at}: expected a date such as 2024-05-31") from None


def _object(value: Any, at: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInputError(f"{at}: expected an object, got {type(value).__name__}")
    return value


def _list(value: Any, at: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidInputError(f"{at}: expected a list, got {type(value).__name__}")
    return value


def _string(value: Any, at: str) -> str:
    if not isinstance(value, str):
        raise InvalidInputError(f"{at}: expected a string, got {type(value).__name__}")
    return value


def _number(value: Any, at: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInputError(f"{at}: expected a number, got {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidInputError(f"{at}: expected a finite number")
    return number
