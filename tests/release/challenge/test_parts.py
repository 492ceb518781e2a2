"""The commitments: what opens them, and that nothing else does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.release.challenge.contest import ORDERED, cases
from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.release.challenge.parts import (
    MAX_TEXT,
    check_opening,
    commit,
    commitment_of,
    inputs_bytes,
    join,
    labels_bytes,
    read_cases,
    read_inputs,
)
from xinglin.store.keys import new_salt

SALTS = {"inputs": "a" * 64, "labels": "b" * 64}


def test_the_true_data_open_and_come_back_whole() -> None:
    hidden = cases()
    committed = commit("t", hidden, SALTS)  # type: ignore[arg-type]
    assert (committed.cases, committed.board) == (60, 24)
    check_opening("t", committed, "inputs", inputs_bytes(hidden), SALTS["inputs"])
    check_opening("t", committed, "labels", labels_bytes(hidden), SALTS["labels"])
    back = join(inputs_bytes(hidden), labels_bytes(hidden), ORDERED)
    assert back == hidden
    assert [case.groups for case in back] == [case.groups for case in hidden]
    shuffled = commit("t", hidden[::-1], SALTS)  # type: ignore[arg-type]
    assert shuffled == committed


def test_nothing_else_opens() -> None:
    hidden = cases()
    committed = commit("t", hidden, SALTS)  # type: ignore[arg-type]
    changed = [replace(hidden[0], label=ORDERED[(ORDERED.index(hidden[0].label) + 1) % 3]), *hidden[1:]]
    moved = [replace(hidden[0], part="final"), *hidden[1:]]
    tries = [
        ("t", labels_bytes(changed), SALTS["labels"]),
        ("t", labels_bytes(moved), SALTS["labels"]),
        ("t", labels_bytes(hidden[1:]), SALTS["labels"]),
        ("t", labels_bytes(hidden), new_salt()),
        ("t", labels_bytes(hidden), SALTS["inputs"]),
        ("another", labels_bytes(hidden), SALTS["labels"]),
    ]
    for name, data, salt in tries:
        with pytest.raises(InvalidInputError, match="do not open"):
            check_opening(name, committed, "labels", data, salt)
    with pytest.raises(InvalidInputError, match="salt"):
        check_opening("t", committed, "labels", labels_bytes(hidden), "b" * 63)


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_a_commitment_is_of_its_bytes_and_its_part(one: bytes, other: bytes) -> None:
    same = commitment_of("t", "labels", one, "c" * 64) == commitment_of("t", "labels", other, "c" * 64)
    assert same == (one == other)
    assert commitment_of("t", "labels", one, "c" * 64) != commitment_of("t", "inputs", one, "c" * 64)


def test_hidden_cases_need_both_parts() -> None:
    for wrong in (cases(10, 10), cases(10, 0), [*cases(), replace(cases()[0], id="x", part="public")]):
        with pytest.raises(InvalidInputError, match="part board or final"):
            commit("t", wrong, SALTS)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="twice"):
        commit("t", [*cases(), cases()[0]], SALTS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"id": "a", "text": "x", "label": "y"}', "known|labels"),
        (b'{"id": "a", "text": "", "label": "\xe5\x86\x85\xe7\xa7\x91"}', "not empty"),
        (b'{"id": "../a", "text": "x", "label": "\xe5\x86\x85\xe7\xa7\x91"}', "id"),
        (b'{"id": 3, "text": "x", "label": "\xe5\x86\x85\xe7\xa7\x91"}', "id"),
        (b'{"id": "a", "text": "x"}', "fields"),
        (b'{"id": "a", "text": "x", "label": "\xe5\x86\x85\xe7\xa7\x91", "sex": "m"}', "fields"),
        (b'{"id": "a", "text": "x", "label": "\xe5\x86\x85\xe7\xa7\x91", "part": "mine"}', "part"),
        (b'{"id": "a", "text": "x", "label": "\xe5\x86\x85\xe7\xa7\x91", "groups": {"a": 3}}', "groups"),
        (b"[]", "object"),
        (b"{", "JSON"),
        (b"\xff", "UTF-8"),
    ],
)
def test_lines_that_are_no_cases(line: bytes, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        read_cases(line, labels=ORDERED)


def test_bounds_and_doubles() -> None:
    with pytest.raises(InputTooLargeError):
        read_inputs(b'{"id": "a", "text": "' + b"x" * (MAX_TEXT + 1) + b'"}')
    with pytest.raises(InvalidInputError, match="twice"):
        read_inputs(b'{"id": "a", "text": "x"}\n{"id": "a", "text": "y"}')
    hidden = cases(4, 2)
    with pytest.raises(InvalidInputError, match="one a question"):
        join(inputs_bytes(hidden), labels_bytes(hidden[1:]), ORDERED)
    with pytest.raises(InvalidInputError, match="without a question"):
        join(inputs_bytes(hidden[1:]), labels_bytes(hidden), ORDERED)
