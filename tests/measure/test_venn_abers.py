"""Venn-Abers against its definition, and against the truth of simulated probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from xinglin.measure.venn_abers import VennAbers


def test_equals_the_definition() -> None:
    generator = np.random.default_rng(0)
    scores = np.round(generator.normal(size=80), 1)
    truth = (generator.random(80) < 1 / (1 + np.exp(-scores))).astype(np.int64)
    table = VennAbers.fit(scores, truth)
    grid = np.unique(scores)
    assert len(grid) > 20
    low, high = table.interval(grid)
    for score, p0, p1 in zip(grid, low, high, strict=True):
        for label, ours in ((0, p0), (1, p1)):
            fitted = IsotonicRegression().fit(np.append(scores, score), np.append(truth, label))
            assert ours == pytest.approx(float(fitted.predict([score])[0]), abs=1e-9)


def test_between_grid_scores_it_is_wider_and_beyond_them_it_knows_one_side_only() -> None:
    table = VennAbers.fit(np.array([0.0, 1.0, 2.0, 3.0]), np.array([0, 1, 0, 1]))
    low, high = table.interval(np.array([-9.0, 1.5, 9.0]))
    at = table.interval(np.array([1.0, 2.0]))
    assert low[0] == 0.0
    assert high[2] == 1.0
    assert low[1] == at[0][0]
    assert high[1] == at[1][1]
    assert (low <= high).all()


def test_the_true_probability_lies_between_on_average() -> None:
    generator = np.random.default_rng(1)
    scores = generator.normal(size=3000)
    truth = (generator.random(3000) < 1 / (1 + np.exp(-2 * scores))).astype(np.int64)
    new = generator.normal(size=3000)
    low, high = VennAbers.fit(scores, truth).interval(new)
    outcome = generator.random(3000) < 1 / (1 + np.exp(-2 * new))
    assert low.mean() - 0.02 < outcome.mean() < high.mean() + 0.02
    for part in np.array_split(np.argsort(new), 6):
        assert low[part].mean() - 0.06 < outcome[part].mean() < high[part].mean() + 0.06


def test_fewer_cases_make_it_wider() -> None:
    generator = np.random.default_rng(2)
    scores = generator.normal(size=2000)
    truth = (generator.random(2000) < 0.5).astype(np.int64)
    widths = []
    for count in (20, 2000):
        low, high = VennAbers.fit(scores[:count], truth[:count]).interval(np.zeros(1))
        widths.append(float((high - low)[0]))
    assert widths[0] > 2 * widths[1]


def test_bad_input() -> None:
    for scores, truth in (([], []), ([1.0], [0, 1]), ([np.nan], [1])):
        with pytest.raises(ValueError, match="finite scores"):
            VennAbers.fit(np.array(scores), np.array(truth, np.int64))
