"""The hidden part: its bytes in one spelling, the commitment to them, and the check of what is told at close.

A commitment is HMAC-SHA-256 of the bytes, bound to the challenge's name and to which part it is, under a salt of 32
random bytes: it tells nothing while the salt is secret (labels alone could be guessed and hashed), and no other bytes
open it. Questions and labels have a commitment each, so that the questions can be told first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any, Literal, get_args

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.records.decode import decode_json
from xinglin.release.challenge.manifest import Commitment
from xinglin.store.keys import canonical_json, keyed_digest

MAX_BYTES = 64 << 20
MAX_CASES = 200_000
MAX_TEXT = 20_000
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")
Part = Literal["public", "board", "final"]
Which = Literal["inputs", "labels"]
WHICH: tuple[Which, ...] = get_args(Which)


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """One question with its answer."""

    id: str
    text: str
    label: str
    part: Part = "public"
    groups: Mapping[str, str] = field(default_factory=dict, compare=False, hash=False)
    """Kind of subgroup -> which one, e.g. ``{"sex": "female"}``; a kind that is absent is unknown."""


def inputs_bytes(cases: Iterable[Case]) -> bytes:
    """Return the questions, a line each, sorted by id."""
    return _lines({"id": case.id, "text": case.text} for case in sorted(cases))


def labels_bytes(cases: Iterable[Case]) -> bytes:
    """Return the labels with part and subgroups, a line each, sorted by id."""
    return _lines(
        {"id": case.id, "label": case.label, "part": case.part, "groups": dict(case.groups)}
        for case in sorted(cases)
    )


def cases_bytes(cases: Iterable[Case]) -> bytes:
    """Return labelled questions, a line each, sorted by id: what a public part is."""
    return _lines(
        {"id": case.id, "text": case.text, "label": case.label, "groups": dict(case.groups)}
        for case in sorted(cases)
    )


def read_inputs(data: bytes, name: str = "inputs") -> dict[str, str]:
    """Read questions: id -> text.

    Raises:
        InvalidInputError: a line is not ``{"id", "text"}``, or an id comes twice.
        InputTooLargeError: too many bytes, too many cases, too long a text.
    """
    found: dict[str, str] = {}
    for at, row in _rows(data, name):
        if set(row) != {"id", "text"}:
            raise InvalidInputError(f"{at}: expected the fields id and text")
        found[_new_id(row, found, at)] = _text(row, at)
    return found


def read_cases(data: bytes, name: str = "cases", *, labels: Sequence[str] | None = None) -> list[Case]:
    """Read labelled questions.

    Args:
        data: lines of ``{"id", "text", "label"}`` with or without ``part`` and ``groups``.
        name: for messages.
        labels: the labels that are known; ``None``: any.

    Raises:
        InvalidInputError: another shape, an unknown label, an id that comes twice.
        InputTooLargeError: as :func:`read_inputs`.
    """
    found: dict[str, Case] = {}
    for at, row in _rows(data, name):
        if not {"id", "text", "label"} <= set(row) <= {"id", "text", "label", "part", "groups"}:
            raise InvalidInputError(
                f"{at}: expected the fields id, text, label, and part and groups if there are any"
            )
        found[_new_id(row, found, at)] = Case(
            str(row["id"]), _text(row, at), *_answer(row, at, labels, ("public", "board", "final"))
        )
    return [found[key] for key in sorted(found)]


def join(inputs: bytes, labels: bytes, known: Sequence[str]) -> list[Case]:
    """Return the hidden cases of both files, sorted by id.

    Raises:
        InvalidInputError: the two do not hold the same ids, or a line is not what it should be.
    """
    texts = read_inputs(inputs)
    found: dict[str, Case] = {}
    for at, row in _rows(labels, "labels"):
        if set(row) != {"id", "label", "part", "groups"}:
            raise InvalidInputError(f"{at}: expected the fields id, label, part and groups")
        key = _new_id(row, found, at)
        if key not in texts:
            raise InvalidInputError(f"{at}: a label without a question")
        found[key] = Case(key, texts[key], *_answer(row, at, known, ("board", "final")))
    if len(found) < len(texts):
        raise InvalidInputError(f"labels: expected {len(texts)}, one a question, got {len(found)}")
    return [found[key] for key in sorted(found)]


def commit(challenge: str, cases: Sequence[Case], salts: Mapping[Which, str]) -> Commitment:
    """Return the commitment to hidden cases.

    Raises:
        InvalidInputError: a case belongs to neither hidden part, or one part is empty.
    """
    wrong = sum(case.part == "public" for case in cases)
    board = sum(case.part == "board" for case in cases)
    if wrong or not 0 < board < len(cases):
        raise InvalidInputError(
            f"hidden cases: expected part board or final for each, and both there; got {wrong} of neither, "
            f"{board} board, {len(cases) - board - wrong} final"
        )
    if len({case.id for case in cases}) < len(cases):
        raise InvalidInputError("hidden cases: an id comes twice")
    return Commitment(
        inputs=commitment_of(challenge, "inputs", inputs_bytes(cases), salts["inputs"]),
        labels=commitment_of(challenge, "labels", labels_bytes(cases), salts["labels"]),
        cases=len(cases),
        board=board,
    )


def commitment_of(challenge: str, which: Which, data: bytes, salt: str) -> str:
    """Return the commitment to bytes, hex.

    Args:
        challenge: its name.
        which: the part.
        data: in the one spelling of :func:`inputs_bytes` or :func:`labels_bytes`.
        salt: 64 hexadecimal digits.

    Raises:
        InvalidInputError: no such salt.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", salt):
        raise InvalidInputError("salt: expected 64 hexadecimal digits")
    return keyed_digest(salt, f"xinglin-challenge\0{challenge}\0{which}\0".encode() + data)


