"""FHIR bulk export by patient, R4B and R5 through fhir.resources, and Synthea's bundles into the archive."""

from __future__ import annotations

import gzip
import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.records import fhir_versions, record_from_bundle
from xinglin.records.fhir_versions import record_of_version
from xinglin.records.readers import fhir_bulk
from xinglin.records.readers.detect import detect_format, open_reader
from xinglin.records.readers.documents import Documents
from xinglin.records.readers.fhir_bulk import FhirBulk
from xinglin.records.readers.jsonl import JsonLines
from xinglin.records.readers.protocol import Item
from xinglin.records.run import intake
from xinglin.store import Store
from xinglin.types import Record


def bundles(data: Path) -> list[dict[str, Any]]:
    with gzip.open(
        data / "text" / "synthea_fhir_r4" / "bundles_full.jsonl.gz", "rt", encoding="utf-8"
    ) as lines:
        return [json.loads(line) for line in lines]


def items(path: Path, start: int = 0) -> list[Item]:
    reader = FhirBulk(path)
    return [item for unit in reader.units() for item in reader.items(unit, start)]


def export(folder: Path, patients: list[dict[str, Any]]) -> Path:
    """What a server's bulk export of these bundles looks like: a file a type, references by relative URL."""
    folder.mkdir()
    files: dict[str, list[str]] = {}
    for bundle in patients:
        resources = [entry["resource"] for entry in bundle["entry"]]
        ids = {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]}
        text = json.dumps(resources)
        for url, resource in ids.items():
            text = text.replace(f'"{url}"', f'"{resource["resourceType"]}/{resource["id"]}"')
        for resource in json.loads(text):
            files.setdefault(resource["resourceType"], []).append(json.dumps(resource))
    for kind, lines in files.items():
        (folder / f"{kind}.ndjson").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def comparable(record: Record) -> Any:
    def order(event: Any) -> str:
        return repr((event.time, event.code.system, event.code.value, event.value, event.kind))

    return (
        record.subject,
        record.patient.age,
        record.patient.sex,
        record.text,
        sorted(map(order, record.events)),
    )


def test_a_bulk_export_is_the_same_as_the_bundles(data: Path, tmp_path: Path) -> None:
    whole = bundles(data)
    assert len(whole) == 10
    folder = export(tmp_path / "bulk", whole)
    assert detect_format(folder).form == "fhir-bulk"
    found = {item.place: item for item in items(folder)}
    assert len(found) == 10
    assert sum(len(item.record.events) for item in found.values() if item.record) > 800
    for bundle in whole:
        expected = record_from_bundle(bundle)
        item = found[f"Patient/{expected.subject}"]
        assert item.record is not None, item.problem
        assert comparable(item.record) == comparable(expected)
    assert [item.place for item in items(folder, start=4)] == list(found)[4:]


