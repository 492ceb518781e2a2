"""The risk-coverage curve against all orders of the ties."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.measure.risk import aurc, least_aurc, risk_curve

CASES = st.lists(st.tuples(st.sampled_from([0.2, 0.5, 0.5, 0.9]), st.booleans()), min_size=1, max_size=6)


def brute_force(cases: list[tuple[float, bool]]) -> np.ndarray:
    """Mean curve over every order in which confidence never rises."""
    curves = []
    for order in permutations(cases):
        if all(one[0] >= other[0] for one, other in pairwise(order)):
            curves.append([sum(not hit for _, hit in order[:k]) / k for k in range(1, len(order) + 1)])
    assert curves
    return np.mean(curves, axis=0)


@given(CASES)
@settings(max_examples=60, deadline=None)
def test_curve_is_the_mean_over_all_orders_of_the_ties(cases: list[tuple[float, bool]]) -> None:
    confidence, correct = np.array([c for c, _ in cases]), np.array([hit for _, hit in cases])
    expected = brute_force(cases)
    assert risk_curve(confidence, correct) == pytest.approx(expected)
    assert aurc(confidence, correct) == pytest.approx(expected.mean())


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_the_least_area_is_that_of_errors_last(hits: list[bool]) -> None:
    correct = np.array(sorted(hits, reverse=True))
    confidence = np.linspace(1, 0, len(hits))
    assert least_aurc(int((~correct).sum()), len(hits)) == pytest.approx(aurc(confidence, correct))
    rng = np.random.default_rng(0)
    for _ in range(5):
        assert aurc(rng.random(len(hits)), correct) >= least_aurc(int((~correct).sum()), len(hits)) - 1e-12


def test_order_of_the_file_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    confidence, correct = rng.integers(0, 4, 50) / 4, rng.random(50) < 0.7
    order = rng.permutation(50)
    assert aurc(confidence, correct) == pytest.approx(aurc(confidence[order], correct[order]))


def test_all_answered_has_the_error_rate() -> None:
    correct = np.array([True, False, True, True])
    assert risk_curve(np.array([0.1, 0.4, 0.2, 0.3]), correct)[-1] == 0.25


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="equal, non-empty"):
        risk_curve(np.array([]), np.array([], bool))
    with pytest.raises(ValueError, match="equal, non-empty"):
        aurc(np.array([0.5]), np.array([True, False]))
    with pytest.raises(ValueError, match="0 <= errors"):
        least_aurc(3, 2)
