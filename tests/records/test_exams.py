"""Exam files: the staged sets as they are, authored rows of each format, and files of another format."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError, UnknownNameError
from xinglin.records import exams
from xinglin.records.exams import EXAMS, LETTERS, ExamItem, exam_file, part, read_exam

ITEM = ExamItem("1", "首选药物是", ("甲", "乙", "丙", "丁", "戊"), "BD", None, "cmexam")
CMEXAM = {"id": "x-0", "question": "首选", "options": {"A": "甲", "B": "乙"}, "answer": "B"}
"""A row that every test below breaks in its own way."""


def written(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "items", "repeated", "several"),
    [("cmexam", 5692, 0, 186), ("pubmedqa", 500, 0, 0), ("mmlu-medical", 151, 2, 0), ("cnmleqa", 2214, 0, 0)],
)
def test_staged_sets(data: Path, name: str, items: int, repeated: int, several: int) -> None:
    path = exam_file(name, data)
    exam = read_exam(name, path)
    assert (len(exam.items), exam.repeated) == (items, repeated)
    assert sum(len(item.answer) > 1 for item in exam.items) == several
    assert exam.digest == sha256(path.read_bytes()).hexdigest()
    assert all(set(item.answer) <= set(item.letters) for item in exam.items)
    shares = Counter(map(part, exam.items))
    assert 0.6 < shares["train"] / items < 0.8
    assert 0.1 < shares["test"] / items < 0.3
    assert sum(len(exam.part(name)) for name in exams.PARTS) == items == len(exam.part("all"))


def test_an_item_is_what_the_file_says(data: Path) -> None:
    """The first row of each file, read here by hand."""
    for name, form in EXAMS.items():
        if not form.file:
            continue
        with gzip.open(data / form.file, "rt", encoding="utf-8") as lines:
            row = json.loads(next(lines))
        item = read_exam(name, data / form.file).items[0]
        assert item.question == row["question"].strip()
        if name == "pubmedqa":
            assert item.options[LETTERS.index(item.answer)] == row["answer"]
            assert item.context.startswith(row["contexts"][0])
        else:
            assert list(item.options) == [text.strip() for text in row["options"].values()]
            assert item.answer == row["answer"]


def test_a_letter_left_out_is_closed_up(data: Path) -> None:
    items = {item.id: item for item in read_exam("cmexam", exam_file("cmexam", data)).items}
    one = items["cmexam-val-5596"]  # options B C D E, answer E
    assert (len(one.options), one.answer, one.options[3]) == (4, "D", "丁溴东莨菪碱")
    assert items["cmexam-val-6027"].explanation is None  # the table said nan


def test_the_split_is_of_the_question_alone() -> None:
    place = int(sha256(ITEM.question.encode()).hexdigest()[:8], 16) % 10
    assert part(ITEM) == ("train" if place < 7 else "validation" if place == 7 else "test")
    assert part(ITEM.rotated(2)) == part(ITEM)


@given(st.integers(0, 20))
def test_rotation_moves_the_answer_along(by: int) -> None:
    moved = ITEM.rotated(by)
    assert sorted(moved.options) == sorted(ITEM.options)
    assert {moved.options[LETTERS.index(letter)] for letter in moved.answer} == {"乙", "丁"}
    assert moved.rotated(-by) == ITEM


XMED = [
    {"question": "何种细胞分泌胃酸", "options": "(A) 壁细胞.\n(B) 主细胞.", "answer": "(A)", "source": "authored"},
    {"question": "Which vitamin prevents scurvy?", "option": "(A) A.\n(B) C.", "anwer": "(B)", "source": "authored"},
    {"question": "属于维生素的有", "options": "(A) VA\n(B) 糖\n(C) VC", "answer": "(A)(C)", "source": "two"},
]  # fmt: skip


@pytest.mark.parametrize("as_array", [True, False])
def test_xmedbench_as_published(tmp_path: Path, as_array: bool) -> None:
    path = tmp_path / "zh.json"
    if as_array:
        path.write_text(json.dumps(XMED, ensure_ascii=False, indent=4), encoding="utf-8")
    else:
        written(path, XMED)
    first, second, third = read_exam("xmedbench", path).items
    assert (first.options, first.answer, first.subject) == (("壁细胞", "主细胞"), "A", "authored")
    assert (second.options, second.answer, second.chinese) == (("A", "C"), "B", False)
    assert third.answer == "AC"
    with pytest.raises(MissingDataError, match="--data"):
        exam_file("xmedbench", tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"answer": "C"}, "not among the options AB"),
        ({"answer": ""}, "answer is empty"),
        ({"answer": "BB"}, "not among"),
        ({"answer": 2}, "expected a row of cmexam"),
        ({"options": {"A": "甲"}}, "at least two"),
        ({"options": {"A": "甲", "B": "  "}}, "B is empty"),
        ({"options": ["甲", "乙"]}, "expected a row of cmexam"),
        ({"options": dict.fromkeys("ABCDEFGHIJK", "甲")}, "at most 10"),
        ({"question": None}, "expected a row of cmexam"),
    ],
)
def test_broken_rows_are_named_by_line(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = written(tmp_path / "x.jsonl", [CMEXAM, CMEXAM | {"id": "x-1"} | change])
    with pytest.raises(InvalidInputError, match=rf"x.jsonl:2: .*{said}"):
        read_exam("cmexam", path)


def test_files_of_another_kind(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInputError, match="expected a row of pubmedqa with pmid"):
        read_exam("pubmedqa", exam_file("cmexam", data))
    with pytest.raises(UnknownNameError, match="cmexam"):
        read_exam("cmexams", tmp_path / "x")
    with pytest.raises(MissingDataError):
        read_exam("cmexam", tmp_path / "x")
    empty = written(tmp_path / "empty.jsonl", [])
    with pytest.raises(InvalidInputError, match="has none"):
        read_exam("cmexam", empty)
    (tmp_path / "text.txt").write_text("not JSON\n")
    with pytest.raises(InvalidInputError, match="expected JSON"):
        read_exam("cmexam", tmp_path / "text.txt")
    (tmp_path / "cut.jsonl.gz").write_bytes(exam_file("cmexam", data).read_bytes()[:5000])
    with pytest.raises(InvalidInputError, match="damaged"):
        read_exam("cmexam", tmp_path / "cut.jsonl.gz")
    with pytest.raises(InvalidInputError, match="JSON object"):
        read_exam("xmedbench", written(tmp_path / "array.json", [["a"]]))
    monkeypatch.setattr(exams, "MAX_LINE", 30)
    with pytest.raises(InputTooLargeError, match="line"):
        read_exam("cmexam", written(tmp_path / "long.jsonl", [CMEXAM]))


def test_repeats_are_dropped_and_a_second_use_of_an_id_is_an_error(tmp_path: Path) -> None:
    again = read_exam("cmexam", written(tmp_path / "a.jsonl", [CMEXAM, CMEXAM | {"id": "x-9"}]))
    assert (len(again.items), again.repeated) == (1, 1)
    with pytest.raises(InvalidInputError, match="came before"):
        read_exam("cmexam", written(tmp_path / "b.jsonl", [CMEXAM, CMEXAM | {"question": "另一题"}]))
