"""The accountant against dp-accounting, against the closed form without sampling, and against Opacus' own classes."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
import pytest
from benchmarks.privacy_accounting import ours, reference
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm

from xinglin.errors import ConfigurationError, InvalidInputError
from xinglin.federate.privacy.accountant import ORDERS, Step, check_delta, epsilon, merged, noise_for
from xinglin.federate.privacy.group import at_least_one, group_curve

ROUND = Step(32 / 4000, 1.0, 125)
DELTA = 1e-5
STEPS = st.builds(
    Step, st.sampled_from([0.004, 0.25, 1.0]), st.sampled_from([0.9, 1.8, 3.6, 7.2]), st.integers(1, 500)
)


def test_every_epsilon_is_that_of_dp_accounting() -> None:
    rows, origin = reference()
    assert origin == ("run now" if os.environ.get("XINGLIN_DP_ACCOUNTING") else "committed table")
    assert len(rows) == 17
    assert sum(row["rdp"] is not None for row in rows) == 13
    for row in rows:
        if row["rdp"] is not None:
            assert ours(row, "rdp") == pytest.approx(row["rdp"], rel=1e-3), row["name"]
        else:
            assert ours(row, "rdp") <= 1.5 * row["pld"], row["name"]
        assert ours(row, "rdp") >= row["pld"] - 1e-3, row["name"]


@pytest.mark.parametrize(
    "name",
    [
        "one round",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("200 rounds", "small hospital", "three jobs")),
    ],
)
def test_prv_is_an_upper_bound_and_close(name: str) -> None:
    (row,) = [row for row in reference()[0] if row["name"] == name]
    assert row["pld"] - 1e-3 <= ours(row, "prv") <= row["pld"] + 0.02


def test_the_figure_of_one_round_is_not_that_of_two_hundred() -> None:
    assert round(epsilon([ROUND], DELTA), 2) == 1.12
    assert round(epsilon([ROUND] * 200, DELTA), 1) == 8.7


def test_opacus_says_the_same() -> None:
    from opacus.accountants import RDPAccountant

    accountant = RDPAccountant()
    for rate, noise, count in ((0.008, 1.0, 1250), (0.1, 2.0, 100), (0.02, 1.5, 500)):
        accountant.history.append((noise, rate, count))
    steps = [Step(rate, noise, count) for noise, rate, count in accountant.history]
    assert epsilon(steps, DELTA) == pytest.approx(
        accountant.get_epsilon(DELTA, alphas=list(ORDERS)), rel=1e-12
    )
    assert epsilon(steps, DELTA) <= accountant.get_epsilon(DELTA) + 1e-12


@pytest.mark.parametrize(("noise", "steps"), [(1.0, 1), (5.0, 20), (2.0, 7), (40.0, 3)])
def test_without_sampling_it_bounds_the_exact_gaussian(noise: float, steps: int) -> None:
    """Balle and Wang 2018 (arXiv:1805.06530), theorem 8: the exact delta of the Gaussian mechanism."""
    mu = math.sqrt(steps) / noise

    def delta(eps: float) -> float:
        return float(norm.cdf(mu / 2 - eps / mu) - math.exp(eps) * norm.cdf(-mu / 2 - eps / mu))

    exact = brentq(lambda eps: delta(eps) - DELTA, 0.0, 100.0)
    assert exact - 1e-6 <= epsilon([Step(1.0, noise, steps)], DELTA, "prv") <= exact + 0.02
    assert exact <= epsilon([Step(1.0, noise, steps)], DELTA) <= 1.15 * exact + 0.1


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, max_size=4), STEPS, st.floats(1e-8, 1e-2), st.randoms())
def test_composition_has_the_laws_of_a_sum(past: list[Step], more: Step, delta: float, order: Any) -> None:
    before, after = epsilon(past, delta), epsilon([*past, more], delta)
    assert before <= after + 1e-9
    shuffled = [*past, more]
    order.shuffle(shuffled)
    assert epsilon(shuffled, delta) == pytest.approx(after, rel=1e-9)
    one_by_one = [Step(more.sample_rate, more.noise_multiplier)] * more.steps
    assert epsilon([*past, *one_by_one], delta) == pytest.approx(after, rel=1e-9)
    assert epsilon([*past, more], delta / 2) >= after - 1e-9
    noisier = Step(more.sample_rate, 2 * more.noise_multiplier, more.steps)
    assert epsilon([*past, noisier], delta) <= after + 1e-9
    assert epsilon([*past, more.of_group(2)], delta) >= after - 1e-9
    assert sum(step.steps for step in merged([*past, more])) == sum(step.steps for step in [*past, more])


@pytest.mark.parametrize(
    ("target", "rate", "steps", "group"), [(0.5, 1.0, 30, 1), (8.0, 1.0, 5, 3), (2.0, 0.05, 400, 1)]
)
def test_noise_for_is_the_least_that_keeps(target: float, rate: float, steps: int, group: int) -> None:
    noise = noise_for(target, DELTA, rate, steps, group=group)
    assert epsilon([Step(rate, noise, steps).of_group(group)], DELTA) <= target
    assert epsilon([Step(rate, noise * 0.998, steps).of_group(group)], DELTA) > target * 0.999


def test_noise_for_counts_what_was_spent_before() -> None:
    past = [Step(0.01, 1.0, 1000)]
    fresh, later = noise_for(3.0, DELTA, 0.01, 1000), noise_for(3.0, DELTA, 0.01, 1000, spent=past)
    assert later > fresh
    assert epsilon([*past, Step(0.01, later, 1000)], DELTA) <= 3.0
    assert noise_for(2.0, DELTA, 1.0, 4, kind="prv") < noise_for(2.0, DELTA, 1.0, 4)
    with pytest.raises(ConfigurationError, match="no noise keeps 1000 steps"):
        noise_for(1.0, DELTA, 0.01, 1000, spent=past)


def test_the_ends_of_the_scale() -> None:
    assert epsilon([], DELTA) == 0.0
    assert epsilon([ROUND, Step(0.5, 0.0)], DELTA) == math.inf
    assert epsilon([Step(1.0, 0.01, 5)], DELTA, "prv") == epsilon([Step(1.0, 0.01, 5)], DELTA) > 1000
    assert Step(1.0, 2.0).of_group(3) == Step(1.0, 2.0 / 3)
    assert Step(0.1, 2.0, 4).of_group(3) == Step(0.1, 2.0, 4, 3)
    assert Step(0.1, 2.0, 4).of_group(1) == Step(0.1, 2.0, 4)


def test_the_divergence_of_a_group_of_one_is_that_of_opacus() -> None:
    from opacus.accountants.analysis.rdp import compute_rdp

    for rate, noise in ((0.01, 1.0), (0.3, 4.0), (0.05, 0.6)):
        grid = group_curve(rate, noise, 1, ORDERS)
        exact = compute_rdp(q=rate, noise_multiplier=noise, steps=1, orders=ORDERS)
        known = np.isfinite(grid)
        assert known.sum() > 100
        np.testing.assert_allclose(grid[known], exact[known], rtol=3e-6, atol=1e-11)
        assert (grid[known] >= exact[known] * (1 - 1e-9)).all()


@pytest.mark.parametrize(("rate", "noise", "size"), [(0.2, 2.0, 2), (0.5, 3.0, 3), (0.05, 1.0, 4)])
def test_the_divergence_of_a_group_bounds_sums_over_who_was_drawn(
    rate: float, noise: float, size: int
) -> None:
    """At order 3 the moment is a sum over what three independent draws of the group would have been."""
    chance = [math.comb(size, k) * rate**k * (1 - rate) ** (size - k) for k in range(size + 1)]
    moment = sum(
        chance[a] * chance[b] * chance[c] * math.exp((a * b + b * c + a * c) / noise**2)
        for a in range(size + 1)
        for b in range(size + 1)
        for c in range(size + 1)
    )
    (found,) = group_curve(rate, noise, size, [3.0])
    assert found == pytest.approx(math.log(moment) / 2, rel=1e-5)


def test_more_examples_of_a_patient_cost_more_and_less_than_the_crude_bound() -> None:
    sizes = (1, 2, 3, 8, 64, 256, 257)
    found = [epsilon([Step(0.01, 60.0, 200).of_group(size)], DELTA) for size in sizes]
    assert found == sorted(found)
    for size, eps in zip(sizes[1:], found[1:], strict=True):
        rate, noise, count = at_least_one(0.01, 60.0, 200, size)
        assert eps <= epsilon([Step(rate, noise, count)], DELTA) + 1e-9


@pytest.mark.parametrize(
    "wrong",
    [
        (0.0, 1.0, 1), (-0.1, 1.0, 1), (1.1, 1.0, 1), (math.nan, 1.0, 1), ("0.1", 1.0, 1), (0.1, -1.0, 1),
        (0.1, math.inf, 1), (0.1, 1e7, 1), (0.1, 1.0, 0), (0.1, 1.0, 1.5), (0.1, 1.0, True), (0.1, 1.0, 10**10),
    ],
)  # fmt: skip
def test_steps_out_of_range_are_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInputError):
        Step(*wrong)


def test_other_numbers_out_of_range_are_refused() -> None:
    for delta in (0.0, 1.0, -1e-5, math.nan, "1e-5"):
        with pytest.raises(InvalidInputError, match="delta"):
            epsilon([ROUND], delta)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="accountant"):
        epsilon([ROUND], DELTA, "guess")  # type: ignore[arg-type]
    for target in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InvalidInputError, match="epsilon"):
            noise_for(target, DELTA, 0.1, 1)
    for size in (0, -1, 1.5, True):
        with pytest.raises(InvalidInputError, match="group"):
            ROUND.of_group(size)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="group already"):
        ROUND.of_group(2).of_group(2)
    check_delta(np.nextafter(1 / 4000, 0), 4000)
    with pytest.raises(InvalidInputError, match=r"1/n = 0\.00025 with n = 4000"):
        check_delta(1 / 4000, 4000)
