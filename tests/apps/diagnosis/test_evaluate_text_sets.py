"""What is read of the rows of the text sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from xinglin.apps.diagnosis.evaluate.text_sets import (
    NOTHING,
    TEXT_SETS,
    full_report,
    learnable,
    read_questions,
    self_report,
)
from xinglin.errors import InvalidInputError

CODED = {
    "id": "a",
    "explicit": {"咳嗽": "1", "发热": "0"},
    "implicit": {"皮疹": 0, "痰": "2"},
    "disease": "甲",
}


def written(path: Path, rows: list[Any]) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_symptoms_are_written_out_with_their_states() -> None:
    assert self_report(CODED) == "孩子有咳嗽、没有发热。"
    assert full_report(CODED) == "孩子有咳嗽、没有发热。没有皮疹,不确定有没有痰。"
    assert self_report({"explicit": {}}) == NOTHING


def test_a_self_report_never_tells_the_answers() -> None:
    secret = CODED | {"implicit": {"惊厥": "1"}}
    assert "惊厥" not in self_report(secret)
    assert "惊厥" in full_report(secret)


@pytest.mark.parametrize("name", TEXT_SETS)
def test_only_the_named_field_is_read(name: str, tmp_path: Path) -> None:
    row = {
        "ask": "问",
        "department": "科",
        "text": "原文",
        "text_masked": "某病",
        "self_report": "报",
        "dialog": ["泄露"],
        "title": "泄露",
        "answer": "泄露",
        "explicit": {"咳嗽": "1"},
        "implicit": {"痰": "1"},
        "disease": "病",
        "name_in_text": True,
    }
    which = TEXT_SETS[name]
    expected = {
        "toyhom-department": ["问"],
        "toyhom-disease": ["某病"],
        "dxy-text": ["报"],
        "mz10-text": ["孩子有咳嗽。", "孩子有咳嗽。有痰。"],
    }[name]
    path = written(tmp_path / "a.jsonl", [row])
    found = [read_questions(which, mode, path)[0] for mode in which.modes]
    assert [question.text for question in found] == expected
    assert found[0].label == ("科" if name == "toyhom-department" else "病")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"ask": "问"}, r"a\.jsonl:2: expected department"),
        ({"department": "科"}, r"a\.jsonl:2: expected the input .* lacks 'ask'"),
        ({"ask": 3, "department": "科"}, r"a\.jsonl:2: .* ask is int"),
        ({"ask": "问", "department": "  "}, r"a\.jsonl:2: expected department"),
        ("{", r"a\.jsonl:2: not JSON"),
        ("[1]", r"a\.jsonl:2: expected a JSON object"),
    ],
)
def test_names_file_and_line_of_a_wrong_row(row: Any, said: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [{"ask": "问", "department": "科"}, row])
    with pytest.raises(InvalidInputError, match=said):
        read_questions(TEXT_SETS["toyhom-department"], "question", path)


def test_wrong_states_and_no_rows(tmp_path: Path) -> None:
    bad = written(tmp_path / "a.jsonl", [CODED | {"explicit": {"咳嗽": "7"}}])
    with pytest.raises(InvalidInputError, match=r"a\.jsonl:1: .*0, 1 or 2"):
        read_questions(TEXT_SETS["mz10-text"], "self-report", bad)
    with pytest.raises(InvalidInputError, match="got none"):
        read_questions(TEXT_SETS["mz10-text"], "self-report", written(tmp_path / "b.jsonl", []))


def test_nothing_is_learnt_from_one_label_or_without_texts(tmp_path: Path) -> None:
    rows = [{"ask": text, "department": label} for text, label in (("一", "甲"), ("二", "甲"), ("三", "乙"))]
    path = written(tmp_path / "a.jsonl", rows)
    which = TEXT_SETS["toyhom-department"]
    with pytest.raises(InvalidInputError, match=r"two labels with two texts each .* 甲 2, 乙 1"):
        learnable(read_questions(which, "question", path), path)
    rows += [{"ask": "四", "department": "乙"}, {"ask": "  ", "department": "乙"}]
    kept = learnable(read_questions(which, "question", written(path, rows)), path)
    assert [question.text for question in kept] == ["一", "二", "三", "四"]


def test_signs_that_cannot_be_encoded_are_replaced(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", ['{"ask": "头\\ud800痛", "department": "科"}'])
    assert read_questions(TEXT_SETS["toyhom-department"], "question", path)[0].text == "头\ufffd痛"


@pytest.mark.parametrize(
    ("name", "least"),
    [("toyhom-department", 6000), ("toyhom-disease", 4000), ("dxy-text", 400), ("mz10-text", 3000)],
)
def test_reads_the_real_files(name: str, least: int, data: Path) -> None:
    which = TEXT_SETS[name]
    path = data / which.path
    if not path.is_file():
        pytest.skip(f"no file {path}")
    for mode in which.modes:
        questions = read_questions(which, mode, path)
        assert len(questions) > least
        assert all(question.text for question in questions)
