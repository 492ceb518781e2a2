"""Figures of an examination against counting by hand, and what a model is shown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.apps.assistant.exams import figures as f
from xinglin.apps.assistant.exams.figures import Outcome
from xinglin.apps.assistant.exams.prompts import completion, continuations, messages, worked_examples
from xinglin.records.contamination import Overlap
from xinglin.records.exams import LETTERS, VERDICTS, ExamItem


def item(place: int, answer: str, options: int = 4, subject: str | None = None) -> ExamItem:
    texts = tuple(f"选项{'长' * (at == 2)}{at}" for at in range(options))
    return ExamItem(str(place), f"第{place}题", texts, answer, subject, "cmexam")


ITEMS = [item(0, "A"), item(1, "B", 5), item(2, "C", subject="内"), item(3, "AC"), item(4, "B", subject="内")]
OUTCOMES = [Outcome("A", "x"), Outcome("A", "x"), Outcome("C", "x"), Outcome("AC", "x"), Outcome(None, "tie")]


def test_counting_by_hand() -> None:
    held = f.hits(ITEMS, OUTCOMES)
    assert held.tolist() == [True, False, True, True, False]
    subjects = f.by_subject(ITEMS, held)
    assert {name: (one.value, one.n) for name, one in subjects.items()} == {"内": (0.5, 2)}
    found = f.places(ITEMS, OUTCOMES)
    assert found is not None
    assert found.answered == {"A": 2, "C": 1}
    assert {letter: one.value for letter, one in found.recall.items()} == {"A": 1.0, "B": 0.0, "C": 1.0}
    assert found.spread == pytest.approx(float(np.std([1, 0, 1])))
    split = f.by_overlap(
        held, [Overlap(20, 0.0), Overlap(20, 0.4), Overlap(5, None), Overlap(9, 0.0), Overlap(9, 1.0)]
    )
    assert {name: one and (one.value, one.n) for name, one in split.items()} == {
        "clean": (1.0, 2), "dirty": (0.0, 2), "unchecked": (1.0, 1),
    }  # fmt: skip


def test_floors() -> None:
    floors = f.floors(ITEMS, [item(9, "B"), item(10, "B"), item(11, "A")], seed=0)
    assert floors["random"].value == pytest.approx((0.25 + 0.2 + 0.25 + 0.0 + 0.25) / 5)
    assert floors["majority"].value == pytest.approx(2 / 5)
    assert floors["longest"].value == pytest.approx(1 / 5)
    many = [item(place, "A") for place in range(1000)]
    chance = f.guessing(many, seed=1)
    spread = 1.96 * (0.25 * 0.75 / 1000) ** 0.5
    assert chance.low == pytest.approx(0.25 - spread, abs=0.004)
    assert chance.high == pytest.approx(0.25 + spread, abs=0.004)
    assert f.majority([item(0, "C"), item(1, "B")]) == "B"  # the first in order among equals


def test_rotations_tell_knowing_from_a_favourite_letter() -> None:
    items = [item(place, LETTERS[place % 4]) for place in range(40)]
    knows = [[Outcome(one.rotated(by).answer, "x") for by in range(4)] for one in items]
    found = f.rotations(items, knows, seed=0)
    assert (found.accuracy.value, found.consistent.value, found.lowest) == (1.0, 1.0, 1.0)
    says_b = [[Outcome("B", "x")] * 4 for _ in items]
    found = f.rotations(items, says_b, seed=0)
    assert (found.accuracy.value, found.consistent.value) == (0.25, 0.0)
    silent = f.rotations(items, [[Outcome(None, "refusal")] * 4 for _ in items], seed=0)
    assert (silent.accuracy.value, silent.consistent.value) == (0.0, 0.0)


@given(st.integers(1, 6), st.integers(0, 5))
def test_worked_examples_are_fixed_and_spread(count: int, start: int) -> None:
    train = [item(place, LETTERS[place % 3]) for place in range(30)] + [item(99, "AB")]
    chosen = worked_examples(train, count)
    assert len(chosen) == count
    assert chosen == worked_examples(train[start:] + train[:start], count)
    assert all(len(one.answer) == 1 for one in chosen)
    used = [sum(one.answer == letter for one in chosen) for letter in "ABC"]
    assert max(used) - min(used) <= 1


def test_what_a_model_is_shown_holds_no_answer_of_its_own() -> None:
    asked = ExamItem("1", "首选何药", ("甲药", "乙药"), "B", None, "cmexam", explanation="因为乙药好")
    shown = completion(asked, [item(7, "A")])
    assert shown.startswith("题目:第7题\nA. 选项0")
    assert shown.endswith("题目:首选何药\nA. 甲药\nB. 乙药\n答案:")
    assert "因为" not in shown + str(messages(asked, []))
    assert continuations(asked) == ["A", "B"]
    assert completion(asked, [], options=False) == "题目:首选何药\n答案:"
    assert continuations(asked, options=False) == ["甲药", "乙药"]
    verdict = ExamItem("2", "Does it help?", VERDICTS, "C", None, "pubmedqa", "We tried it.")
    assert completion(verdict, []) == "Abstract: We tried it.\nQuestion: Does it help?\nAnswer:"
    assert continuations(verdict) == [" yes", " no", " maybe"]