def test_broken_lines_of_an_export_are_told_by_file_and_line(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = export(tmp_path / "bulk", bundles(data)[:2])
    path = folder / "Condition.ndjson"
    lines = path.read_bytes().splitlines()
    broken = [
        b"{",
        lines[0][:-3],
        b'{"resourceType": "Bundle"}',
        b'{"resourceType": "Patient"}',
        b"[]",
        b"\xff",
    ]
    path.write_bytes(b"\n".join([lines[0], *broken, *lines[1:]]))
    (folder / "Group.ndjson").write_text(
        '{"resourceType": "Group", "subject": {"reference": "Practitioner/1"}}\n'
    )
    found = items(folder)
    assert [item.place for item in found[:6]] == [f"Condition.ndjson line {number}" for number in range(2, 8)]
    assert all(item.problem for item in found[:6])
    assert [item.record is not None for item in found[6:]] == [True, True]
    assert [item.place for item in items(folder, start=6)] == [item.place for item in found[6:]]
    monkeypatch.setattr(fhir_bulk, "MAX_PATIENT", 1000)
    assert all("at most" in str(item.problem) for item in items(folder)[6:])


def test_synthea_bundles_come_into_the_archive(store: Store, data: Path, tmp_path: Path) -> None:
    path = data / "text" / "synthea_fhir_r4" / "bundles_full.jsonl.gz"
    assert detect_format(path).form == "jsonl"
    done = intake(store, JsonLines(path), dataset="synthea", form="jsonl", actor="test")
    assert (done.stored, done.quarantined) == (10, 0)
    folder = tmp_path / "bundles"
    folder.mkdir()
    for number, bundle in enumerate(bundles(data)):
        (folder / f"{number}.json").write_text(
            json.dumps(bundle), encoding="utf-8-sig" if number % 2 else "utf-8"
        )
    (folder / "broken.json").write_text('{"resourceType": "Bundle", "entry": [')
    assert detect_format(folder).form == "json"
    again = intake(store, Documents(folder), dataset="synthea", form="json", actor="test")
    assert (again.stored, again.known, again.quarantined) == (0, 10, 1)


R5: dict[str, Any] = {
    "resourceType": "Bundle",
    "type": "collection",
    "id": "b5",
    "entry": [
        {"resource": {"resourceType": "Patient", "id": "p5", "gender": "male", "birthDate": "1980-05-31"}},
        {
            "resource": {
                "resourceType": "MedicationRequest",
                "status": "active",
                "intent": "order",
                "subject": {"reference": "Patient/p5"},
                "medication": {"concept": {"text": "二甲双胍"}},
                "authoredOn": "2024-05-31",
            }
        },
        {
            "resource": {
                "resourceType": "MedicationStatement",
                "status": "recorded",
                "subject": {"reference": "Patient/p5"},
                "medication": {"concept": {"text": "阿司匹林"}},
                "adherence": {"code": {"coding": [{"code": "taking"}]}},
            }
        },
        {
            "resource": {
                "resourceType": "MedicationStatement",
                "status": "recorded",
                "subject": {"reference": "Patient/p5"},
                "medication": {"concept": {"text": "华法林"}},
            }
        },
        {
            "resource": {
                "resourceType": "Procedure",
                "status": "completed",
                "subject": {"reference": "Patient/p5"},
                "code": {"text": "阑尾切除术"},
                "occurrenceDateTime": "2010-02-03",
            }
        },
        {
            "resource": {
                "resourceType": "Observation",
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]},
                "valueQuantity": {"value": 11.2, "unit": "mmol/L"},
                "effectiveDateTime": "2024-05-31",
            }
        },
    ],
}


def r4b() -> dict[str, Any]:
    bundle = deepcopy(R5)
    request = bundle["entry"][1]["resource"]
    request["medicationCodeableConcept"] = request.pop("medication")["concept"]
    procedure = bundle["entry"][4]["resource"]
    procedure["performedDateTime"] = procedure.pop("occurrenceDateTime")
    bundle["entry"] = [bundle["entry"][n] for n in (0, 1, 4, 5)]
    return bundle


def test_r5_says_the_same_in_other_words() -> None:
    record = record_of_version(R5, "R5")
    # What was only recorded is not known to be taken.
    assert record.patient.drugs == ("二甲双胍", "阿司匹林")
    assert record.patient.age == pytest.approx(44, abs=0.01)
    by_name = {event.code.display or event.code.value: event for event in record.events}
    assert (by_name["阑尾切除术"].kind, by_name["阑尾切除术"].time) == ("procedure", "2010-02-03")
    assert by_name["2345-7"].value == 11.2
    older = record_of_version(r4b(), "R4B")
    assert older.patient.drugs == ("二甲双胍",)
    assert {event.code for event in older.events} < {event.code for event in record.events}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ((0, "gender"), 5, "Bundle.entry.0.resource"),
        ((1, "status"), None, "Bundle.entry.1.resource"),
        ((4, "performedDateTime"), "2010", "Bundle.entry.4.resource"),  # R4's word
        ((5, "valueQuantity"), {"value": "王小明"}, "valueQuantity.value"),
    ],
)
def test_what_is_not_r5_is_named(path: tuple[int, str], value: Any, message: str) -> None:
    bundle = deepcopy(R5)
    resource = bundle["entry"][path[0]]["resource"]
    if value is None:
        del resource[path[1]]
    else:
        resource[path[1]] = value
    with pytest.raises(InvalidInputError, match=message) as caught:
        record_of_version(bundle, "R5")
    assert "王小明" not in str(caught.value)


def test_the_bounds_hold_for_other_versions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="Bundle"):
        record_of_version({"resourceType": "Patient"}, "R5")
    monkeypatch.setattr(fhir_versions, "MAX_ENTRIES", 5)
    monkeypatch.setattr("xinglin.records.fhir.MAX_ENTRIES", 5)
    with pytest.raises(InputTooLargeError):
        record_of_version(R5, "R5")
    path = tmp_path / "x.json"
    path.write_text(json.dumps(r4b()), encoding="utf-8")
    reader = open_reader("fhir-r4b", str(path))
    (unit,) = reader.units()
    (item,) = reader.items(unit, 0)
    assert item.record is not None
    assert item.record.id == "b5"
