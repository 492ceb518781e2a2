"""Exact Shapley values beside a brute force over all orders, and their axioms."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.explain.scores import Table, letters, random_game, word_score
from xinglin.errors import InputTooLargeError
from xinglin.explain import Explainable, Game, exact_values, segment
from xinglin.explain.exact import MAX_EXACT, shapley


def brute_force(game: Explainable) -> np.ndarray:  # type: ignore[type-arg]
    """The definition: the mean over all orders of what a unit adds when its turn comes."""
    parts = len(game)
    total, orders = np.zeros(parts), 0
    for order in permutations(range(parts)):
        mask = np.zeros((1, parts), bool)
        before = game.value(mask)[0]
        for unit in order:
            mask[0, unit] = True
            after = game.value(mask)[0]
            total[unit] += after - before
            before = after
        orders += 1
    return total / orders


@pytest.mark.parametrize(("count", "seed"), [(1, 0), (2, 1), (4, 2), (6, 3)])
def test_equals_brute_force(count: int, seed: int) -> None:
    game = random_game(count, seed)
    assert shapley(game) == pytest.approx(brute_force(random_game(count, seed)), abs=1e-9)


def test_any_game_equals_brute_force() -> None:
    assert shapley(Table(6, 9)) == pytest.approx(brute_force(Table(6, 9)), abs=1e-9)


def test_twelve_units_are_explained_and_thirteen_refused() -> None:
    game = random_game(MAX_EXACT, 5)
    found = exact_values(game)
    assert found.evaluations == 2**MAX_EXACT
    assert found.gap == pytest.approx(0.0, abs=1e-9)
    assert found.complete
    assert (found.method, found.target) == ("exact", "target")
    with pytest.raises(InputTooLargeError, match="at most 12 units, got 13"):
        exact_values(random_game(13, 0))


GAMES = st.tuples(st.integers(2, 6), st.integers(0, 10_000))


@settings(deadline=None, max_examples=25)
@given(GAMES)
def test_efficiency(drawn: tuple[int, int]) -> None:
    found = exact_values(random_game(*drawn))
    assert sum(found.values) == pytest.approx(found.full - found.base, abs=1e-9)


@settings(deadline=None, max_examples=25)
@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3))
def test_symmetry_and_null_unit(alone: float, other: float, together: float) -> None:
    score = word_score(
        {"w00": alone, "w01": alone, "w02": other}, {("w00", "w02"): together, ("w01", "w02"): together}
    )
    found = exact_values(Game(score, letters(4), segment(letters(4)), 0))
    assert found.values[0] == pytest.approx(found.values[1], abs=1e-9)
    assert found.values[3] == pytest.approx(0.0, abs=1e-12)


def test_linearity() -> None:
    a, b = {"w00": 1.0, "w01": -0.4}, {"w01": 2.0, "w02": 0.3}
    both = {"w00": 1.0, "w01": 1.6, "w02": 0.3}
    note = letters(3)
    first, second, sum_ = (shapley(Game(word_score(w), note, segment(note), 0)) for w in (a, b, both))
    assert first + second == pytest.approx(sum_, abs=1e-9)
