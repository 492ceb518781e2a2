"""BM25 against the formula written out term by term."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.apps.assistant.bm25 import K1, B, build_bm25, grams

TEXT = st.text(alphabet="高血压头痛ab1 ,。", max_size=30)


def slow(passages: list[str], query: str) -> list[float]:
    counted = [Counter(grams(passage)) for passage in passages]
    lengths = [sum(count.values()) for count in counted]
    mean = sum(lengths) / len(lengths) if lengths else 0.0
    scores = []
    for count, length in zip(counted, lengths, strict=True):
        total = 0.0
        for term in grams(query):
            holding = sum(term in other for other in counted)
            if count[term]:
                idf = math.log(1 + (len(passages) - holding + 0.5) / (holding + 0.5))
                total += idf * count[term] * (K1 + 1) / (count[term] + K1 * (1 - B + B * length / mean))
        scores.append(total)
    return scores


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=6), TEXT)
def test_scores_are_the_formula(passages: list[str], query: str) -> None:
    np.testing.assert_allclose(
        build_bm25(passages).scores(query), slow(passages, query), rtol=1e-4, atol=1e-6
    )


def test_terms_are_bigrams_and_words() -> None:
    assert grams("高血压 CT检查,5.5") == ["高血", "血压", "ct", "检查", "5.5"]
    assert grams("头 ,。") == ["头"]
    assert grams("") == []
