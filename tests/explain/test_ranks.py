"""Rank correlation beside scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from xinglin.explain.ranks import rank_correlation


@pytest.mark.parametrize("seed", range(5))
def test_equals_scipy_with_and_without_ties(seed: int) -> None:
    generator = np.random.default_rng(seed)
    for draw in (generator.normal, lambda size: generator.integers(0, 4, size).astype(float)):
        a, b = draw(size=20), draw(size=20)
        assert rank_correlation(a, b) == pytest.approx(float(spearmanr(a, b).statistic), abs=1e-12)


def test_constants() -> None:
    assert rank_correlation([1.0, 1.0], [3.0, 3.0]) == 1.0
    assert rank_correlation([1.0, 1.0], [3.0, 4.0]) == 0.0
    assert rank_correlation([1.0], [2.0]) == 1.0
