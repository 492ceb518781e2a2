"""FROC against a case computed by hand and against a slow count written from the rules alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.measure.froc import RATES, Annotations, Matched, curve, froc, match, sensitivity_at


def scan(marks, scores, nodules, excluded=()) -> Matched:
    """Marks on a line; nodules and excluded findings as (place, diameter)."""
    found = [*nodules, *excluded]
    return match(
        np.array([(x, 0, 0) for x in marks], float).reshape(-1, 3),
        np.array(scores, float),
        Annotations(
            np.array([(x, 0, 0) for x, _ in found], float).reshape(-1, 3),
            np.array([d for _, d in found], float),
            np.array([False] * len(nodules) + [True] * len(excluded)),
        ),
    )


def by_hand() -> list[Matched]:
    """Two scans, three nodules.

    A: nodule at 0 of 10 mm hit by .9 and .4 (one hit, .9); nodule at 50 of 6 mm: the mark at 53 lies exactly on its
    radius and so misses (false positive .8); mark .7 on an excluded finding of no size at 100 (radius 2.5) is dropped.
    B: nodule at 0 of 8 mm hit by .5; false positives .6 and .3.
    """
    return [
        scan([0, 4.9, 53, 102.4], [0.9, 0.4, 0.8, 0.7], [(0, 10), (50, 6)], [(100, -1)]),
        scan([1, 20, 30], [0.5, 0.6, 0.3], [(0, 8)]),
    ]


def test_a_case_computed_by_hand():
    a, b = by_hand()
    assert a.hits.tolist() == [0.9]
    assert a.false.tolist() == [0.8]
    assert b.hits.tolist() == [0.5]
    assert sorted(b.false.tolist()) == [0.3, 0.6]
    rate, sensitivity = curve([a, b])
    # Thresholds .9 .8 .6 .5 .3: false positives a scan 0 .5 1 1 1.5; nodules found 1 1 1 2 2 of 3.
    assert rate.tolist() == [0, 0, 0.5, 1, 1, 1.5]
    assert sensitivity == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3, 2 / 3, 2 / 3])
    # At 1 a scan both nodules are found; below it one.
    expected = [1 / 3, 1 / 3, 1 / 3, 2 / 3, 2 / 3, 2 / 3, 2 / 3]
    assert sensitivity_at([a, b]) == pytest.approx(expected)
    found = froc([a, b], repetitions=50)
    assert found.cpm.value == pytest.approx(np.mean(expected))
    assert (found.scans, found.nodules) == (2, 3)
    assert [figure.value for figure in found.sensitivity] == pytest.approx(expected)
    # Resampling two scans gives only AA, AB and BB, so the interval spans A alone (one of two) to B alone (one of one).
    assert found.cpm.low < found.cpm.value < found.cpm.high


def slow(scans, rate: float) -> float:
    """Sensitivity at the lowest threshold whose false positives a scan do not exceed ``rate``, one by one."""
    nodules = sum(one.nodules for one in scans)
    best = 0.0
    for threshold in [np.inf, *(value for one in scans for value in (*one.hits, *one.false))]:
        wrong = sum(int(value >= threshold) for one in scans for value in one.false) / len(scans)
        right = sum(int(value >= threshold) for one in scans for value in one.hits) / nodules
        if wrong <= rate:
            best = max(best, right)
    return best


values = st.lists(st.integers(0, 1000), max_size=6, unique=True)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(values, values, st.integers(0, 3)), min_size=1, max_size=5))
def test_agrees_with_a_slow_count(drawn):
    """Without ties between a hit and a false positive the curve is a stair, and the stair can be counted."""
    scans = [
        Matched(np.array(hits, float), np.array(false, float) + 0.5, len(hits) + missed)
        for hits, false, missed in drawn
    ]
    if not sum(one.nodules for one in scans):
        with pytest.raises(ValueError, match="at least one nodule"):
            curve(scans)
        return
    # Two equal false positives of two scans enter together; between such steps we interpolate, as LUNA16 does.
    flat = [value for one in scans for value in one.false]
    if len(set(flat)) < len(flat):
        return
    exact = [rate for rate in RATES if (rate * len(scans)) % 1 == 0]
    for rate in exact:
        assert sensitivity_at(scans, [rate])[0] == pytest.approx(slow(scans, rate))


def test_a_mark_on_two_overlapping_nodules_hits_both():
    assert scan([1], [0.5], [(0, 8), (2, 8)]).hits.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("marks", "scores", "nodules"),
    [
        ([0], [0.1, 0.2], [(0, 5)]),
        ([0], [np.nan], [(0, 5)]),
        ([0], [0.5], [(0, -1)]),
        ([0], [0.5], [(0, np.nan)]),
    ],
)
def test_refuses_what_the_rules_cannot_judge(marks, scores, nodules):
    with pytest.raises(ValueError, match="expected"):
        scan(marks, scores, nodules)
