"""From a value to findings, against ranges and cut-offs worked out by hand from the fixture."""

from __future__ import annotations

import pytest

from xinglin.terms.characters import normalise
from xinglin.terms.interpret import findings_of
from xinglin.terms.quantity import read_quantities
from xinglin.terms.vocabulary import Vocabulary
from xinglin.types import Patient

ADULT = Patient(age=40)


@pytest.mark.parametrize(
    ("text", "patient", "expected"),
    [
        ("血钾 6.8", ADULT, {"血钾升高": "present", "血钾降低": "absent"}),
        ("血钾 4.0", ADULT, {"血钾升高": "absent", "血钾降低": "absent"}),
        ("血钾 2.8", ADULT, {"血钾升高": "absent", "血钾降低": "present"}),
        ("血钾 5.3", ADULT, {"血钾升高": "absent", "血钾降低": "absent"}),
        ("血钾 6.8", Patient(age=3), {"血钾升高": "unknown", "血钾降低": "unknown"}),
        ("血红蛋白 120", Patient(age=40, sex="male"), {"血红蛋白降低": "present", "重度贫血": "absent"}),
        ("血红蛋白 120", Patient(age=40, sex="female"), {"血红蛋白降低": "absent", "重度贫血": "absent"}),
        ("血红蛋白 52", ADULT, {"血红蛋白降低": "present", "重度贫血": "present"}),
        ("白细胞 12", Patient(age=5), {"白细胞升高": "absent", "白细胞减少": "absent"}),
        ("白细胞 12", ADULT, {"白细胞升高": "present", "白细胞减少": "absent"}),
        ("白细胞 20", Patient(), {"白细胞升高": "present", "白细胞减少": "absent"}),
        ("白细胞 12 (3.5-15)", ADULT, {"白细胞升高": "absent", "白细胞减少": "absent"}),
        ("白细胞 8 ↑", ADULT, {"白细胞升高": "present", "白细胞减少": "absent"}),
        ("体温 39.5", Patient(), {"发热": "present", "高热": "present", "低体温": "absent"}),
        ("体温 38", Patient(), {"发热": "present", "高热": "absent", "低体温": "absent"}),
        ("体温 36.5", Patient(), {"发热": "absent", "高热": "absent", "低体温": "absent"}),
        ("HR 130", ADULT, {"心动过速": "present"}),
        ("HR 130", Patient(age=0.3), {"心动过速": "absent"}),
        ("HR 130", Patient(age=8), {}),
        ("SpO2 86%", Patient(), {"低氧血症": "present"}),
        ("GCS 8", Patient(), {"意识障碍": "present", "昏迷": "present"}),
        ("GCS 14", Patient(), {"意识障碍": "present", "昏迷": "absent"}),
        ("肌钙蛋白 <0.01", ADULT, {"肌钙蛋白升高": "absent"}),
        ("肌钙蛋白 <0.1", ADULT, {"肌钙蛋白升高": "unknown"}),
        ("CRP >200", Patient(), {"C反应蛋白升高": "present"}),
        ("CRP >5", Patient(), {"C反应蛋白升高": "unknown"}),
        ("血小板 23", ADULT, {}),
    ],
)
def test_states(text: str, patient: Patient, expected: dict[str, str], vocabulary: Vocabulary) -> None:
    quantities, _ = read_quantities(normalise(text), vocabulary)
    assert len(quantities) == 1
    found, _ = findings_of(quantities[0], patient, vocabulary)
    assert {f.code.display: f.state for f in found} == expected
    assert all(f.value == quantities[0].value for f in found)


def test_adult_ranges_are_assumed_only_aloud(vocabulary: Vocabulary) -> None:
    quantities, _ = read_quantities("hr 130", vocabulary)
    found, problem = findings_of(quantities[0], Patient(), vocabulary)
    assert [f.state for f in found] == ["present"]
    assert problem is not None
    assert problem.kind == "assumption"


def test_adult_ranges_are_not_assumed_of_a_child(vocabulary: Vocabulary) -> None:
    quantities, _ = read_quantities("hr 130", vocabulary)
    found, problem = findings_of(quantities[0], Patient(), vocabulary, child=True)
    assert [f.state for f in found] == ["unknown"]
    assert problem is None
