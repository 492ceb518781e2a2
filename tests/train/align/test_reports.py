"""Templated texts: true of what they were written for, with test wordings that training never has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.train.align.reports import Described, Text, every_text, plain, queries, query, report, truth
from xinglin.train.align.statements import CONTRASTS, by_key, ratings, statements

RATED = st.fixed_dictionaries({}, optional={name: st.integers(1, 6).map(float) for name in ratings()})


@settings(max_examples=150, deadline=None)
@given(RATED, st.floats(3, 30), st.integers(0, 10_000), st.booleans())
def test_a_report_is_true_of_its_own_nodule(
    rated: dict[str, float], diameter: float, seed: int, held: bool
) -> None:
    nodule = Described(rated, diameter)
    text = report(nodule, np.random.default_rng(seed), held=held)
    assert truth(text, nodule) is True
    assert text.words.strip()
    assert "{" not in text.words
    for key in text.claims:
        statement = by_key()[key]
        said = [w for zh in (True, False) for w in statement.words(zh)]
        assert any(word in text.words for word in said)


def test_a_size_is_true_near_false_far_and_neither_between() -> None:
    nodule = Described({}, 10.0)
    told = [truth(Text("", (), size), nodule) for size in (10.0, 11.4, 12.0, 13.5, 6.0)]
    assert told == [True, True, None, False, False]


def test_a_rating_between_two_opposites_counts_for_neither() -> None:
    spiculated, smooth = by_key()["spiculated"], by_key()["not spiculated"]
    assert [spiculated.holds(level) for level in (1, 2, 3, 5, None)] == [False, None, True, True, None]
    assert [smooth.holds(level) for level in (1, 2, 3, None)] == [True, None, False, None]
    for one in statements():
        assert one.true
        assert one.false
        assert not one.true & one.false
    for key, contrast in CONTRASTS:
        assert by_key()[key].rating == by_key()[contrast].rating


def test_wordings_for_testing_are_none_of_training() -> None:
    generator = np.random.default_rng(0)
    trained = {query(one, generator).words for one in statements() for _ in range(400)}
    assert len(trained) > 300
    tested = {text for one in statements() for text in queries(one, held=True)}
    assert len(tested) > 60
    assert not trained & tested
    for one in statements():
        for chinese in (True, False):
            assert one.clauses(chinese, True)
            assert len(one.clauses(chinese, False)) >= len(one.clauses(chinese, True))


def test_but_their_words_and_forms_are() -> None:
    """A text tower that begins with nothing can put known pieces together, and knows no others."""
    known = set("".join(every_text(0, 3000)))
    unknown = {
        letter
        for one in statements()
        for text in queries(one, held=True)
        for letter in text
        if letter not in known
    }
    assert unknown == set()


def test_the_same_seed_writes_the_same() -> None:
    nodule = Described({"spiculation": 4.0, "texture": 5.0}, 8.2)
    assert report(nodule, np.random.default_rng(3)) == report(nodule, np.random.default_rng(3))
    assert every_text(1, 50) == every_text(1, 50)
    assert plain(np.random.default_rng(0)).claims == ()


@pytest.mark.parametrize("held", [False, True])
def test_nothing_rated_leaves_a_tidy_sentence(held: bool) -> None:
    for seed in range(20):
        words = report(Described({}, 5.0), np.random.default_rng(seed), held=held).words
        assert not words.endswith((",", ";", ":"))
        assert "()" not in words
        assert "  " not in words
