"""A record, and a row of JSON, without identifiers."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from xinglin.errors import ConfigurationError, InvalidInputError
from xinglin.records.deidentify import Vault, deidentifier, deidentify
from xinglin.records.deidentify.record import derived_key
from xinglin.records.deidentify.rows import deidentify_row
from xinglin.records.deidentify.shift import shift_days
from xinglin.store.key_files import write_key_file
from xinglin.types import Code, Event, Finding, Patient, Record, Volume

KEY = b"d" * 32
TEXT = "患者王秀兰,于2023年5月3日入院,诉胸痛3天。"
RECORD = Record(
    id="ZY2023001",
    subject="P-778",
    text=TEXT,
    patient=Patient(age=93, sex="female", allergies=("青霉素",), drugs=("李建国医生开的阿司匹林",)),
    events=(
        Event(
            Code("loinc", "2345-7", "Glucose"),
            8.6,
            "mmol/L",
            time="2023-05-04T08:00:00+08:00",
            low=3.9,
            high=6.1,
        ),
        Event(Code("text", "随访", "随访"), "电话13800138000联系其子王强", time="2023-05-20"),
        Event(Code("icd10-who", "I20", "心绞痛"), kind="condition", time="2019", status="active"),
    ),
    findings=(
        Finding(
            Code("xinglin", "chest-pain"),
            "present",
            time="P3D",
            span=(TEXT.index("胸痛"), TEXT.index("胸痛") + 2),
        ),
        Finding(Code("xinglin", "x"), "present", span=(0, 5)),
    ),
    volumes=(
        Volume("/data/王秀兰/ct.nii.gz", ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)), "CT"),
    ),
)


def test_a_record_holds_no_identifier_and_keeps_its_medicine() -> None:
    new = deidentify(RECORD, key=KEY)
    days = timedelta(days=shift_days(derived_key(KEY, "P-778")))
    shown = repr(new)
    for original in (
        "王秀兰",
        "王强",
        "李建国",
        "13800138000",
        "P-778",
        "ZY2023001",
        "2023-05-04",
        "2023年5月3日",
    ):
        assert original not in shown
    assert new.id.startswith("R-")
    assert new.subject is not None
    assert new.subject.startswith("S-")
    assert new.patient.age == 90
    assert new.patient.sex == "female"
    assert new.patient.allergies == ("青霉素",)
    glucose, call, angina = new.events
    assert (glucose.code, glucose.value, glucose.low, glucose.high) == (RECORD.events[0].code, 8.6, 3.9, 6.1)
    assert glucose.time == f"{date(2023, 5, 4) + days}T08:00:00+08:00"
    assert call.time == str(date(2023, 5, 20) + days)
    assert angina.time == "2019"
    pain, hidden = new.findings
    assert pain.span is not None
    assert new.text[pain.span[0] : pain.span[1]] == "胸痛"
    assert pain.time == "P3D"
    assert hidden.span is None
    assert new.volumes == ()


def test_the_same_subject_is_the_same_person_and_another_is_not() -> None:
    transform = deidentifier(KEY)
    first, again = transform(RECORD), transform(Record(id="other", subject="P-778"))
    assert first.subject == again.subject
    assert first.id != again.id
    assert transform(Record(id="other", subject="P-779")).subject != first.subject
    assert deidentifier(b"e" * 32)(RECORD).subject != first.subject
    assert transform(Record(id="a", subject=None)).subject is None
    assert transform(RECORD) == first


def test_a_volume_stays_only_under_a_new_name() -> None:
    new = deidentify(RECORD, key=KEY, volumes={"/data/王秀兰/ct.nii.gz": "ab12.nii.gz"})
    assert [volume.path for volume in new.volumes] == ["ab12.nii.gz"]


def test_ages_up_to_89_and_none_stay() -> None:
    assert deidentify(Record("a", patient=Patient(age=89.5)), key=KEY).patient.age == 89.5
    assert deidentify(Record("a"), key=KEY).patient == Patient()
    with pytest.raises(ConfigurationError, match="at least 16"):
        deidentifier(b"short")


def test_a_row_is_read_by_its_field_names(tmp_path: Path) -> None:
    row = {
        "patient_id": 778,
        "name": "阿依古丽",
        "age": 95,
        "note": "阿依古丽无压痛,2023-05-03复查,手机13800138000",
        "phone": 13800138000,
        "labs": [{"name": "白细胞", "value": 12.3, "time": "2023-05-04"}],
        "count": 12,
        "ok": True,
        "nothing": None,
    }
    write_key_file(tmp_path / "key")
    with Vault.open(tmp_path / "vault", key_file=tmp_path / "key") as vault:
        new = deidentify_row(row, key=vault, subject="778")
    shown = json.dumps(new, ensure_ascii=False)
    for original in ("阿依古丽", "13800138000", "2023-05-03", "2023-05-04"):
        assert original not in shown
    assert new["patient_id"].startswith("S-")
    assert new["age"] == 90
    assert new["labs"][0]["value"] == 12.3
    assert new["labs"][0]["name"] == "白细胞"
    assert (new["count"], new["ok"], new["nothing"]) == (12, True, None)
    assert set(new) == set(row)


def test_a_row_nested_without_end_is_refused() -> None:
    deep: dict[str, object] = {}
    at = deep
    for _ in range(200):
        at["a"] = {}
        at = at["a"]  # type: ignore[assignment]
    with pytest.raises(InvalidInputError, match="deep"):
        deidentify_row(deep, key=KEY, subject="x")
