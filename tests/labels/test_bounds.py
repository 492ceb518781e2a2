"""Exact bounds: known numbers, slow oracles, coverage by enumeration of small populations and by simulation."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from xinglin.labels.bounds import (
    boundary,
    hypergeometric_upper,
    missed_upper,
    passes_at,
    sequential_upper,
    stopping,
)
from xinglin.measure.intervals import upper_bound_zero_or_more


@pytest.mark.parametrize(("errors", "items"), [(0, 598), (1, 947), (2, 1258)])
def test_the_known_audit_sizes_of_an_endless_population(errors: int, items: int) -> None:
    assert upper_bound_zero_or_more(errors, items) < 0.005
    assert upper_bound_zero_or_more(errors, items - 1) >= 0.005
    # the finite population comes to the same as it grows, and is never worse
    endless = 10_000_000
    assert hypergeometric_upper(errors, items, endless, 0.05) / endless < 0.005
    assert hypergeometric_upper(errors, items - 1, endless, 0.05) / endless >= 0.00499
    assert hypergeometric_upper(errors, items, 20_000, 0.05) / 20_000 < 0.00499


TIE = 1e-6
"""An exact tie with alpha goes to the safe side."""


def small() -> st.SearchStrategy[tuple[int, int, int]]:
    return st.integers(1, 40).flatmap(
        lambda n: st.integers(0, n).flatmap(
            lambda read: st.tuples(st.integers(0, read), st.just(read), st.just(n))
        )
    )


@settings(max_examples=100, deadline=None)
@given(small(), st.sampled_from([0.2, 0.05, 0.01]))
def test_fixed_bound_against_the_definition(case: tuple[int, int, int], alpha: float) -> None:
    wrong, read, n = case
    tails = [
        sum(comb(d, k) * comb(n - d, read - k) for k in range(wrong + 1)) / comb(n, read)
        for d in range(n + 1)
    ]
    assert hypergeometric_upper(wrong, read, n, alpha) == max(
        d for d in range(n + 1) if tails[d] > alpha * (1 - TIE)
    )


def evidence(count: int, wrong: int, read: int, n: int) -> Fraction:
    """The martingale of one hypothesis by its definition, in exact arithmetic."""
    ways = [comb(n - read, d - wrong) if 0 <= d - wrong <= n - read else 0 for d in range(n + 1)]
    chance = [Fraction(ways[d], comb(n, d)) for d in range(n + 1)]  # of one given order of right and wrong
    weight = Fraction(count * (count + 1), 2)
    return sum((count - d) * chance[d] for d in range(count)) / weight / chance[count]


@settings(max_examples=100, deadline=None)
@given(small(), st.sampled_from([0.2, 0.05, 0.01]))
def test_sequential_bound_against_the_definition(case: tuple[int, int, int], alpha: float) -> None:
    wrong, read, n = case
    kept = [
        d
        for d in range(wrong, n - read + wrong + 1)
        if d == 0 or evidence(d, wrong, read, n) < (1 + TIE) / alpha
    ]
    assert sequential_upper(wrong, read, n, alpha) == max(kept)
    # what is not ruled out lies together: no larger count is ruled out before a smaller one
    assert kept == list(range(kept[0], kept[-1] + 1))


@pytest.mark.parametrize("n", [1, 2, 7, 25, 60])
@pytest.mark.parametrize("alpha", [0.2, 0.05])
def test_the_sequential_bound_covers_every_small_population_exactly(n: int, alpha: float) -> None:
    """The chance that the bound is ever below the truth, over all orders, by the paths of (read, wrong)."""
    upper = {
        (read, wrong): sequential_upper(wrong, read, n, alpha)
        for read in range(n + 1)
        for wrong in range(read + 1)
    }
    worst = 0.0
    for truth in range(n + 1):
        alive = {0: 1.0}
        for read in range(n):
            following: dict[int, float] = {}
            for wrong, chance in alive.items():
                hit = (truth - wrong) / (n - read)
                for more, share in ((wrong + 1, hit), (wrong, 1 - hit)):
                    if share and upper[read + 1, more] >= truth:
                        following[more] = following.get(more, 0.0) + chance * share
            alive = following
        worst = max(worst, 1 - sum(alive.values()))
    assert worst <= alpha + 1e-9
    if n >= 25:
        assert worst > alpha / 4  # a bound that never fails would be of no use


def test_peeking_with_the_fixed_bound_breaks_it() -> None:
    """Why the sequential bound is needed: the same check fails for the fixed bound looked at after every item."""
    generator, n, truth, alpha = np.random.default_rng(0), 400, 40, 0.05
    # the fixed bound is below the truth exactly where the tail at the truth is at most alpha
    read = np.arange(1, n + 1)
    failed = 0
    for _ in range(300):
        seen = np.cumsum(generator.permutation(n) < truth)
        failed += bool(np.any(hypergeom.cdf(seen, n, truth, read) <= alpha))
    assert failed / 300 > 2 * alpha


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 300), st.data(), st.sampled_from([0.2, 0.05, 0.01]))
def test_the_boundary_is_where_the_bound_passes(n: int, data: st.DataObject, alpha: float) -> None:
    count = data.draw(st.integers(1, n))
    limits = boundary(count, n, alpha)
    assert len(limits) == count
    assert list(limits) == sorted(limits)
    for wrong in {0, count // 2, count - 1}:
        read = int(limits[wrong])
        assert sequential_upper(wrong, read, n, alpha) < count
        if read - 1 >= max(wrong, 1):
            assert sequential_upper(wrong, read - 1, n, alpha) >= count


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 200), st.data())
def test_how_far_to_go_on_is_the_boundary(n: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, n))
    wrong = data.draw(st.integers(0, count))
    expected = int(boundary(count, n, 0.05)[wrong]) if wrong < count else None
    assert passes_at(count, wrong, wrong, n, 0.05) == expected


def test_stopping_is_exact_and_holds_its_level() -> None:
    n, count, alpha = 2_000, 10, 0.05
    limits = boundary(count, n, alpha)
    assert 0.8 * alpha < stopping(limits, n, count).sum() <= alpha
    generator = np.random.default_rng(1)
    truth, trials = 5, 4_000
    stopped = np.zeros(len(limits))
    for _ in range(trials):
        places = np.append(np.sort(generator.choice(n, truth, replace=False)) + 1, n + 1)
        stopped[np.nonzero(limits[: truth + 1] < places)[0][0]] += 1
    expected = stopping(limits, n, truth)
    assert expected.sum() == pytest.approx(1)
    deviation = np.sqrt(np.maximum(expected * (1 - expected), 1e-9) / trials)
    assert np.all(np.abs(stopped / trials - expected) < 5 * deviation + 1e-3)


def test_a_short_list_of_limits_is_the_start_of_the_long_one() -> None:
    assert list(boundary(100, 20_000, 0.05, 3_000)) == list(boundary(100, 20_000, 0.05)[:7])
    assert len(boundary(100, 20_000, 0.05, 10)) == 0


@pytest.mark.parametrize("missed", [0.0, 0.1, 0.4])
def test_what_an_audit_overlooks(missed: float) -> None:
    found, alpha, n = 7, 0.02, 1000
    upper = missed_upper(found, missed, n, alpha)
    tail = lambda e: sum(comb(e, k) * (1 - missed) ** k * missed ** (e - k) for k in range(found + 1))  # noqa: E731
    assert tail(upper) > alpha
    assert tail(upper + 1) <= alpha
    assert upper == found or missed
    assert missed_upper(n, missed, n, alpha) == n


def test_the_ends() -> None:
    assert hypergeometric_upper(0, 0, 10, 0.05) == sequential_upper(0, 0, 10, 0.05) == 10
    assert hypergeometric_upper(3, 10, 10, 0.05) == sequential_upper(3, 10, 10, 0.05) == 3
    assert hypergeom.cdf(0, 20_000, hypergeometric_upper(0, 500, 20_000, 0.05) + 1, 500) <= 0.05
    assert sequential_upper(0, 1_000, 10_000_000, 0.05) > hypergeometric_upper(0, 1_000, 10_000_000, 0.05)


@pytest.mark.parametrize(
    "case",
    [
        (-1, 5, 10, 0.05),
        (6, 5, 10, 0.05),
        (0, 11, 10, 0.05),
        (0, 0, 0, 0.05),
        (0, 1, 10, 0.0),
        (0, 1, 10, 1.0),
    ],
)
def test_impossible_counts_are_refused(case: tuple[int, int, int, float]) -> None:
    for bound in (hypergeometric_upper, sequential_upper):
        with pytest.raises(ValueError, match="expected"):
            bound(*case)
    with pytest.raises(ValueError, match="expected 1 <= count"):
        boundary(11, 10, 0.05)
    with pytest.raises(ValueError, match="expected 0 <= missed"):
        missed_upper(1, 1.0, 10, 0.05)
