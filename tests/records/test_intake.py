"""Files and our own JSON -> Record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.records import decode_json, intake, read_record, record_from_json
from xinglin.types import Patient, Record

WHOLE: dict[str, Any] = {
    "id": "r1",
    "text": "胸痛3天",
    "patient": {"age": 58, "sex": "male", "allergies": [], "drugs": ["阿司匹林"], "egfr": 60.5},
    "findings": [{"name": "大汗"}, {"name": "发热", "state": "absent"}],
    "vitals": [{"name": "收缩压", "value": 75, "unit": "mmHg", "time": "2024-05-31"}],
    "labs": [{"name": "肌钙蛋白", "value": 0.5, "low": 0, "high": 0.04}, {"name": "尿蛋白", "value": "+"}],
}


def test_our_own_json() -> None:
    record = record_from_json(WHOLE)
    assert record.id == "r1"
    assert record.text == "胸痛3天"
    assert record.patient == Patient(age=58, sex="male", allergies=(), drugs=("阿司匹林",), egfr=60.5)
    assert [event.code.display for event in record.events] == ["收缩压", "肌钙蛋白", "尿蛋白", "大汗", "发热"]
    pressure = record.events[0]
    assert (pressure.value, pressure.unit, pressure.time) == (75, "mmHg", "2024-05-31")
    assert record.events[-1].status == "absent"


def test_nothing_stated_is_nothing_known() -> None:
    record = record_from_json({})
    assert record.patient == Patient()
    assert record.events == ()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"name": "x"}, "name"),
        ({"patient": {"age": "58"}}, "patient.age"),
        ({"patient": {"age": -1}}, "patient.age"),
        ({"patient": {"age": float("nan")}}, "patient.age"),
        ({"patient": {"pregnant": 1}}, "patient.pregnant"),
        ({"patient": {"allergies": "none"}}, "patient.allergies"),
        ({"text": 5}, "text"),
        ({"text": "x" * 20_001}, "text"),
        ({"vitals": [{"name": "x"}]}, "vitals.0.value"),
        ({"vitals": [{"name": "x", "value": float("inf")}]}, "vitals.0.value"),
        ({"labs": [{"name": "x", "value": True}]}, "labs.0.value"),
        ({"findings": [{"name": "x", "state": "maybe"}]}, "findings.0.state"),
        ({"findings": {}}, "findings"),
    ],
)
def test_a_wrong_element_is_named(change: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        record_from_json({**WHOLE, **change})
    assert str(caught.value).startswith(place)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("decoded", [None, 5, "x", [], [{}]])
def test_what_is_no_object_is_refused(decoded: Any) -> None:
    with pytest.raises(InvalidInputError):
        record_from_json(decoded)


def test_a_bundle_is_known_by_its_type() -> None:
    assert record_from_json({"resourceType": "Bundle", "id": "b", "entry": []}).id == "b"
    with pytest.raises(InvalidInputError, match="FHIR Bundle"):
        record_from_json({"resourceType": "Observation"})


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.json"
    path.write_text("﻿" + json.dumps(WHOLE, ensure_ascii=False), encoding="utf-8")
    assert read_record(path) == record_from_json(WHOLE)
    with pytest.raises(MissingDataError, match="no record file"):
        read_record(tmp_path / "absent.json")
    with pytest.raises(MissingDataError, match="no record file"):
        read_record(tmp_path)
    monkeypatch.setattr(intake, "MAX_BYTES", 10)
    with pytest.raises(InputTooLargeError):
        read_record(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected JSON"),
        (b"{", "expected JSON"),
        (b'{"text": "\xff"}', "byte 10 is not"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"a": 1e999}', "double precision"),
        (b'{"a": ' + b"1" * 400 + b"}", "double precision"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"\\uDFFF": 1}', "surrogate"),
        (b'{"a": ["x", "\\u0000"]}', "NUL"),
    ],
)
def test_what_is_no_strict_json_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=message) as caught:
        read_record(path)
    assert str(caught.value).startswith("r.json: ")


@pytest.mark.parametrize("content", [b'"\\ud83d\\ude00"', b'"\\\\u0000"', b'"\\\\ud800"'])
def test_pairs_and_escaped_backslashes_are_text(content: bytes) -> None:
    assert decode_json(content, "x") == json.loads(content)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4),
)  # fmt: skip


@given(PLAIN, st.booleans())
@settings(deadline=None, database=None, derandomize=True)
def test_what_is_json_is_read_as_json(value: Any, ascii_only: bool) -> None:
    assert decode_json(json.dumps(value, ensure_ascii=ascii_only).encode(), "x") == value


@given(st.sampled_from(sorted(WHOLE)), PLAIN)
@settings(max_examples=300, deadline=None, database=None, derandomize=True)
def test_any_value_is_a_record_or_an_error_of_ours(key: str, value: Any) -> None:
    try:
        record = record_from_json({**WHOLE, key: value})
    except InvalidInputError:
        return
    assert isinstance(record, Record)
