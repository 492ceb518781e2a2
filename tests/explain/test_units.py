"""Units of a note, and the note without some of them."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.errors import InvalidInputError, MissingExtraError
from xinglin.explain import segment, without
from xinglin.explain.units import BLANK, MAX_UNITS, Unit
from xinglin.explain.words import STOPS, _jieba, words

NOTE = "患者男性,58岁,胸痛3天,心电图示ST段压低(V1-V3),体温39.2℃,无发热,否认高血压;胸痛加重。"


def at(text: str, part: str, start: int = 0) -> tuple[int, int]:
    place = text.index(part, start)
    return place, place + len(part)


def texts(units: tuple[Unit, ...]) -> list[str]:
    return [unit.text for unit in units]


def dropped(text: str, units: tuple[Unit, ...], *names: str) -> str:
    assert set(names) <= set(texts(units))
    return without(text, units, np.array([unit.text not in names for unit in units]))


def test_a_note_is_cut_into_words_with_their_numbers_and_without_filler() -> None:
    found = texts(segment(NOTE))
    assert found[:6] == ["男性", "58岁", "胸痛", "3天", "心电图", "示"]
    assert {"ST段", "压低", "V1-V3", "39.2℃", "无", "否认", "高血压"} <= set(found)
    assert not set(found) & STOPS
    assert all(re.search(r"\w", text) for text in found)


def test_english_is_cut_at_white_space() -> None:
    note = "The 2-year-old's fever is 39.2 degrees; she denies cough, BP 150/95."
    assert texts(segment(note)) == [
        *("2-year-old's", "fever", "39.2", "degrees", "denies", "cough", "BP", "150/95")
    ]


def test_marks_win_over_words() -> None:
    again = NOTE.rindex("胸痛")
    marks = [
        (at(NOTE, "胸痛"), "finding", "胸痛"),
        (at(NOTE, "胸痛", again), "finding", "胸痛"),
        (at(NOTE, "体温39.2℃"), "value", "体温"),
        (at(NOTE, "39.2"), "finding", "高热"),
        (at(NOTE, "无发热"), "finding", "发热"),
        (at(NOTE, "无发热"), "finding", "寒战"),
    ]
    units = segment(NOTE, marks)
    by_name = {unit.name: unit for unit in units if unit.name}
    assert set(by_name) == {"胸痛", "体温", "发热"}  # the longest mark, and of equal ones the first
    assert by_name["胸痛"].spans == (at(NOTE, "胸痛"), at(NOTE, "胸痛", again))
    assert by_name["体温"].kind == "value"
    assert [unit.spans[0] for unit in units] == sorted(unit.spans[0] for unit in units)
    covered = np.zeros(len(NOTE), int)
    for unit in units:
        for start, end in unit.spans:
            covered[start:end] += 1
    assert covered.max() == 1


def test_two_values_of_one_analyte_are_two_units() -> None:
    note = "体温38.1℃,次日体温39.2℃"
    units = segment(
        note, [(at(note, "体温38.1℃"), "value", "体温"), (at(note, "体温39.2℃"), "value", "体温")]
    )
    assert [unit.text for unit in units if unit.kind == "value"] == ["体温38.1℃", "体温39.2℃"]


@pytest.mark.parametrize("span", [(3, 3), (-1, 2), (2, 999)])
def test_a_mark_outside_the_text_is_refused(span: tuple[int, int]) -> None:
    with pytest.raises(InvalidInputError, match="expected a span within the 4 characters"):
        segment("胸痛三天", [(span, "finding", "胸痛")])


@pytest.mark.parametrize("note", ["", "。,!", "的", "  \n", "患者,the"])
def test_a_note_of_punctuation_and_filler_has_no_units(note: str) -> None:
    assert segment(note) == ()


def test_a_note_of_one_word_has_one_unit() -> None:
    assert texts(segment("胸痛。")) == ["胸痛"]


def test_many_words_become_few_units_and_marks_stay() -> None:
    note = ("反复胸痛3天,伴气促、乏力,体温38.2℃。" * 1000)[:20_000]
    marks = [(at(note, "胸痛"), "finding", "胸痛")]
    units = segment(note, marks)
    assert len(note) == 20_000
    assert MAX_UNITS / 4 < len(units) <= MAX_UNITS
    assert [unit.name for unit in units if unit.kind == "finding"] == ["胸痛"]
    assert units[-1].spans[-1][1] > 19_980


def test_the_note_without_a_unit_is_tidy() -> None:
    units = segment(NOTE)
    assert dropped(NOTE, units) == NOTE
    assert dropped(NOTE, units, "58岁").startswith("患者男性,胸痛3天,")
    assert "压低,体温" in dropped(NOTE, units, "V1-V3")
    assert dropped(NOTE, units, "胸痛", "加重").endswith("高血压。")
    assert dropped(NOTE, units, "男性", "58岁", "胸痛", "3天").startswith("患者,心电图")
    assert dropped(NOTE, units, *texts(units)) == "患者。"
    note = "胸痛,58岁 (fever, cough)"
    units = segment(note)
    assert dropped(note, units, "胸痛") == "58岁 (fever, cough)"
    assert dropped(note, units, "fever") == "胸痛,58岁 (cough)"
    assert dropped(note, units, "cough") == "胸痛,58岁 (fever)"
    assert dropped(note, units, "fever", "cough") == "胸痛,58岁 "
    assert dropped(note, units, *texts(units)) == BLANK


PIECES = st.lists(
    st.sampled_from(
        ["胸痛", "无发热", "58岁", "fever", "39.2", ",", "。", " ", "(", ")", "、", "\n", "的", "!?"]
    ),
    max_size=14,
)


@settings(deadline=None, max_examples=80)
@given(PIECES, st.integers(0, 2**32))
def test_deleting_touches_nothing_but_the_unit(pieces: list[str], seed: int) -> None:
    note = "".join(pieces)
    units = segment(note)
    kept = np.random.default_rng(seed).random(len(units)) < 0.5
    left = without(note, units, kept)
    gone = {
        i for unit, stays in zip(units, kept, strict=True) if not stays for s in unit.spans for i in range(*s)
    }
    expected = [c for i, c in enumerate(note) if i not in gone and c.isalnum()]
    if not gone:
        assert left == note
    elif expected:
        assert [c for c in left if c.isalnum()] == expected
    else:
        assert left == BLANK
    assert len(left) <= max(len(note), 1)


def test_nothing_is_said_on_the_terminal_and_no_file_is_written(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert texts(segment("反复头痛")) == texts(segment("反复头痛"))
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_without_jieba_chinese_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xinglin.explain.words._jieba", _jieba.__wrapped__)
    monkeypatch.setitem(sys.modules, "jieba", None)
    with pytest.raises(MissingExtraError, match=r"xinglin\[explain\]"):
        segment("胸痛")
    assert list(words("fever today", 0, 11)) == [(0, 5), (6, 11)]
