"""The Ladder: what it accepts, and an attack that works on a naive board and fails on it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.release.challenge.ladder import climb


def losses(*values: int) -> np.ndarray:
    return np.array(values, float)


def test_the_first_is_told_and_a_clear_gain_too() -> None:
    first = climb(losses(*[1] * 50, *[0] * 50), None, None)
    assert (first.told, first.accepted) == (0.5, True)
    better = climb(np.zeros(100), losses(*[1] * 50, *[0] * 50), 0.5)
    assert (better.told, better.accepted) == (0.0, True)


def test_a_gain_within_one_standard_error_is_not_told() -> None:
    best = losses(*[1] * 20, *[0] * 80)
    # One case better, 9 exchanged: the difference has standard deviation sqrt(.0 + ...) and its error is .044.
    other = losses(*[0] * 10, *[1] * 10, *[1] * 9, *[0] * 71)
    step = float((other - best).std(ddof=1)) / math.sqrt(100)
    assert other.mean() < best.mean()
    assert other.mean() > best.mean() - step
    assert climb(other, best, 0.2) == climb(best, best, 0.2)
    assert climb(other, best, 0.2).told == 0.2


@given(st.lists(st.lists(st.booleans(), min_size=12, max_size=12), min_size=1, max_size=30))
def test_what_is_told_never_rises_and_is_the_last_accepted(rows: list[list[bool]]) -> None:
    best, told = None, None
    for row in rows:
        new = np.array(row, float)
        rung = climb(new, best, told)
        if told is not None:
            assert rung.told <= told
            # Against the definition, written out.
            assert rung.accepted == (new.mean() < told - np.std(new - best, ddof=1) / math.sqrt(12))
        assert abs(rung.told * 12 - round(rung.told * 12)) < 1e-9
        if rung.accepted:
            assert rung.told == pytest.approx(new.mean())
            best, told = new, rung.told


def test_losses_out_of_range_or_of_other_cases() -> None:
    for bad, best in ((np.array([]), None), (np.array([2.0]), None), (np.zeros(3), np.zeros(2))):
        with pytest.raises(ValueError, match="losses"):
            climb(bad, best, 0.5)


def boosting(n: int, tries: int, ladder: bool, seed: int) -> tuple[float, float]:
    """The attack of Blum and Hardt 2015, section 4: random answers, the majority of those that scored better.

    Returns the accuracy told of the majority vote, and its true one on labels that never were on the board.
    """
    generator = np.random.default_rng(seed)
    hidden, fresh = generator.integers(0, 2, n), generator.integers(0, 2, 20 * n)
    told, best = None, None
    kept, kept_fresh = [], []

    def answer(guess: np.ndarray) -> float:
        nonlocal told, best
        loss = (guess != hidden).astype(float)
        if not ladder:
            return float(loss.mean())
        rung = climb(loss, best, told)
        if rung.accepted:
            best = loss
        told = rung.told
        return rung.told

    before = answer(generator.integers(0, 2, n))
    for _ in range(tries):
        guess, elsewhere = generator.integers(0, 2, n), generator.integers(0, 2, 20 * n)
        score = answer(guess)
        # A naive board tells of each guess whether it beats chance; the Ladder, whether it beats the best before.
        flip = score > 0.5 and not ladder
        if flip or score < (before if ladder else 0.5):
            kept.append(1 - guess if flip else guess)
            kept_fresh.append(1 - elsewhere if flip else elsewhere)
        before = score
    majority = (np.mean(kept, axis=0) > 0.5).astype(int) if kept else generator.integers(0, 2, n)
    majority_fresh = (
        (np.mean(kept_fresh, axis=0) > 0.5).astype(int) if kept else generator.integers(0, 2, 20 * n)
    )
    return 1 - answer(majority), float((majority_fresh == fresh).mean())


def test_boosting_gains_on_a_naive_board_and_not_on_the_ladder() -> None:
    naive = np.array([boosting(400, 300, False, seed) for seed in range(5)])
    ladder = np.array([boosting(400, 300, True, seed) for seed in range(5)])
    # Nothing is learnt of the world: on fresh labels both are coin flips.
    assert abs(naive[:, 1].mean() - 0.5) < 0.02
    assert abs(ladder[:, 1].mean() - 0.5) < 0.02
    assert naive[:, 0].mean() > 0.75, naive
    # Three standard errors: what the best of 300 coin flips reaches without any attack.
    assert ladder[:, 0].mean() < 0.5 + 3 * 0.5 / math.sqrt(400), ladder
    assert naive[:, 0].mean() - 0.5 > 3 * (ladder[:, 0].mean() - 0.5)
