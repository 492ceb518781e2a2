"""FHIR R4 bundles -> Record: what is read, what is passed over, and no surprise on damaged input."""

from __future__ import annotations

import gzip
import json
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.errors import InputTooLargeError, InvalidInputError, XinglinError
from xinglin.records import fhir, record_from_bundle
from xinglin.types import Code, Record

SNOMED, LOINC = "http://snomed.info/sct", "http://loinc.org"


def concept(text: str = "", code: str = "", system: str = SNOMED) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": text}]} if code else {"text": text}


PATIENT = {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1980-05"}
GLUCOSE = {
    "resourceType": "Observation",
    "status": "final",
    "code": concept("Glucose", "2345-7", LOINC),
    "valueQuantity": {"value": 11.2, "unit": "mmol/L"},
    "referenceRange": [{"low": {"value": 3.9}, "high": {"value": 6.1}}],
    "effectiveDateTime": "2024-05-31T08:00:00+08:00",
}
PRESSURE = {
    "resourceType": "Observation",
    "status": "final",
    "code": concept("Blood pressure", "85354-9", LOINC),
    "component": [
        {"code": concept("Systolic", "8480-6", LOINC), "valueQuantity": {"value": 120, "code": "mm[Hg]"}},
        {"code": concept("Diastolic", "8462-4", LOINC), "valueQuantity": {"value": 80, "unit": "mmHg"}},
    ],
    "issued": "2023-01-01",
}
SMOKING = {
    "resourceType": "Observation",
    "status": "final",
    "code": concept("Tobacco smoking status", "72166-2", LOINC),
    "valueCodeableConcept": concept("Never smoker", "266919005"),
}
CONDITION = {
    "resourceType": "Condition",
    "clinicalStatus": {"coding": [{"code": "active"}]},
    "verificationStatus": {"coding": [{"code": "confirmed"}]},
    "code": {**concept("Diabetes mellitus", "44054006"), "text": "2型糖尿病"},
    "onsetDateTime": "2019",
}
ALLERGY = {"resourceType": "AllergyIntolerance", "code": concept("Penicillin", "91936005")}
MEDICINE = {
    "resourceType": "MedicationRequest",
    "status": "active",
    "medicationCodeableConcept": concept("Metformin"),
    "authoredOn": "2024-01-01",
}
OPERATION = {
    "resourceType": "Procedure",
    "status": "completed",
    "code": concept("Appendectomy", "80146002"),
    "performedDateTime": "2010-02-03",
}
REPORT = {"resourceType": "DiagnosticReport", "conclusion": "双肺纹理增粗"}
ALL = [PATIENT, GLUCOSE, PRESSURE, SMOKING, CONDITION, ALLERGY, MEDICINE, OPERATION, REPORT]


def bundle(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "entry": [{"resource": item} for item in resources], **more}


def read(*resources: dict[str, Any], **more: Any) -> Record:
    return record_from_bundle(bundle(*resources, **more))


def test_everything_it_reads() -> None:
    record = read(*ALL, {"resourceType": "Encounter", "anything": 5}, id="b1")
    assert record.id == "b1"
    assert record.subject == "p1"
    assert record.text == "双肺纹理增粗"
    assert record.patient.sex == "female"
    assert record.patient.age == pytest.approx(44.08, abs=0.01)
    assert record.patient.allergies == ("Penicillin",)
    assert record.patient.drugs == ("Metformin",)
    assert record.patient.pregnant is None
    by_name = {event.code.display: event for event in record.events}
    assert len(record.events) == 8
    glucose = by_name["Glucose"]
    assert (glucose.code.system, glucose.code.value) == ("loinc", "2345-7")
    assert (glucose.value, glucose.unit, glucose.low, glucose.high) == (11.2, "mmol/L", 3.9, 6.1)
    assert glucose.time == "2024-05-31T08:00:00+08:00"
    assert (by_name["Systolic"].value, by_name["Systolic"].unit) == (120, "mm[Hg]")
    assert by_name["Systolic"].time == "2023-01-01"
    assert by_name["Tobacco smoking status"].value == "Never smoker"
    assert by_name["Diabetes mellitus"].kind == "condition"
    assert by_name["Diabetes mellitus"].status == "active"
    assert by_name["Appendectomy"].kind == "procedure"


def test_what_is_missing_stays_missing() -> None:
    record = read({"resourceType": "Patient"})
    assert record.patient == type(record.patient)()
    assert record.events == ()
    assert read().id == "bundle"
    # An age needs a date to count to: today is not assumed.
    assert read({"resourceType": "Patient", "birthDate": "1980-01-01"}).patient.age is None
    told = record_from_bundle(bundle(PATIENT), today=date(2000, 5, 1))
    assert told.patient.age == pytest.approx(20, abs=0.01)
    assert read({**PATIENT, "gender": "other"}).patient.sex is None


@pytest.mark.parametrize(
    ("resource", "kept"),
    [
        ({**GLUCOSE, "status": "entered-in-error"}, 0),
        ({**GLUCOSE, "status": "cancelled"}, 0),
        ({k: v for k, v in GLUCOSE.items() if k != "valueQuantity"}, 0),
        ({**CONDITION, "verificationStatus": {"coding": [{"code": "refuted"}]}}, 0),
        ({**CONDITION, "clinicalStatus": {"coding": [{"code": "resolved"}]}}, 1),
        ({**ALLERGY, "clinicalStatus": {"coding": [{"code": "resolved"}]}}, 0),
        ({**MEDICINE, "status": "stopped"}, 0),
        ({**OPERATION, "status": "not-done"}, 0),
    ],
)
def test_what_is_withdrawn_is_passed_over(resource: dict[str, Any], kept: int) -> None:
    assert len(read(resource).events) == kept


@pytest.mark.parametrize(
    ("codes", "allergies"),
    [
        (["716186003"], ()),
        (["409137002"], ()),
        (["429625007"], None),
        (["716186003", "91936005"], ("x91936005",)),
        ([], None),
    ],
)
def test_a_stated_none_is_not_an_allergen(codes: list[str], allergies: tuple[str, ...] | None) -> None:
    rows = [{"resourceType": "AllergyIntolerance", "code": concept("x" + code, code)} for code in codes]
    assert read(*rows).patient.allergies == allergies


def test_a_code_of_a_system_we_know_wins() -> None:
    coding = [
        {"system": "urn:local", "code": "L1", "display": "local"},
        {"system": SNOMED, "code": "22298006", "display": "Myocardial infarction"},
    ]
    (event,) = read({**CONDITION, "code": {"coding": coding, "text": "心梗"}}).events
    assert event.code == Code("snomedct", "22298006")
    assert event.code.display == "Myocardial infarction"
    (event,) = read({**CONDITION, "code": {"coding": coding[:1], "text": "心梗"}}).events
    assert (event.code.system, event.code.value, event.code.display) == ("urn:local", "L1", "心梗")


WRONG: list[tuple[Any, str]] = [
    (None, "Bundle: expected an object"),
    ([], "Bundle: expected an object"),
    ({}, "expected a FHIR Bundle"),
    ({"resourceType": "Patient"}, "expected a FHIR Bundle"),
    ({"resourceType": "Bundle", "entry": {}}, "Bundle.entry: expected a list"),
    ({"resourceType": "Bundle", "entry": [1]}, r"Bundle.entry\[0\]: expected an object"),
    (bundle(PATIENT, PATIENT), "split the bundle"),
    (bundle({**PATIENT, "gender": "F"}), "gender"),
    (bundle({**PATIENT, "id": 5}), r"Bundle.entry\[0\].resource.id"),
    (bundle({**PATIENT, "birthDate": "1880-01-01"}, GLUCOSE), "not possible"),
    (bundle({**PATIENT, "birthDate": "2030-01-01"}, GLUCOSE), "not possible"),
    (bundle({**GLUCOSE, "valueQuantity": {"value": "11"}}), "valueQuantity.value: expected a number"),
    (bundle({**GLUCOSE, "valueQuantity": {"value": True}}), "expected a number"),
    (bundle({**GLUCOSE, "valueQuantity": {"value": float("nan")}}), "finite"),
    (bundle({**GLUCOSE, "valueQuantity": {"value": 10**400}}), "finite"),
    (bundle({**GLUCOSE, "valueQuantity": {"value": 1, "unit": 5}}), "unit: expected a string"),
    (bundle({**GLUCOSE, "effectiveDateTime": "yesterday"}), "expected a date such as"),
    (bundle({**GLUCOSE, "code": {}}), "expected a coding or a text"),
    (bundle({**PRESSURE, "component": [5]}), r"component\[0\]: expected an object"),
    (bundle({**REPORT, "conclusion": 5}), "conclusion: expected a string"),
]


@pytest.mark.parametrize(("decoded", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_wrong_element_is_named(decoded: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        record_from_bundle(decoded)


def test_too_many_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fhir, "MAX_ENTRIES", 3)
    assert read(GLUCOSE, GLUCOSE, GLUCOSE).events
    with pytest.raises(InputTooLargeError, match="at most 3"):
        read(*[GLUCOSE] * 4)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.just(10**400)
    | st.text(max_size=12)
    | st.sampled_from(
        ["", "2024", "2024-13-01", "\ud800", "\0", "Patient", "Bundle", "active", "9999-12-31"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["code", "coding", "system", "display", "text", "value", "unit", "resourceType"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


PLACES = places(bundle(*ALL))


@given(st.lists(st.tuples(st.sampled_from(PLACES), JSON), min_size=1, max_size=3))
@settings(max_examples=600, deadline=None, database=None, derandomize=True)
def test_any_damage_is_a_record_or_an_error_of_ours(damage: list[tuple[tuple[Any, ...], Any]]) -> None:
    whole: Any = {"root": bundle(*deepcopy(ALL))}
    for path, new in damage:
        at = whole
        try:
            for step in ("root", *path)[:-1]:
                at = at[step]
            at[("root", *path)[-1]] = new
        except (KeyError, IndexError, TypeError):
            continue  # An earlier replacement took this place away.
    try:
        record = record_from_bundle(whole["root"])
    except XinglinError:
        return
    assert isinstance(record, Record)
    hash(record)


def test_every_synthea_bundle(data: Path) -> None:
    path = data / "text" / "synthea_fhir_r4" / "bundles_full.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"no Synthea bundles at {path}")
    seen = 0
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            decoded = json.loads(line)
            record = record_from_bundle(decoded)
            seen += 1
            kinds = {event.kind for event in record.events}
            assert {"observation", "condition"} <= kinds
            assert record.patient.sex in ("male", "female")
            assert record.patient.age is not None
            assert 0 <= record.patient.age <= 130
            numeric = [
                entry["resource"]
                for entry in decoded["entry"]
                if entry["resource"]["resourceType"] == "Observation" and "valueQuantity" in entry["resource"]
            ]
            read_ = sum(isinstance(event.value, float) for event in record.events)
            assert read_ >= len(numeric)
    assert seen >= 5
