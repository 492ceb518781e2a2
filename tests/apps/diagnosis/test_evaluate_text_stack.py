"""The pool: weights, correction, folds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from xinglin.apps.diagnosis.evaluate.text_stack import (
    RIDGES,
    fit_stack,
    folds_of,
    settle,
    softened,
    tempered,
)


def made(n: int, labels: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    y = generator.integers(0, labels, n)
    scores = noise * generator.normal(size=(n, labels))
    scores[np.arange(n), y] += 1.5
    return scores, y


def nll(p: np.ndarray, y: np.ndarray) -> float:
    return float(-np.log(p[np.arange(len(y)), y]).mean())


@given(st.integers(2, 60), st.integers(2, 8), st.integers(0, 50))
@settings(max_examples=30, deadline=None)
def test_folds_part_the_cases_and_spread_every_label(n: int, count: int, seed: int) -> None:
    y = np.random.default_rng(seed).integers(0, 3, n)
    folds = folds_of(y, count, seed)
    assert sorted(np.concatenate([held for _, held in folds]).tolist()) == list(range(n))
    assert all(len(rest) + len(held) == n and not set(rest) & set(held) for rest, held in folds)
    for label in np.unique(y):
        sizes = [int((y[held] == label).sum()) for _, held in folds]
        assert max(sizes) - min(sizes) <= 1


def test_two_weak_members_beat_each_alone_and_noise_counts_nothing() -> None:
    first, y = made(300, 4, 1.5, 0)
    second = 1.5 * np.random.default_rng(1).normal(size=first.shape)
    second[np.arange(300), y] += 1.5
    noise = np.random.default_rng(2).normal(size=first.shape)
    stack, inner = fit_stack([first, second, noise], y)
    alone = [nll(softened(part, tempered(part, y)), y) for part in (first, second)]
    assert nll(inner, y) < min(alone) - 0.1
    assert stack.weight[2] < 0.25 < stack.weight[:2].min()
    assert inner.sum(axis=1) == pytest.approx(1)
    assert stack.ridge in RIDGES


def test_a_member_that_slights_a_label_is_corrected() -> None:
    scores, y = made(500, 3, 1.0, 3)
    slighted = scores - np.array([0.0, 0.0, 2.5])
    stack, inner = fit_stack([slighted], y)
    assert np.isfinite(stack.ridge)
    assert (inner.argmax(1) == y).mean() > (slighted.argmax(1) == y).mean() + 0.03


def test_a_plain_pool_equals_its_formula() -> None:
    first, y = made(100, 3, 2.5, 4)
    stack, _ = fit_stack([first, first[:, ::-1].copy()], y)
    logs = [
        log_softmax(part / t, axis=1)
        for part, t in zip((first, first[:, ::-1]), stack.temperature, strict=True)
    ]
    pooled = sum(w * part for w, part in zip(stack.weight, logs, strict=True))
    if np.isinf(stack.ridge):
        assert stack.correction.any() == stack.bias.any() == False  # noqa: E712
    else:
        pooled = pooled + (np.hstack(logs) - stack.centre) @ stack.correction + stack.bias
    assert stack.probabilities([first, first[:, ::-1]]) == pytest.approx(np.exp(log_softmax(pooled, axis=1)))


def test_what_is_given_back_was_not_learnt_from() -> None:
    """Members of pure noise: a stack that had seen a case would do better than chance on it."""
    generator = np.random.default_rng(5)
    y = np.arange(90) % 3
    _, inner = fit_stack([generator.normal(size=(90, 3)) for _ in range(6)], y)
    assert nll(inner, y) > np.log(3) - 0.02


def test_the_same_seed_gives_the_same_stack() -> None:
    scores, y = made(100, 3, 2.0, 6)
    first, second = fit_stack([scores], y, 7)[0], fit_stack([scores], y, 7)[0]
    assert (first.weight == second.weight).all()
    assert (first.correction == second.correction).all()


def test_a_member_that_knew_most_cases_is_trusted_less_once_settled() -> None:
    """It remembers the labels of the first 300 cases and guesses on the 150 that are new, as on any other."""
    honest, y = made(450, 3, 1.5, 8)
    generator = np.random.default_rng(9)
    remembered = generator.normal(size=honest.shape)
    remembered[np.arange(300), y[:300]] += 3.0
    new = np.arange(300, 450)
    scores = [honest, remembered]
    stack, inner = fit_stack(scores, y)
    settled, again = settle(stack, inner, scores, y, new)
    assert nll(again, y[new]) < nll(inner[new], y[new]) - 0.1

    other, truth = made(300, 3, 1.5, 10)
    asked = [other, generator.normal(size=other.shape)]
    assert nll(settled.probabilities(asked), truth) < nll(stack.probabilities(asked), truth) - 0.1


def test_a_stack_that_was_right_stays_as_it_is() -> None:
    scores, y = made(400, 3, 1.5, 11)
    stack, inner = fit_stack([scores], y)
    settled, _ = settle(stack, inner, [scores], y, np.arange(200, 400))
    assert settled.probabilities([scores]) == pytest.approx(stack.probabilities([scores]), abs=0.12)
    assert abs(settled.weight[:-1].sum() + settled.weight[-1] - 1) < 0.35
