"""Overlap of test questions with training text, against a slow search for every gram."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.errors import InvalidInputError, MissingDataError
from xinglin.records import contamination
from xinglin.records.contamination import LONGEST, SHORTEST, _characters, _words, overlap, training_texts


def slow(question: str, training: list[str]) -> float | None:
    """Every gram of the question, looked for one by one."""
    chinese = any("\u3400" <= letter <= "\u9fff" for letter in question)
    units = list(_characters(question)) if chinese else _words(question)
    if len(units) < SHORTEST:
        return None
    length = min(LONGEST, len(units))
    texts = [list(_characters(text)) if chinese else _words(text) for text in training]
    covered = set()
    for place in range(len(units) - length + 1):
        gram = units[place : place + length]
        if any(gram == text[at : at + length] for text in texts for at in range(len(text) - length + 1)):
            covered |= set(range(place, place + length))
    return len(covered) / len(units)


@given(
    st.lists(st.text("甲乙", min_size=1, max_size=24), min_size=1, max_size=4),
    st.lists(st.text("甲乙。 ", max_size=60), max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_chinese_against_a_slow_search(questions: list[str], training: list[str]) -> None:
    assert [one.covered for one in overlap(questions, training)] == [slow(one, training) for one in questions]


@given(
    st.lists(st.lists(st.sampled_from(["a", "to", "be"]), min_size=1, max_size=20), min_size=1, max_size=3),
    st.lists(st.lists(st.sampled_from(["a", "To", "be,", "not"]), max_size=50), max_size=3),
)
@settings(max_examples=60, deadline=None)
def test_english_against_a_slow_search(questions: list[list[str]], training: list[list[str]]) -> None:
    asked, texts = [" ".join(one) for one in questions], [" ".join(one) for one in training]
    assert [one.covered for one in overlap(asked, texts)] == [slow(one, texts) for one in asked]


def test_what_counts() -> None:
    zh = "上消化道出血可单纯表现为呕血或黑便,也可两者兼有,这取决于"
    found = overlap(
        [
            zh,
            "嘶哑样咳嗽可见于",
            "治疗首选",
            "Can tailored interventions increase mammography use among HMO women?",
        ],
        [
            f"病人问:{zh[:6]}，{zh[6:]}？答:……",
            "嘶哑样咳嗽,可见于急性喉炎",
            "can tailored interventions increase",
        ],
    )
    assert [one.dirty for one in found] == [True, True, None, False]
    assert found[0].covered == 1.0  # punctuation and width do not hide it
    half = overlap([zh], [zh[:16]])[0]
    assert half.covered is not None
    assert 0.4 < half.covered < 0.7
    assert not overlap([zh], [zh[:12], zh[12:24]])[0].dirty  # no gram spans two texts


def test_a_gram_at_the_cut_of_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contamination, "CHUNK", 5_000)
    question = "甲乙丙丁戊己庚辛壬癸子丑寅卯"
    for before in range(4_980, 5_005):
        assert overlap([question], ["水" * before + question + "水" * 9_000])[0].covered == 1.0


def test_three_million_characters_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A twelfth of 100 MB of Chinese; the time grows with the text, the memory does not."""
    generator = np.random.default_rng(0)
    letters = generator.integers(0x4E00, 0x9FA5, 1_000_000).astype(np.uint32)
    text = letters.tobytes().decode("utf-32-le")
    questions = [text[place : place + 30] for place in range(0, 300_000, 1_000)]
    questions += [one[::-1] for one in questions]
    started = time.process_time()
    found = overlap(questions, (text for _ in range(3)))
    assert time.process_time() - started < 10
    assert [one.dirty for one in found] == [True] * 300 + [False] * 300


def test_training_files(tmp_path: Path) -> None:
    rows = [{"q": "一", "more": ["二", {"n": 3, "t": "四"}]}, "五"]
    with gzip.open(tmp_path / "a.jsonl.gz", "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "b.txt").write_text("行一\n行二\n\n段二\n", encoding="utf-8")
    assert list(training_texts([tmp_path / "a.jsonl.gz", tmp_path / "b.txt"])) == [
        "一", "二", "四", "五", "行一\n行二", "段二",
    ]  # fmt: skip
    with pytest.raises(MissingDataError):
        list(training_texts([tmp_path / "c"]))
    (tmp_path / "d.jsonl").write_text("{")
    with pytest.raises(InvalidInputError, match=r"d\.jsonl:1"):
        list(training_texts([tmp_path / "d.jsonl"]))
    (tmp_path / "e.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInputError, match="UTF-8"):
        list(training_texts([tmp_path / "e.txt"]))
