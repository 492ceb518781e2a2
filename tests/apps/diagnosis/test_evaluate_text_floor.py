"""Linear models of n-grams, and cross-fitting."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from xinglin.apps.diagnosis.evaluate.text_floor import (
    FLOOR,
    LOGISTIC_C,
    NgramScorer,
    WordScorer,
    cross_fit,
    linear_scores,
    log_count_ratio,
    spread,
    word_pairs,
)
from xinglin.apps.diagnosis.evaluate.text_stack import Ids, folds_of

pytest.importorskip("sklearn")
WORDS = ("咳嗽咳痰", "腹痛腹泻", "头痛头晕")


def cases(n: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    generator = np.random.default_rng(seed)
    y = np.arange(n) % len(WORDS)
    fill = "我这两天不太舒服想问问怎么办"
    texts = ["".join(generator.choice(list(fill), 6)) + WORDS[label] for label in y]
    return texts, y


def test_all_three_learn_what_tells() -> None:
    texts, y = cases(60)
    found = NgramScorer(texts, y[:45], 3, 0)(np.arange(45), np.arange(45, 60))
    assert set(found) == {FLOOR, "logistic", "nbsvm"}
    for name, scores in found.items():
        assert scores.shape == (15, 3), name
        assert (scores.argmax(1) == y[45:]).all(), name


def test_log_count_ratios_against_a_slow_oracle() -> None:
    generator = np.random.default_rng(0)
    present = generator.integers(0, 2, (12, 5))
    inside = np.arange(12) < 5
    found = log_count_ratio(sparse.csr_matrix(present), inside)
    for feature in range(5):
        ours = (1 + present[inside, feature].sum()) / (5 + present[inside].sum())
        theirs = (1 + present[~inside, feature].sum()) / (5 + present[~inside].sum())
        assert found[feature] == pytest.approx(np.log(ours / theirs))


def test_pairs_have_no_order_and_do_not_reach_far() -> None:
    found = word_pairs(["b", "a", *"defgh", "z"])
    assert found[:8] == ["b", "a", *"defgh", "z"]
    assert "a\0b" in found
    assert "b\0a" not in found
    assert "a\0z" in found
    assert "b\0z" not in found
    assert word_pairs([]) == []


def test_words_tell_as_well() -> None:
    texts, y = cases(60)
    found = WordScorer([list(text) for text in texts], y[:45], 3, 0)(np.arange(45), np.arange(45, 60))
    assert set(found) == {"word pairs", "word pairs, nbsvm"}
    for name, scores in found.items():
        assert (scores.argmax(1) == y[45:]).all(), name


def test_a_label_without_a_learnt_case_comes_last() -> None:
    texts, y = cases(30)
    rest = np.flatnonzero(y != 2)
    for name, scores in NgramScorer(texts, y, 3, 0)(rest, np.arange(30)).items():
        assert (scores.argmin(1) == 2).all(), name
    two = spread(np.array([2.0, -1.0]), [0, 2], 3)
    assert two.argmax(1).tolist() == [2, 0]
    assert two.argmin(1).tolist() == [1, 1]


def test_texts_too_short_to_share_an_ngram() -> None:
    scorer = NgramScorer(["甲", "乙", "丙", "丁", "甲"], np.array([0, 0, 1, 1]), 2, 0)
    assert scorer(np.arange(4), np.array([4]))[FLOOR].argmax() == 0


def test_the_penalty_is_one_of_the_choices_and_is_used() -> None:
    texts, y = cases(60)
    scorer = NgramScorer(texts, y, 3, 0)
    assert scorer.choose(np.arange(40), np.arange(40, 60)) in LOGISTIC_C
    first = scorer(np.arange(40), np.arange(40, 60))["logistic"]
    scorer.c = 1e-4
    assert np.abs(scorer(np.arange(40), np.arange(40, 60))["logistic"]).max() < np.abs(first).max()


def test_cross_fitting_never_scores_a_case_by_a_model_that_saw_it() -> None:
    y = np.arange(20) % 2
    seen: list[tuple[set[int], set[int]]] = []

    def score(rest: Ids, asked: Ids) -> dict[str, np.ndarray]:
        seen.append((set(rest.tolist()), set(asked.tolist())))
        return {"m": np.column_stack([asked, asked]).astype(float)}

    found = cross_fit(score, folds_of(y, 4, 0), 20, 3)["m"]
    assert len(seen) == 5
    assert all(not rest & asked for rest, asked in seen)
    assert seen[-1] == (set(range(20)), {20, 21, 22})
    assert found.inner[:, 0].tolist() == list(range(20))
    assert found.outer[:, 0].tolist() == [20, 21, 22]


def test_dense_features_are_standardised_on_the_learnt_part() -> None:
    generator = np.random.default_rng(0)
    y = np.arange(40) % 2
    x = generator.normal(size=(40, 3)) * 1000 + 5
    x[:, 0] += 5000 * y
    scores = linear_scores(x[:30], y[:30], x[30:], 2, 1.0)
    assert (scores.argmax(1) == y[30:]).all()
