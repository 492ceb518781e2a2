"""Sampled Shapley values: unbiased, efficient, bounded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.explain.scores import Table, letters, random_game, word_score
from xinglin.errors import InvalidInputError
from xinglin.explain import Game, measure_faithfulness, permutation_values, segment
from xinglin.explain.exact import shapley
from xinglin.explain.permutation import sampled


def test_the_mean_over_many_orders_is_the_shapley_value() -> None:
    truth = shapley(Table(7, 3))
    errors = [np.abs(sampled(Table(7, 3), budget=budget).values - truth).max() for budget in (30, 20_000)]
    assert errors[1] < 0.05
    assert errors[1] < errors[0]


def test_pairs_of_words_are_shared_exactly_by_an_order_and_its_reverse() -> None:
    note = letters(4)
    score = word_score({"w00": 1.0}, {("w01", "w02"): 2.0})
    found = permutation_values(Game(score, note, segment(note), 0), budget=2)
    assert found.values == pytest.approx((1.0, 1.0, 1.0, 0.0), abs=1e-9)
    assert found.method == "permutation"


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 24), st.integers(0, 1000), st.integers(2, 200))
def test_efficiency_whatever_the_budget(count: int, seed: int, budget: int) -> None:
    found = permutation_values(random_game(count, seed), budget=budget, seed=seed)
    assert sum(found.values) == pytest.approx(found.full - found.base, abs=1e-9)
    assert found.evaluations <= max(1.5 * budget + 2, 4 * count)


def test_seeds() -> None:
    runs = [permutation_values(random_game(12, 4), budget=60, seed=seed).values for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


def test_a_wrong_budget_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="at least 2, got 1"):
        permutation_values(random_game(3, 0), budget=1)


def test_reliability_is_the_agreement_of_halves() -> None:
    sure = permutation_values(Game(word_score({"w00": 1.0, "w01": -2.0}), letters(4), segment(letters(4)), 0))
    assert sure.reliability == pytest.approx(1.0)
    little, much = (sampled(Table(9, 3), budget=budget, seed=1).reliability for budget in (34, 20_000))
    assert little < much
    assert much > 0.95


def test_its_orders_are_those_of_the_chance_floor() -> None:
    game = random_game(20, 2)
    found = permutation_values(game, budget=280, seed=3)
    before = game.evaluations
    measure_faithfulness(game, found, orders=4, seed=3)
    # Only the explanation's own order is new: 5 shares twice, 9 inner steps twice.
    assert 0 < game.evaluations - before <= 28
