"""Hits and distances on points placed by hand; AUROC against counting all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.measure.localisation import auroc, localisation


def test_both_rules_on_their_borders():
    centres = np.zeros((4, 3))
    points = np.array([[3.0, 0, 0], [0, 3.0, 0], [0, 0, 5.0], [0, 0, 5.1]])
    found = localisation(points, centres, np.array([4.0, 6.0, 10.0, 10.0]))
    # 3 mm: within 3, not below radius 2; within 3, not below radius 3; within radius 5 but not below; outside.
    assert found["hit_rate"].value == 0.75
    assert found["hit_rate_luna16"].value == 0.0
    assert found["median_mm"].value == pytest.approx(4.0)
    assert found["hit_rate"].n == 4


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=1, max_size=20))
def test_auroc_counts_pairs(drawn):
    labels = np.array([label for label, _ in drawn])
    scores = np.array([float(score) for _, score in drawn])
    pairs = [
        (scores[i] > scores[j]) + 0.5 * (scores[i] == scores[j])
        for i in np.flatnonzero(labels)
        for j in np.flatnonzero(1 - labels)
    ]
    assert (
        auroc(labels, scores) == pytest.approx(np.mean(pairs)) if pairs else np.isnan(auroc(labels, scores))
    )


def test_refuses_a_point_that_is_nowhere():
    with pytest.raises(ValueError, match="finite"):
        localisation(np.full((1, 3), np.nan), np.zeros((1, 3)), np.array([5.0]))
