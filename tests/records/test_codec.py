"""Record -> JSON -> record, without loss, whatever the record holds."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.records import codec
from xinglin.records.codec import encode, pack, record_from_stored, record_to_json, unpack
from xinglin.types import Code, Event, Finding, Patient, Record, Volume

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NUMBER = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**12), 10**12)
MAYBE_TEXT, MAYBE_NUMBER = st.none() | TEXT, st.none() | NUMBER
CODES = st.builds(Code, TEXT, TEXT, TEXT)
EVENTS = st.builds(
    Event, CODES, MAYBE_NUMBER | TEXT, MAYBE_TEXT, MAYBE_TEXT, MAYBE_NUMBER, MAYBE_NUMBER, TEXT, MAYBE_TEXT
)
SPANS = st.none() | st.tuples(st.integers(0, 99), st.integers(0, 99))
FINDINGS = st.builds(
    Finding,
    CODES,
    st.sampled_from(["present", "absent", "unknown"]),
    MAYBE_NUMBER,
    MAYBE_TEXT,
    MAYBE_TEXT,
    SPANS,
    TEXT,
    st.none() | st.floats(0, 1),
)
ROW = st.tuples(NUMBER, NUMBER, NUMBER, NUMBER)
VOLUMES = st.builds(Volume, TEXT, st.tuples(ROW, ROW, ROW, ROW), MAYBE_TEXT)
MAYBE_BOOL, MAYBE_LIST = st.none() | st.booleans(), st.none() | st.lists(TEXT, max_size=3).map(tuple)
PATIENTS = st.builds(
    Patient,
    MAYBE_NUMBER,
    st.sampled_from([None, "male", "female"]),
    MAYBE_BOOL,
    MAYBE_NUMBER,
    MAYBE_BOOL,
    MAYBE_LIST,
    MAYBE_LIST,
    MAYBE_NUMBER,
)
RECORDS = st.builds(
    Record,
    TEXT,
    MAYBE_TEXT,
    TEXT,
    PATIENTS,
    st.lists(EVENTS, max_size=3).map(tuple),
    st.lists(FINDINGS, max_size=3).map(tuple),
    st.lists(VOLUMES, max_size=2).map(tuple),
)


@given(RECORDS)
@settings(max_examples=100, deadline=None, database=None, derandomize=True)
def test_nothing_is_lost_either_way(record: Record) -> None:
    # asdict, since two codes are equal whatever they display.
    plain = record_to_json(record)
    assert asdict(record_from_stored(json.loads(json.dumps(plain)))) == asdict(record)
    body = encode(record)
    assert asdict(unpack(pack(body))) == asdict(record)
    assert encode(unpack(body)) == body


def test_a_stated_none_differs_from_what_was_not_stated() -> None:
    stated, silent = Record("1", patient=Patient(allergies=())), Record("1")
    assert record_to_json(stated) == {"id": "1", "patient": {"allergies": []}}
    assert record_to_json(silent) == {"id": "1"}
    assert record_from_stored(record_to_json(stated)).patient.allergies == ()


def test_a_default_that_says_something_is_written() -> None:
    record = Record("1", events=(Event(Code("a", "b")),))
    assert record_to_json(record)["events"] == [
        {"code": {"system": "a", "value": "b"}, "kind": "observation"}
    ]


def test_long_bodies_are_deflated_and_short_ones_left_alone() -> None:
    short, long = encode(Record("1", text="短")), encode(Record("1", text="病程记录。" * 500))
    assert pack(short) is short
    assert len(pack(long)) < len(long) / 10
    assert unpack(pack(long)).text == "病程记录。" * 500


WRONG: list[tuple[Any, str]] = [
    ([], "record: expected an object"),
    ({}, "record: field id is missing"),
    ({"id": 5}, "record.id: expected str, got int"),
    ({"id": "1", "txt": ""}, "unknown field 'txt'"),
    ({"id": "1", "patient": {"sex": "M"}}, "record.patient.sex: expected one of male, female"),
    ({"id": "1", "patient": {"age": True}}, "record.patient.age"),
    ({"id": "1", "patient": {"age": float("inf")}}, "record.patient.age"),
    ({"id": "1", "patient": {"pregnant": 1}}, "record.patient.pregnant: expected bool"),
    ({"id": "1", "events": [{"code": {"system": "a"}}]}, r"record.events\[0\].code: field value is missing"),
    ({"id": "1", "events": {}}, "record.events: expected a list"),
    ({"id": "1", "findings": [{"code": {"system": "a", "value": "b"}, "state": "x"}]}, "state"),
    ({"id": "1", "volumes": [{"path": "x", "affine": [[1, 0, 0]]}]}, r"affine\[0\]: expected 4 items, got 3"),
    (
        {"id": "1", "findings": [{"code": {"system": "a", "value": "b"}, "state": "present", "span": [1]}]},
        "2 items",
    ),
    (
        {
            "id": "1",
            "findings": [{"code": {"system": "a", "value": "b"}, "state": "present", "probability": 2}],
        },
        "outside their range",
    ),
]


@pytest.mark.parametrize(("stored", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_wrong_field_is_named(stored: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        record_from_stored(stored)


@pytest.mark.parametrize(
    "record",
    [Record("1", events=(Event(Code("a", "b"), float("nan")),)), Record("1", text="\ud800")],
    ids=["nan", "surrogate"],
)
def test_what_json_cannot_carry_is_refused(record: Record) -> None:
    with pytest.raises(InvalidInputError):
        encode(record)


def test_damaged_bodies_are_named_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = pack(encode(Record("1", text="长" * 5000)))
    for damaged in (packed[:-5], packed[:20] + b"\0" + packed[21:], b"x", b"", b"{", b'{"id":"1"'):
        with pytest.raises(InvalidInputError):
            unpack(damaged)
    monkeypatch.setattr(codec, "MAX_BODY", 1000)
    with pytest.raises(InvalidInputError, match="whole record"):
        unpack(packed)
    with pytest.raises(InputTooLargeError):
        encode(Record("1", text="x" * 2000))
