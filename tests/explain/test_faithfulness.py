"""Faithfulness beside its definitions written out, and what makes it fail."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np
import pytest

from tests.explain.scores import letters, random_game, word_score
from xinglin.errors import InvalidInputError
from xinglin.explain import Game, exact_values, measure_faithfulness, segment
from xinglin.explain.faithfulness import ORDERS, SHARES, STEPS, four_figures


def probability(game: Game, kept: list[int]) -> float:
    mask = np.zeros((1, len(game)), bool)
    mask[0, kept] = True
    return float(1 / (1 + np.exp(-game.value(mask)[0])))


@pytest.mark.parametrize("count", [1, 3, 10, 33])
def test_the_four_figures_are_their_definitions(count: int) -> None:
    game = random_game(count, 8)
    order = np.random.default_rng(1).permutation(count)
    full, everything = probability(game, list(range(count))), set(range(count))
    erased, alone = [], []
    for share in SHARES:
        strongest = set(order[: ceil(share * count)].tolist())
        erased.append(full - probability(game, sorted(everything - strongest)))
        alone.append(full - probability(game, sorted(strongest)))
    points = sorted({round(x) for x in np.linspace(0, count, min(STEPS, count) + 1)})
    without = [probability(game, sorted(everything - set(order[:k].tolist()))) for k in points]
    only = [probability(game, sorted(order[:k].tolist())) for k in points]
    shares = np.array(points) / count
    expected = (
        np.mean(erased),
        np.mean(alone),
        sum((a + b) / 2 * w for a, b, w in zip(without, without[1:], np.diff(shares), strict=False)),
        sum((a + b) / 2 * w for a, b, w in zip(only, only[1:], np.diff(shares), strict=False)),
    )
    assert four_figures(random_game(count, 8), order) == pytest.approx(expected, abs=1e-9)


def additive(count: int) -> Game:
    weights = {f"w{i:02}": float(w) for i, w in enumerate(np.linspace(-1.5, 2.5, count))}
    return Game(word_score(weights), letters(count), segment(letters(count)), 0, "answer")


def test_a_true_explanation_beats_the_random_floor() -> None:
    game = additive(10)
    found = measure_faithfulness(game, exact_values(game))
    assert found.comprehensiveness > found.chance.comprehensiveness
    assert found.sufficiency < found.chance.sufficiency
    assert found.deletion < found.chance.deletion
    assert found.insertion > found.chance.insertion
    assert (found.stability, found.randomised, found.failed) == (1.0, None, ())


def test_the_opposite_explanation_fails_every_figure() -> None:
    game = additive(10)
    true = exact_values(game)
    wrong = replace(true, values=tuple(-value for value in true.values))
    found = measure_faithfulness(game, wrong)
    assert set(found.failed) == {"comprehensiveness", "sufficiency", "deletion", "insertion"}


def test_the_floor_is_of_the_seed() -> None:
    game = additive(10)
    true = exact_values(game)
    a, b, c = (measure_faithfulness(game, true, seed=seed).chance for seed in (0, 0, 1))
    assert a == b != c


def test_an_unstable_explanation_fails() -> None:
    game = additive(10)
    true = exact_values(game)
    shuffled = replace(true, values=true.values[5:] + true.values[:5])
    found = measure_faithfulness(game, true, again=[true, shuffled])
    assert found.stability < 0.7
    assert found.failed == ("stability",)
    assert measure_faithfulness(game, true, again=[true, true]).stability == 1.0


def test_an_explanation_that_does_not_need_the_weights_fails() -> None:
    game = additive(10)
    true = exact_values(game)
    other = replace(true, values=tuple(reversed(true.values)))
    assert measure_faithfulness(game, true, randomised=true).failed == ("randomised",)
    passed = measure_faithfulness(game, true, randomised=other)
    assert (passed.randomised, passed.failed) == (-1.0, ())


def test_few_units_are_not_judged_by_the_randomised_check() -> None:
    game = additive(3)
    true = exact_values(game)
    found = measure_faithfulness(game, true, randomised=true)
    assert (found.randomised, found.failed) == (1.0, ())


def test_one_unit_equals_its_floor_and_does_not_fail() -> None:
    game = additive(1)
    found = measure_faithfulness(game, exact_values(game))
    assert found.failed == ()
    assert found.deletion == found.chance.deletion


def test_the_questions_are_few_and_bounded() -> None:
    game = random_game(120, 0)
    true = replace(exact_values(random_game(3, 0)), units=game.units, values=tuple(np.arange(120.0)))
    measure_faithfulness(game, true)
    assert game.evaluations <= (1 + ORDERS) * (2 * len(SHARES) + 2 * (STEPS - 1)) + 2


def test_an_explanation_of_another_note_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="expected 4 units, got 3"):
        measure_faithfulness(random_game(4, 0), exact_values(random_game(3, 0)))
    with pytest.raises(InvalidInputError, match="orders"):
        measure_faithfulness(random_game(3, 0), exact_values(random_game(3, 0)), orders=0)
