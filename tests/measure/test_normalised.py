"""Normalised conformal intervals: they cover, and are wider where it is harder."""

from __future__ import annotations

import numpy as np
import pytest

from xinglin.measure.normalised import NormalisedInterval


def _world(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    signs = generator.random((count, 2))
    return np.abs(generator.normal(size=count)) * (0.2 + 2 * signs[:, 0]), signs


def test_coverage_and_difficulty() -> None:
    interval = NormalisedInterval.fit(*_world(2000, 0), coverage=0.9)
    errors, signs = _world(4000, 1)
    half = interval.half_width(signs)
    assert (errors <= half).mean() == pytest.approx(0.9, abs=0.02)
    easy = signs[:, 0] < 0.5
    assert (errors <= half)[easy].mean() == pytest.approx(0.9, abs=0.04)
    assert half[~easy].mean() > 1.7 * half[easy].mean()
    assert interval.weights[1] > 5 * interval.weights[2]


def test_too_few_cases_give_no_bound() -> None:
    interval = NormalisedInterval.fit(np.array([1.0, 2.0]), np.ones((2, 1)), coverage=0.9)
    assert np.isinf(interval.half_width(np.ones((1, 1)))).all()


def test_bad_input() -> None:
    for errors, signs, coverage in (
        (np.zeros(0), np.zeros((0, 1)), 0.9),
        (np.ones(3), np.ones((2, 1)), 0.9),
        (np.ones(3), np.ones((3, 1)), 1.0),
    ):
        with pytest.raises(ValueError, match="coverage"):
            NormalisedInterval.fit(errors, signs, coverage)
