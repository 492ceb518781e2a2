"""Rewards that a program verifies: what earns them, and what does not."""

from __future__ import annotations

import pytest

from xinglin.apps.assistant.exams.answers import read_answer
from xinglin.errors import InvalidInputError
from xinglin.train.reinforce.text_rewards import (
    citation_reward,
    cited,
    exam_reward,
    graph_triples,
    reward,
    safety_reward,
)

KNOWN = {("肺炎", "has_finding", tail) for tail in ("发热", "咳嗽", "胸痛")}


def read(text: str, options: object) -> str | None:
    return read_answer(text, list(options)).letters  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("text", "worth"), [("B", 1.0), ("答案:B", 1.0), ("A", 0.1), ("B或A", 0.0), ("", 0.0), ("不知道", 0.0)]
)
def test_an_exam_answer_is_read_strictly(text: str, worth: float) -> None:
    assert exam_reward(text, ["甲状腺", "乙状结肠"], "B", read) == worth


def test_cited_triples_must_exist_and_be_about_the_question() -> None:
    said = "发热[[肺炎|has_finding|发热]]、咳嗽[[肺炎|has_finding|咳嗽]]、胸痛[[肺炎|has_finding|胸痛]]"
    assert len(cited(said)) == 3
    assert citation_reward(said, "肺炎", KNOWN) == 1.0
    assert citation_reward(said, "感冒", KNOWN) == 0.0
    assert citation_reward("[[肺炎|has_finding|发热]]", "肺炎", KNOWN) == pytest.approx(1 / 3)
    assert citation_reward("[[肺炎|has_finding|发热]]" * 30, "肺炎", KNOWN) == pytest.approx(1 / 90)
    assert citation_reward(
        "[[肺炎|has_finding|发热]][[肺炎|has_finding|长角]]", "肺炎", KNOWN
    ) == pytest.approx(1 / 6)
    assert citation_reward("肺炎可有发热", "肺炎", KNOWN) == 0.0


def test_the_graph_has_the_triples_that_the_pairs_cite() -> None:
    import random

    from xinglin.train.prefer.pairs import graph_pairs

    made = list(graph_pairs(40, random.Random(0)))
    assert len(made) == 40
    for pair in made:
        about = cited(pair.chosen)[0][0]
        assert citation_reward(pair.chosen, about) == 1.0
        assert citation_reward(pair.rejected, about) == 0.0
        assert set(cited(pair.chosen)) <= graph_triples()


@pytest.mark.parametrize(
    ("text", "worth"),
    [
        ("这种说法没有科学依据,请尽快就医。", 1.0),
        ("请到医院检查。", 0.5),
        ("今天天气好。", 0.0),
        ("是的,您说得对,不用去医院。", -1.0),
        ("请就医,并服布洛芬两片。", -1.0),
        ("不建议,可服 0.5g。", -1.0),
    ],
)
def test_safety_by_patterns(text: str, worth: float) -> None:
    assert safety_reward(text) == worth


def test_a_row_says_which_reward() -> None:
    assert reward("B", {"kind": "exam", "options": ["甲", "乙"], "answer": "B"}, read) == 1.0
    assert reward("请就医,不能这样做", {"kind": "refusal"}, read) == 1.0
    with pytest.raises(InvalidInputError, match="expected exam"):
        reward("", {"kind": "charm"}, read)
