"""FHIR R4B and R5 Bundles: checked by ``fhir.resources``, then said in R4's words for the thin reader.

Source of the renamed elements: the models of ``fhir.resources`` 8 (generated from the R5 definitions) and HL7's own
maps R5 -> R4 (https://www.hl7.org/fhir/extensions/1.0.0/conversions-MedicationRequest.html): ``medication[x]`` became
the CodeableReference ``medication``, ``Procedure.performed[x]`` became ``occurrence[x]``. A MedicationStatement of R5
is only ``recorded``; that the drug is taken says its ``adherence``, so only ``taking`` counts as R4's ``active``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Literal

from xinglin.errors import InvalidInputError, MissingExtraError
from xinglin.records.fhir import MAX_ENTRIES, record_from_bundle
from xinglin.types import Record

Version = Literal["R4", "R4B", "R5"]


def record_of_version(bundle: dict[str, Any], version: Version) -> Record:
    """Read one patient's Bundle of FHIR R4B or R5.

    Raises:
        InvalidInputError: not a valid Bundle of this version; names the element.
        InputTooLargeError: more than 50,000 entries.
        MissingExtraError: ``fhir.resources`` is not installed.
    """
    if bundle.get("resourceType") != "Bundle":
        raise InvalidInputError("expected a FHIR Bundle")
    entries = bundle.get("entry")
    if not isinstance(entries, list) or len(entries) <= MAX_ENTRIES:
        _validate(bundle, version)
    return record_from_bundle(_as_r4(bundle) if version == "R5" else bundle)


def _validate(bundle: dict[str, Any], version: Version) -> None:
    try:
        from pydantic import ValidationError

        module = "fhir.resources.bundle" if version == "R5" else "fhir.resources.R4B.bundle"
        schema = import_module(module).Bundle
    except ModuleNotFoundError as error:
        raise MissingExtraError("Reading FHIR R4B and R5", "records") from error
    try:
        schema.model_validate(bundle)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        at = ".".join(str(part) for part in first["loc"])
        # The library's message may hold the value; its type does not.
        raise InvalidInputError(
            f"not a valid FHIR {version} Bundle: Bundle.{at[:200]} ({first['type']})"
        ) from None
    except RecursionError:
        raise InvalidInputError(f"not a valid FHIR {version} Bundle: nested too deeply") from None


def _as_r4(bundle: dict[str, Any]) -> dict[str, Any]:
    entries = bundle.get("entry")
    if not isinstance(entries, list):
        return bundle
    return bundle | {"entry": [_entry_as_r4(entry) for entry in entries]}


def _entry_as_r4(entry: Any) -> Any:
    if not isinstance(entry, dict) or not isinstance(entry.get("resource"), dict):
        return entry
    resource = dict(entry["resource"])
    kind = resource.get("resourceType")
    if kind in ("MedicationRequest", "MedicationStatement"):
        medication = resource.pop("medication", None)
        if isinstance(medication, dict) and isinstance(medication.get("concept"), dict):
            resource["medicationCodeableConcept"] = medication["concept"]
        if kind == "MedicationStatement" and resource.get("status") == "recorded" and _taking(resource):
            resource["status"] = "active"
    elif kind == "Procedure" and "occurrenceDateTime" in resource:
        resource["performedDateTime"] = resource["occurrenceDateTime"]
    return entry | {"resource": resource}


def _taking(resource: dict[str, Any]) -> bool:
    adherence = resource.get("adherence")
    code = adherence.get("code") if isinstance(adherence, dict) else None
    codings = code.get("coding") if isinstance(code, dict) else None
    return isinstance(codings, list) and any(
        isinstance(coding, dict) and coding.get("code") == "taking" for coding in codings
    )
