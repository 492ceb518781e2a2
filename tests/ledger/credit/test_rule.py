"""From values to points: intervals, the rule, copies, and evidence that anyone can work through again."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from tests.ledger.credit.made import made
from xinglin.errors import ConflictError, InvalidInputError
from xinglin.ledger.credit.duplicates import first_holders
from xinglin.ledger.credit.evidence import assess, evidence, evidence_hash
from xinglin.ledger.credit.rule import POINTS, Interval, basis_points, counted, over_runs
from xinglin.ledger.credit.sampled import Plan


@settings(max_examples=50)
@given(
    st.dictionaries(st.text("abcdefgh", min_size=1, max_size=3), st.floats(0, 1e12), min_size=1, max_size=40)
)
def test_points_sum_to_ten_thousand_and_follow_the_quota(values: dict[str, float]) -> None:
    if not any(values.values()):
        with pytest.raises(ConflictError):
            basis_points(values)
        return
    points = basis_points(values)
    assert sum(points.values()) == POINTS
    assert points == basis_points(dict(reversed(values.items())))
    total = math.fsum(values.values())
    for site, value in values.items():
        assert abs(points[site] - value / total * POINTS) < 1 + 1e-6
        if value == 0:
            assert points[site] == 0


def test_ties_go_to_the_first_name() -> None:
    assert basis_points({"c": 1.0, "a": 1.0, "b": 1.0}) == {"c": 3333, "a": 3334, "b": 3333}
    assert basis_points({"x": 5e-324}) == {"x": 10_000}


def test_only_what_is_above_nothing_counts() -> None:
    values = {
        "sure": Interval(2.0, 1.0, 3.0, 5),
        "perhaps": Interval(9.0, -0.1, 18.0, 5),
        "harms": Interval(-4.0, -5.0, -3.0, 5),
    }
    assert counted(values) == {"sure": 2.0, "perhaps": 0.0, "harms": 0.0}


def test_the_interval_is_students_widened_for_overlap() -> None:
    numbers = np.random.default_rng(0).normal(1.0, 0.3, 12).tolist()
    plain = over_runs(numbers, 0.0)
    oracle = ttest_1samp(numbers, 0.0).confidence_interval(0.95)
    assert (plain.low, plain.high) == pytest.approx((oracle.low, oracle.high))
    wide = over_runs(numbers, 0.5)
    assert (wide.high - wide.low) / (plain.high - plain.low) == pytest.approx(math.sqrt((1 / 12 + 0.5) * 12))
    for wrong in ([1.0], [], [1.0, math.nan]):
        with pytest.raises(InvalidInputError):
            over_runs(wrong, 0.5)
    with pytest.raises(InvalidInputError, match="ratio"):
        over_runs([1.0, 2.0], -1.0)


def test_a_record_counts_for_its_first_holder() -> None:
    records = {"late": ["1", "2", "3"], "first": ["2", "9", "2"], "copy": ["9", "1"]}
    assert first_holders(records, ["first", "late", "copy"]) == {
        "first": [0, 1, 2],
        "late": [0, 2],
        "copy": [],
    }
    for order in (["first", "late"], ["first", "late", "copy", "copy"]):
        with pytest.raises(InvalidInputError, match="order"):
            first_holders(records, order)


def test_evidence_gives_the_same_points_to_everybody() -> None:
    content = made()
    contributions, payout = assess(content)
    assert [one.site for one in contributions] == ["east", "noise", "west"]
    assert (
        payout.points
        == {one.site: one.points for one in contributions}
        == {"east": 6667, "noise": 0, "west": 3333}
    )
    again = json.loads(json.dumps(content))
    assert assess(again)[1] == payout
    assert payout.evidence == evidence_hash(again)
    again["runs"][0]["values"][1][1] += 1e-9
    assert assess(again)[1].evidence != payout.evidence


def test_evidence_of_sampled_orders_is_worked_through_from_its_seed() -> None:
    plan = Plan(seed=5, least=20, most=20)
    content = made(orders=plan)
    assert assess(content)[1].points["noise"] == 0
    content["orders"]["seed"] = 6
    assert assess(content)[1].evidence != assess(made(orders=plan))[1].evidence


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("rule",), "another-rule"),
        (("sites",), ["west", "east", "noise"]),
        (("data",), {"east": "0" * 64}),
        (("data", "east"), "zz"),
        (("copies", "east"), -1),
        (("ratio",), -0.5),
        (("runs",), []),
        (("runs", 0, "values", 0, 1), math.nan),
        (("runs", 0, "values", 0, 1), "1"),
        (("runs", 1, "seed"), 0),
        (("model",), ""),
        (("more",), 1),
    ],
)
def test_what_is_no_evidence_is_refused(path: tuple[Any, ...], value: Any) -> None:
    content = made()
    place: Any = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(InvalidInputError, match="evidence"):
        assess(content)


def test_a_missing_or_doubled_coalition_is_named() -> None:
    content = made()
    lost = content["runs"][0]["values"].pop()
    with pytest.raises(InvalidInputError, match="is missing"):
        assess(content)
    content["runs"][0]["values"] += [lost, lost]
    with pytest.raises(InvalidInputError, match="twice"):
        assess(content)
    for wrong in (None, [], "x", {}):
        with pytest.raises(InvalidInputError):
            assess(wrong)


def test_nothing_is_paid_where_nobody_counts() -> None:
    runs = {seed: {frozenset[str](): 0.0, frozenset("a"): float(seed) - 0.5} for seed in range(2)}
    content = evidence(["a"], runs, metric="m", model="1" * 64, data={"a": "0" * 64}, ratio=0.5)
    with pytest.raises(ConflictError, match="nothing to pay"):
        assess(content)
