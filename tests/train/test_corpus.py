from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from xinglin.errors import InvalidInputError, MissingDataError
from xinglin.train.corpus import (
    OPEN_SETS,
    file_digest,
    read_open_set,
    read_own,
    reported,
    settling,
    unlearnt,
)


def test_a_fifth_and_a_half_are_reported() -> None:
    keys = [f"case {i}" for i in range(5000)]
    assert 0.18 < sum(map(reported, keys)) / 5000 < 0.22
    assert 0.47 < sum(reported(key, 2) for key in keys) / 5000 < 0.53


def test_a_tenth_settles_and_is_never_scored() -> None:
    keys = [f"case {i}" for i in range(5000)]
    assert 0.085 < sum(map(settling, keys)) / 5000 < 0.115
    assert not [key for key in keys if settling(key) and reported(key)]
    assert 0.28 < sum(map(unlearnt, keys)) / 5000 < 0.32


def test_every_open_set_is_read_without_what_is_reported(data: Path) -> None:
    folder, held, passages = data / "text", 0, 0
    assert len(OPEN_SETS) >= 16
    for name, which in OPEN_SETS.items():
        found, source = read_open_set(name, folder)
        passages += len(found)
        held += source.held_out
        assert found, name
        assert source.sha256 == file_digest(folder / which.path)
        assert source.licence
    assert passages > 40_000
    assert held > 1500


def test_a_reported_question_is_in_no_passage_of_its_set(data: Path) -> None:
    folder = data / "text"
    with gzip.open(folder / OPEN_SETS["toyhom"].path, "rt", encoding="utf-8") as lines:
        asked = {
            row["ask"] for row in map(json.loads, lines) if reported(row["ask"]) and len(row["ask"]) > 30
        }
    text = "\n".join(
        passage.text for name in ("toyhom", "toyhom-extra") for passage in read_open_set(name, folder)[0]
    )
    assert len(asked) > 500
    assert [ask for ask in asked if ask in text] == []


def test_nothing_restricted_is_among_them() -> None:
    assert not [name for name, which in OPEN_SETS.items() if "restricted" in which.path]


def test_own_text_is_read_from_jsonl_and_from_lines(tmp_path: Path) -> None:
    lines = tmp_path / "notes.txt"
    lines.write_text("胸痛三天\n\n头晕\n", encoding="utf-8")
    passages, source = read_own(lines)
    assert [passage.text for passage in passages] == ["胸痛三天", "头晕"]
    assert source.records == 2
    rows = tmp_path / "notes.jsonl"
    rows.write_text('{"text": "胸痛"}\n{"text": " "}\n', encoding="utf-8")
    assert [passage.text for passage in read_own(rows)[0]] == ["胸痛"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b'{"text": 3}\n', "expected a field text"),
        ("a.jsonl", b"[]\n", "expected a JSON object"),
        ("a.jsonl", b"{\n", "not JSON"),
        ("a.txt", b"\xff\xfe\x00", "UTF-8"),
        ("a.txt", b"\n\n", "got none"),
        ("a.jsonl.gz", b"no gzip", "damaged"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=said):
        read_own(path)


def test_an_absent_file_is_missing_data(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError):
        read_own(tmp_path / "absent.txt")
