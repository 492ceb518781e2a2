"""Files of answers: three formats that say the same, and everything that is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.release.challenge import predictions as module
from xinglin.release.challenge.predictions import read_canonical, read_predictions

IDS, LABELS = ("q1", "q2"), ("x", "y")


def read(text: str, ending: str = "csv") -> module.Predictions:
    return read_predictions(text.encode(), f"a.{ending}", IDS, LABELS)


def test_the_formats_say_the_same() -> None:
    told = {"q1": {"x": 0.25, "y": 0.75}, "q2": {"x": 1, "y": 0}}
    found = [
        read("id,y,x\nq2,0,1\nq1,0.75,0.25\n"),
        read("\ufeffid,x,y\r\nq1,.25,.75\r\nq2,1,0\r\n"),
        read(json.dumps(told), "json"),
        read("\n".join(json.dumps({"id": k, "probabilities": v}) for k, v in told.items()), "jsonl"),
    ]
    assert len({one.digest for one in found}) == 1
    np.testing.assert_array_equal(found[0].probabilities, [[0.25, 0.75], [1, 0]])
    bare = [
        read("id,label\nq1,y\nq2,x\n"),
        read('{"q1": "y", "q2": "x"}', "json"),
        read('{"id": "q2", "label": "x"}\n{"id": "q1", "label": "y"}', "jsonl"),
    ]
    assert len({one.digest for one in bare}) == 1
    assert bare[0].bare
    assert not found[0].bare


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_what_is_kept_reads_back_to_the_last_bit(values: list[float]) -> None:
    table = np.array(values).reshape(2, 2) + 1e-9
    table /= table.sum(axis=1, keepdims=True)
    one = module.Predictions(IDS, LABELS, table)
    back = read_canonical(one.canonical())
    assert back.probabilities.tobytes() == table.tobytes()
    assert (back.ids, back.labels, back.digest) == (IDS, LABELS, one.digest)


@pytest.mark.parametrize(
    ("text", "ending", "said"),
    [
        ("id,label\nq1,x\n", "csv", "each of 2 cases, got 1"),
        ("id,label\nq1,x\nq1,x\nq2,x\n", "csv", "twice"),
        ("id,label\nq1,x\nq3,x\n", "csv", "none of the challenge"),
        ("id,label\nq1,z\nq2,x\n", "csv", "unknown label"),
        ("id,label\nq1,x,y\nq2,x\n", "csv", "fields"),
        ("id,x\nq1,1\nq2,1\n", "csv", "columns"),
        ("x,y\n", "csv", "columns"),
        ("", "csv", "columns"),
        ("id\n", "csv", "columns"),
        ("id,x,y\nq1,nan,1\nq2,0,1\n", "csv", "finite"),
        ("id,x,y\nq1,inf,0\nq2,0,1\n", "csv", "finite"),
        ("id,x,y\nq1,-1,2\nq2,0,1\n", "csv", "from 0 to 1"),
        ("id,x,y\nq1,.5,.6\nq2,0,1\n", "csv", "sum to 1"),
        ("id,x,y\nq1,0,0\nq2,0,1\n", "csv", "sum to 1"),
        ("id,x,y\nq1,__import__,1\nq2,0,1\n", "csv", "number"),
        ('id,label\nq1,"x\n', "csv", "CSV"),
        ('{"q1": "x", "q1": "y", "q2": "x"}', "json", "twice"),
        ('{"q1": {"x": 1, "x": 0, "y": 0}, "q2": "x"}', "json", "twice"),
        ('{"q1": {"x": NaN, "y": 1}, "q2": {"x": 1}}', "json", "NaN"),
        ('{"q1": {"x": true}, "q2": {"x": 1}}', "json", "finite"),
        ('{"q1": {"x": 1}, "q2": "x"}', "json", "throughout"),
        ('{"q1": 3, "q2": "x"}', "json", "expected an id"),
        ('["q1"]', "json", "object"),
        ("[" * 100_000, "json", "nested|JSON"),
        ('{"id": "q1"}', "jsonl", "id and label"),
        ('{"id": "q1", "label": "x", "more": 1}', "jsonl", "id and label"),
        ('{"id": ["q1"], "label": "x"}', "jsonl", "expected an id"),
        ("x", "pkl", "never read"),
        ("x", "py", "never read"),
        ("x", "parquet", "never read"),
    ],
)
def test_what_is_refused(text: str, ending: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        read(text, ending)


def test_too_much_and_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInputError, match="UTF-8"):
        read_predictions(b"id,label\nq1,\xff\n", "a.csv", IDS, LABELS)
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    with pytest.raises(InputTooLargeError):
        read("id,label\nq1,x\nq2,x\n")


def test_messages_do_not_echo_what_came() -> None:
    with pytest.raises(InvalidInputError) as error:
        read("id,label\n王小明 13800000000,x\n")
    assert "王小明" not in str(error.value)
