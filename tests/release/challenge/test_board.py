"""Ranks against the tests written out pair by pair; intervals; subgroups."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from tests.release.challenge.contest import answers, cases
from xinglin.measure import bootstrap_pairs, holm, mcnemar_pairs, paired_accuracy
from xinglin.release.challenge.board import figures_of, interval, ranks, row_from, subgroups
from xinglin.release.challenge.metrics import METRICS


@pytest.mark.parametrize("seed", range(12))
def test_ranks_are_the_number_of_better_entries_by_paired_tests(seed: int) -> None:
    generator = np.random.default_rng(seed)
    count = 2 + seed % 5
    hits = generator.random((count, 80)) < generator.uniform(0.3, 1.0, (count, 1))
    pairs = [(one, other) for one in range(count) for other in range(one + 1, count)]
    apart = [(int((hits[a] & ~hits[b]).sum()), int((hits[b] & ~hits[a]).sum())) for a, b in pairs]
    raw = [binomtest(won, won + lost).pvalue if won + lost else 1.0 for won, lost in apart]
    worse = dict.fromkeys(range(count), 0)
    for (a, b), p in zip(pairs, holm(np.array(raw)), strict=True):
        if p < 0.05:
            worse[a if hits[a].mean() < hits[b].mean() else b] += 1
    order = sorted(range(count), key=lambda one: -hits[one].mean())
    expected, least = {}, 1
    for one in order:
        least = max(least, 1 + worse[one])
        expected[one] = least
    found = ranks(METRICS["accuracy"], 1.0 - hits, 0.05)
    for one in range(count):
        same = [other for other in range(count) if hits[other].mean() == hits[one].mean()]
        assert found[one] == min(expected[other] for other in same)


def test_pairs_agree_with_the_single_test() -> None:
    hits = np.random.default_rng(0).random((3, 60)) < np.array([[0.5], [0.7], [0.8]])
    p = mcnemar_pairs(hits)
    assert np.array_equal(p, p.T)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert abs(p[one, other] - paired_accuracy(hits[one], hits[other]).p) < 1e-9
    assert (np.diag(p) == 1).all()


def test_bootstrap_pairs_sees_a_difference_and_no_other() -> None:
    generator = np.random.default_rng(1)
    base = generator.normal(0, 1, 200)
    values = np.array([base, base + generator.normal(0.3, 0.5, 200), base + generator.normal(0, 0.5, 200)])
    p = bootstrap_pairs(values)
    assert p[0, 1] < 0.01
    assert p[0, 2] > 0.05
    assert np.allclose(p, p.T)
    assert (np.diag(p) == 1).all()


def test_a_level_is_kept_when_nothing_differs() -> None:
    """Ten entries of the same skill: all share rank 1 in at least 95 of 100 boards, up to chance."""
    generator = np.random.default_rng(3)
    split = 0
    for _ in range(100):
        hits = generator.random((10, 150)) < 0.8
        split += len(set(ranks(METRICS["accuracy"], 1.0 - hits, 0.05))) > 1
    assert split <= 10


def test_intervals_tell_the_number_of_hits_alone() -> None:
    one = np.array([1.0] * 30 + [0.0] * 10)
    assert interval(one) == interval(one[::-1]) == interval(np.random.default_rng(0).permutation(one))
    assert interval(one).low < 0.75 < interval(one).high


def test_subgroups_hide_small_ones_and_what_would_give_them_away() -> None:
    hidden = cases(80, 0)
    found = subgroups(METRICS["accuracy"], answers(5, hidden=hidden), hidden)
    assert found["age = old"] is None
    assert found["age = adult"] is None
    male, female = found["sex = male"], found["sex = female"]
    assert male is not None
    assert female is not None
    assert male.n + female.n == 80
    assert subgroups(METRICS["accuracy"], answers(0, hidden=hidden), []) == {}


def test_metrics_agree_with_measure() -> None:
    hidden = cases(40, 0)
    told = answers(8, hidden=hidden)
    assert figures_of(METRICS["accuracy"], told, hidden).mean() == 0.8
    assert figures_of(METRICS["brier"], told, hidden).mean() == 2 * 0.2
    for metric in METRICS.values():
        figures = figures_of(metric, told, hidden)
        losses = metric.losses(figures)
        assert losses.min() >= 0
        assert losses.max() <= 1
        # A right answer never costs more than a wrong one.
        right = figures_of(METRICS["accuracy"], told, hidden) == 1
        assert losses[right].max() <= losses[~right].min()


def test_lines_survive_json() -> None:
    from xinglin.release.challenge.board import Row

    row = Row("bo", "x", 3, "model", 1, interval(np.ones(20)), 2, "t", groups={"a = b": None})
    assert row_from(row.as_json()) == row
