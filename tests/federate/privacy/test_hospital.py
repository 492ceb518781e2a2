"""Central noise: clipped, of the stated size, drawn as accounted; and the honest figure for few hospitals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.errors import InvalidInputError
from xinglin.federate.privacy.accountant import Step, epsilon
from xinglin.federate.privacy.hospital import draw, guarantee, private_average

SECRET = b"repeatable, so not private"
SITES = [f"h{n}" for n in range(20)]


def state(*values: float) -> dict[str, Any]:
    return {
        "a": np.array(values[:2], np.float32),
        "b": np.array([values[2:]], np.float64),
        "n": np.array([7]),
    }


def average(before: Any, updates: Any, **changes: Any) -> dict[str, Any]:
    given_ = {"clip": 1.0, "noise_multiplier": 1e-9, "expected": 2.0, "seed": 0, "secret": SECRET} | changes
    return private_average(before, updates, **given_)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.floats(-50, 50), min_size=4, max_size=4), max_size=5), st.floats(0.1, 20))
def test_no_hospital_moves_the_state_further_than_its_share(changes: list[list[float]], clip: float) -> None:
    before = state(0.5, -0.5, 1.0, 2.0)
    start = np.array([0.5, -0.5, 1.0, 2.0])
    expected = np.zeros(4)
    for change in changes:
        exact = np.array([*np.float32(start[:2] + np.float32(change[:2])), *(start[2:] + change[2:])]) - start
        norm = float(np.linalg.norm(exact))
        expected += exact * min(1.0, clip / norm) if norm else 0
    updates = [state(*(start + np.array(change))) for change in changes]
    after = average(before, updates, clip=clip, expected=3.0)
    found = np.concatenate([after["a"], after["b"][0]])
    np.testing.assert_allclose(found, start + expected / 3, atol=2e-5)
    assert (after["a"].dtype, after["b"].dtype, after["n"].tolist()) == (np.float32, np.float64, [7])


def test_the_noise_is_that_of_the_accountant_even_if_nobody_came() -> None:
    before = {"w": np.zeros(20_000)}
    after = average(before, [], clip=3.0, noise_multiplier=2.0, expected=4.0)["w"]
    assert after.std() == pytest.approx(2.0 * 3.0 / 4.0, rel=0.03)
    assert abs(after.mean()) < 5 * 1.5 / np.sqrt(20_000)
    again = average(before, [], clip=3.0, noise_multiplier=2.0, expected=4.0)["w"]
    np.testing.assert_array_equal(after, again)
    fresh = [
        average(before, [], clip=3.0, noise_multiplier=2.0, expected=4.0, secret=None)["w"] for _ in range(2)
    ]
    assert not np.array_equal(*fresh)


def test_each_hospital_is_drawn_by_itself() -> None:
    rounds = [draw(SITES, 0.3, seed=n, secret=SECRET) for n in range(2000)]
    sizes = np.array([len(drawn) for drawn in rounds])
    assert sizes.mean() == pytest.approx(6, abs=0.2)
    assert sizes.var() == pytest.approx(4.2, rel=0.15)
    for site in SITES[:3]:
        assert np.mean([site in drawn for drawn in rounds]) == pytest.approx(0.3, abs=0.045)
    assert draw(SITES, 1.0, seed=0) == tuple(SITES)


def test_few_hospitals_get_an_honest_figure() -> None:
    few = guarantee(4, 1.0, 1.0, 50, 1e-4)
    assert few.epsilon == epsilon([Step(1.0, 1.0, 50)], 1e-4) > 40
    assert "few" in few.note["en"]
    assert "医院太少" in few.note["zh"]
    many = guarantee(1000, 0.05, 1.0, 50, 1e-4)
    assert many.epsilon < 5
    assert "few" not in many.note["en"]
    for wrong in (
        (0, 1.0, 1.0, 1, 1e-4),
        (4, 0.0, 1.0, 1, 1e-4),
        (4, 1.0, 1.0, 1, 0.25),
        (4, 1.0, -1.0, 1, 0.1),
    ):
        with pytest.raises(InvalidInputError):
            guarantee(*wrong)


def test_bad_updates_are_refused() -> None:
    before = state(0, 0, 0, 0)
    for wrong in (
        {"a": before["a"]},
        before | {"a": np.array([np.nan, 0], np.float32)},
        before | {"a": np.array([np.inf, 0], np.float32)},
        before | {"a": np.zeros(3, np.float32)},
        before | {"a": np.array(["x", "y"])},
    ):
        with pytest.raises(InvalidInputError, match="update 1"):
            average(before, [before, wrong])
    for name in ("clip", "noise_multiplier", "expected"):
        for value in (0.0, -1.0, float("nan"), float("inf")):
            with pytest.raises(InvalidInputError, match=name):
                average(before, [], **{name: value})
    for rate in (0.0, 1.5, float("nan")):
        with pytest.raises(InvalidInputError, match="sample_rate"):
            draw(SITES, rate, seed=0)
    with pytest.raises(InvalidInputError, match="at least one"):
        draw([], 0.5, seed=0)