def check_opening(challenge: str, commitment: Commitment, which: Which, data: bytes, salt: str) -> None:
    """Check that bytes and salt are what was committed to.

    Raises:
        InvalidInputError: they are not.
    """
    expected = commitment.inputs if which == "inputs" else commitment.labels
    if not compare_digest(commitment_of(challenge, which, data, salt), expected):
        raise InvalidInputError(
            f"{challenge}: the {which} do not open their commitment {expected[:16]}…: other bytes or another salt"
        )


def _lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(canonical_json(row) + b"\n" for row in rows)


def _rows(data: bytes, name: str) -> Iterable[tuple[str, dict[str, Any]]]:
    if len(data) > MAX_BYTES:
        raise InputTooLargeError(f"{name}: at most {MAX_BYTES} bytes")
    lines = data.split(b"\n")
    if len(lines) > MAX_CASES + 1:
        raise InputTooLargeError(f"{name}: at most {MAX_CASES} lines")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        at = f"{name}:{number}"
        row = decode_json(line, at)
        if not isinstance(row, dict):
            raise InvalidInputError(f"{at}: expected an object")
        yield at, row


def _new_id(row: Mapping[str, Any], known: Mapping[str, Any], at: str) -> str:
    key = row.get("id")
    if not isinstance(key, str) or not ID.fullmatch(key):
        raise InvalidInputError(f"{at}: id: expected up to 100 letters, digits and _ . : -")
    if key in known:
        raise InvalidInputError(f"{at}: the id comes twice")
    return key


def _text(row: Mapping[str, Any], at: str) -> str:
    text = row["text"]
    if not isinstance(text, str) or not text.strip():
        raise InvalidInputError(f"{at}: text: expected a text that is not empty")
    if len(text) > MAX_TEXT:
        raise InputTooLargeError(f"{at}: text: at most {MAX_TEXT} characters")
    return text


def _answer(
    row: Mapping[str, Any], at: str, labels: Sequence[str] | None, parts: Sequence[str]
) -> tuple[str, Any, dict[str, str]]:
    label, part, groups = row["label"], row.get("part", "public"), row.get("groups", {})
    if not isinstance(label, str) or (labels is not None and label not in labels):
        raise InvalidInputError(f"{at}: label: expected one of the challenge's labels")
    if part not in parts:
        raise InvalidInputError(f"{at}: part: expected one of {', '.join(parts)}")
    plain = isinstance(groups, dict) and all(
        isinstance(value, str) and 0 < len(value) <= 100 and len(key) <= 100 for key, value in groups.items()
    )
    if not plain or len(groups) > 20:
        raise InvalidInputError(f"{at}: groups: expected at most 20 pairs of short texts")
    return label, part, dict(groups)
