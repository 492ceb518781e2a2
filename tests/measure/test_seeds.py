from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import permutation_test, ttest_rel

from xinglin.measure import compare_seeds, holm

VALUES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=8)


def test_it_equals_scipy() -> None:
    generator = np.random.default_rng(0)
    ours, theirs = generator.random(6), generator.random(6)
    found = compare_seeds(ours, theirs)
    peer = ttest_rel(ours, theirs)
    interval = peer.confidence_interval()
    assert (found.p, found.low, found.high) == pytest.approx((peer.pvalue, interval.low, interval.high))
    flips = permutation_test(
        (ours, theirs), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=np.inf
    )
    assert found.flip_p == pytest.approx(flips.pvalue)
    assert found.seeds == 6


@given(VALUES)
def test_swapping_the_ways_mirrors_the_outcome(pairs: list[tuple[float, float]]) -> None:
    ours, theirs = np.array(pairs).T
    one, other = compare_seeds(ours, theirs), compare_seeds(theirs, ours)
    assert one.gain == pytest.approx(-other.gain)
    assert one.low == pytest.approx(-other.high)
    assert one.p == pytest.approx(other.p)
    assert one.flip_p == pytest.approx(other.flip_p)
    assert one.low <= one.gain <= one.high
    assert 2 / 2 ** len(pairs) <= one.flip_p <= 1


def test_many_seeds_are_flipped_at_random() -> None:
    generator = np.random.default_rng(1)
    theirs = generator.random(24)
    assert compare_seeds(theirs + 0.2, theirs).flip_p < 0.001
    noise = compare_seeds(generator.random(24), theirs)
    assert noise.flip_p == pytest.approx(noise.p, abs=0.05)
    assert compare_seeds(theirs, theirs).p == 1.0


def test_unpaired_or_single_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="at least two seeds"):
        compare_seeds(np.ones(1), np.ones(1))
    with pytest.raises(ValueError, match="equal"):
        compare_seeds(np.ones(3), np.ones(2))


def test_holm_by_hand() -> None:
    # 4 x .01, then 3 x .015 = .045, then 2 x .03 = .06, then .06 again since it may not fall.
    assert holm(np.array([0.04, 0.01, 0.03, 0.015])) == pytest.approx([0.06, 0.04, 0.06, 0.045])
    assert holm(np.array([0.9, 0.8])) == pytest.approx([1.0, 1.0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_lowers_a_p_value_nor_changes_their_order(p: list[float]) -> None:
    adjusted = holm(np.array(p))
    assert (adjusted >= np.array(p)).all()
    assert (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()
