"""Figures against slow oracles and known cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from xinglin import measure as m
from xinglin.measure.intervals import upper_bound_zero_or_more


def calibrated(n: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    probability = generator.dirichlet(np.ones(classes), n)
    truth = np.array([generator.choice(classes, p=row) for row in probability])
    return probability, truth


@given(st.integers(1, 500), st.data())
def test_wilson_matches_scipy(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    figure = m.proportion(hits, n)
    oracle = binomtest(hits, n).proportion_ci(method="wilson")
    assert (figure.low, figure.high) == pytest.approx((oracle.low, oracle.high), abs=1e-9)


def test_zero_events_of_598_bound_the_rate_below_half_a_percent() -> None:
    assert upper_bound_zero_or_more(0, 598) < 0.005 < upper_bound_zero_or_more(0, 597)
    bound = upper_bound_zero_or_more(3, 100)
    assert binom.cdf(3, 100, bound) == pytest.approx(0.05)


def test_bootstrap_interval_covers_the_mean() -> None:
    covered = 0
    for seed in range(60):
        sample = np.random.default_rng(seed).normal(size=80)
        figure = m.bootstrap(lambda index, s=sample: float(s[index].mean()), 80, seed=seed, repetitions=400)
        covered += figure.low <= 0 <= figure.high
    assert covered >= 51


@given(st.integers(2, 6), st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_aps_sets_equal_brute_force(classes: int, seed: int) -> None:
    probability, truth = calibrated(40, classes, seed)
    scores = m.aps_scores(probability, truth)
    for row, label, score in zip(probability, truth, scores, strict=True):
        assert score == pytest.approx(sum(p for p in row if p > row[label]) + row[label])
    quantile = m.aps_quantile(scores, 0.9)
    assert quantile == sorted(scores)[int(np.ceil(41 * 0.9)) - 1]
    for row in probability:
        members = set(m.aps_set(row, quantile))
        inside = {c for c in range(classes) if row[row >= row[c]].sum() <= quantile + 1e-12}
        assert members == (inside or {int(row.argmax())})
        reached = m.mass_set(row, 0.9)
        assert row[reached].sum() >= 0.9 - 1e-9 > row[reached[:-1]].sum() - 2e-9


def test_conformal_coverage_holds() -> None:
    covered = []
    for seed in range(40):
        probability, truth = calibrated(400, 5, seed)
        quantile = m.aps_quantile(m.aps_scores(probability[:200], truth[:200]), 0.9)
        covered += [t in m.aps_set(p, quantile) for p, t in zip(probability[200:], truth[200:], strict=True)]
    assert np.mean(covered) >= 0.9


def test_too_few_calibration_cases_give_the_full_set() -> None:
    assert m.aps_quantile(np.array([0.2, 0.4]), 0.9) == 1.0
    assert m.aps_set(np.array([0.7, 0.2, 0.1]), 1.0) == [0, 1, 2]


def test_calibration_figures_of_a_calibrated_and_an_overconfident_model() -> None:
    probability, truth = calibrated(4000, 4, 1)
    top, correct = probability.max(1), probability.argmax(1) == truth
    slope, intercept = m.slope_intercept(top, correct)
    assert slope == pytest.approx(1, abs=0.1)
    assert intercept == pytest.approx(0, abs=0.1)
    assert m.debiased_ece(top, correct) < 0.02
    sharp = probability**3 / (probability**3).sum(1, keepdims=True)
    assert m.slope_intercept(sharp.max(1), correct)[0] < 0.6
    assert m.debiased_ece(sharp.max(1), correct) > 0.1
    assert m.fit_temperature(np.log(sharp), truth) == pytest.approx(3, rel=0.1)
    assert m.nll(probability, truth).mean() < m.nll(sharp, truth).mean()
    assert m.brier(probability, truth).mean() < m.brier(sharp, truth).mean()


def test_debiased_ece_is_near_zero_where_the_plain_one_is_not() -> None:
    probability, truth = calibrated(811, 10, 3)
    top, correct = probability.max(1), probability.argmax(1) == truth
    plain = sum(
        len(part) / 811 * abs(top[part].mean() - correct[part].mean())
        for part in np.array_split(np.argsort(top), 10)
    )
    assert m.debiased_ece(top, correct) < plain


def test_paired_test_matches_mcnemar_and_its_sign() -> None:
    ours = np.array([True] * 70 + [False] * 30)
    theirs = np.array([True] * 55 + [False] * 45)
    result = m.paired_accuracy(ours, theirs)
    assert result.gain == pytest.approx(0.15)
    assert result.p == pytest.approx(binomtest(15, 15).pvalue)
    assert result.low > 0
    with pytest.raises(ValueError, match="equal, non-empty"):
        m.paired_accuracy(ours, theirs[:5])


def test_ranking_figures() -> None:
    ranked, relevant = ["a", "b", "c", "d"], {"b", "d", "z"}
    assert m.hit_at(ranked, relevant, 1) == 0
    assert m.hit_at(ranked, relevant, 2) == 1
    assert m.precision_at(ranked, relevant, 5) == pytest.approx(0.4)
    assert m.recall_at(ranked, relevant, 4) == pytest.approx(2 / 3)
    hits = m.top_k(np.array([[0.5, 0.5, 0.0], [0.1, 0.2, 0.7]]), np.array([1, -1]), 1)
    assert hits.tolist() == [False, False]
