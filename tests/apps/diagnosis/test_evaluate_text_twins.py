"""Near duplicates against brute force."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.apps.diagnosis.evaluate.text_twins import LENGTH, NEAR, find_twins

TEXTS = st.lists(st.text("甲乙丙,", max_size=9), min_size=1, max_size=6)


def grams(text: str) -> set[str]:
    plain = text.replace(",", "")
    return {plain[i : i + LENGTH] for i in range(max(1, len(plain) - LENGTH + 1))} if plain else set()


@given(TEXTS, TEXTS)
@settings(max_examples=60, deadline=None)
def test_equals_brute_force(learnt: list[str], scored: list[str]) -> None:
    found = find_twins(learnt, ["x"] * len(learnt), scored, ["x"] * len(scored))
    for place, text in enumerate(scored):
        plain = text.replace(",", "")
        same = bool(plain) and any(plain == other.replace(",", "") for other in learnt)
        shares = [
            len(grams(text) & grams(other)) / len(grams(text) | grams(other))
            for other in learnt
            if grams(text) | grams(other)
        ]
        assert found.same[place] == same
        assert found.near[place] == (not same and max(shares, default=0.0) >= NEAR)


def test_counts_twins_with_another_label() -> None:
    found = find_twins(
        ["头痛怎么办?", "头痛怎么办", "咳嗽吃什么药好得快"],
        ["甲", "乙", "甲"],
        ["头痛怎么办!", "咳嗽吃什么药好得快呢", "全不相干的话"],
        ["丙", "甲", "甲"],
    )
    assert found.same.tolist() == [True, False, False]
    assert found.near.tolist() == [False, True, False]
    assert found.contrary == 1


def test_many_texts_are_compared_in_parts() -> None:
    texts = [f"第{number}个病人问的问题" for number in range(600)]
    found = find_twins(texts[:300], ["x"] * 300, texts, ["x"] * 600)
    assert found.same.tolist() == [True] * 300 + [False] * 300
    assert isinstance(found.near, np.ndarray)
