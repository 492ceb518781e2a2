"""The rule of support on sentences whose answer is known."""

from __future__ import annotations

import pytest

from xinglin.apps.assistant.evidence import Source
from xinglin.apps.assistant.support import SupportRule
from xinglin.terms.vocabulary import Vocabulary

SOURCE = Source("document", "高血压", "高血压患者常有头痛、头晕,收缩压达到140以上,多数不伴发热。", "a.md")


@pytest.fixture(scope="module")
def rule(vocabulary: Vocabulary) -> SupportRule:
    return SupportRule(vocabulary)


@pytest.mark.parametrize(
    "sentence", ["高血压患者常有头痛、头晕。", "高血压患者多数不伴发热。", "收缩压达到140以上[3]。"]
)
def test_what_stands_there_is_supported(rule: SupportRule, sentence: str) -> None:
    assert rule.check(sentence, [SOURCE]).sources == (0,)


@pytest.mark.parametrize(
    ("sentence", "lacks"),
    [
        ("糖尿病患者常有头痛、头晕。", "糖尿病史"),
        ("高血压患者常有胸痛、头晕。", "胸痛"),
        ("收缩压达到160以上。", "160"),
        ("高血压患者不会有头痛。", None),
        ("高血压患者常有发热。", "发热"),
        ("月亮是奶酪做的。", "overlap"),
        ("。", "overlap"),
    ],
)
def test_what_does_not_is_not(rule: SupportRule, sentence: str, lacks: str | None) -> None:
    verdict = rule.check(sentence, [SOURCE])
    assert verdict.sources == ()
    assert lacks is None or lacks in verdict.missing


def test_the_best_source_comes_first(rule: SupportRule) -> None:
    other = Source("document", "头痛", "头痛有很多原因,高血压患者的头痛是其中之一。", "b.md")
    assert rule.check("高血压患者常有头痛、头晕。", [other, SOURCE]).sources == (1,)
    assert rule.check("高血压患者常有头痛。", []).sources == ()
