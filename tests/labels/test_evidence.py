"""What makes an audit count, and what makes it void."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.labels.audited import CODES, data_set, planned, readings, void
from xinglin.errors import CertificateError, InvalidInputError
from xinglin.labels.bounds import missed_upper
from xinglin.labels.evidence import (
    Reading,
    audit_order,
    found_limit,
    labels_digest,
    plan_from_json,
    tally,
)

TRUTH, RELEASED = data_set(200, wrong=40)
PLAN = planned(RELEASED)


def test_the_order_is_that_of_plain_sha256() -> None:
    items = [f"r{i}" for i in range(50)]
    expected = sorted(items, key=lambda item: hashlib.sha256(f"seed\n{item}".encode()).hexdigest())
    assert audit_order(items, "seed") == expected == audit_order(reversed(items), "seed")
    assert audit_order(items, "other") != expected


def test_every_item_is_as_likely_to_come_first() -> None:
    items = ["a", "b", "c", "d"]
    first = Counter(audit_order(items, str(seed))[0] for seed in range(4000))
    assert all(abs(first[item] - 1000) < 5 * (1000 * 0.75) ** 0.5 for item in items)


def test_the_digest_is_of_items_and_labels_whatever_their_order() -> None:
    turned = dict(reversed(RELEASED.items()))
    assert labels_digest(turned) == labels_digest(RELEASED)
    assert labels_digest(RELEASED | {"r00000": CODES[1]}) != labels_digest(RELEASED)
    assert labels_digest({"a": "b", "c": "d"}) != labels_digest({"a": "d", "c": "b"})


def test_counts_against_a_slow_count() -> None:
    made = readings(PLAN, TRUTH, 90, disagree=7)
    result = tally(PLAN, RELEASED, made)
    order = audit_order(RELEASED, PLAN.seed)[:90]
    assert (result.read, result.disagreements, result.gold_wrong, result.gold_missing) == (90, 7, 0, 0)
    assert result.wrong == sum(TRUTH[item] != RELEASED[item] for item in order) > 5
    assert tally(PLAN, RELEASED, made[::-1]) == result


def test_the_adjudicator_decides() -> None:
    made = readings(PLAN, TRUTH, 10, disagree=1)
    item = made[0].item
    wrong = next(code for code in CODES if code != RELEASED[item])
    assert tally(PLAN, RELEASED, void(made, 2, label=wrong)).wrong == tally(
        PLAN, RELEASED, void(made, 2, label=RELEASED[item])
    ).wrong + 1  # fmt: skip


def test_the_count_ends_before_the_first_unsettled_item() -> None:
    made = readings(PLAN, TRUTH, 30, disagree=5)
    waiting = [one for one in made if one.role == "auditor"]  # five adjudications are missing
    assert tally(PLAN, RELEASED, waiting).read == 0
    half = made[:-1]  # the last item lacks one auditor
    assert tally(PLAN, RELEASED, half).read == 29
    assert tally(PLAN, RELEASED, []).read == 0


MADE = readings(PLAN, TRUTH, 40, disagree=3)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (void(MADE, 20, saw=("label",)), "saw label"),
        (void(MADE, 20, saw=("model",)), "not blind"),
        (void(MADE, 20, saw=("auditors",)), "not blind"),
        (void(MADE, 2, saw=("auditors", "label")), "saw label"),
        (void(MADE, 20, reader="丁"), "no auditor of the plan"),
        (void(MADE, 2, reader="甲"), "no adjudicator of the plan"),
        (void(MADE, 2, role="judge"), "no judge"),
        (void(MADE, 1, reader="甲"), "one reading of each"),
        ([*MADE, MADE[0]], "one reading of each"),
        ([*MADE, MADE[2]], "adjudicated twice"),
        ([*MADE, Reading("r99999", "甲", CODES[0])], "not the planned one"),
    ],
)
def test_a_reading_against_the_rules_makes_the_audit_void(made: list[Reading], why: str) -> None:
    with pytest.raises(CertificateError, match=why):
        tally(PLAN, RELEASED, made)


def test_items_from_elsewhere_in_the_order_are_found() -> None:
    order = audit_order(RELEASED, PLAN.seed)
    picked = [*MADE, Reading(order[120], "甲", TRUTH[order[120]])]
    with pytest.raises(CertificateError, match="from elsewhere"):
        tally(PLAN, RELEASED, picked)
    skipped = [one for one in MADE if one.item != order[5]]
    with pytest.raises(CertificateError, match="from elsewhere"):
        tally(PLAN, RELEASED, skipped)
    with pytest.raises(CertificateError, match="from elsewhere"):
        tally(replace(PLAN, seed="another"), RELEASED, MADE)


def test_an_annotator_may_not_audit_the_own_item_nor_an_auditor_adjudicate_it() -> None:
    item = MADE[0].item
    with pytest.raises(CertificateError, match="labelled the item before"):
        tally(PLAN, RELEASED, MADE, annotators={item: frozenset({"乙"})})
    tally(PLAN, RELEASED, MADE, annotators={item: frozenset({"丁"})})
    both = replace(PLAN, adjudicators=("丙", "甲"))
    with pytest.raises(CertificateError, match="of their own"):
        tally(both, RELEASED, void(MADE, 2, reader="甲"))


def test_changed_labels_are_found() -> None:
    for other in (
        RELEASED | {"r00007": "icd10-who:A00"},
        {**RELEASED, "new": CODES[0]},
        dict(list(RELEASED.items())[1:]),
    ):
        with pytest.raises(CertificateError, match="changed since"):
            tally(PLAN, other, MADE)


def test_gold_items() -> None:
    gold, _ = data_set(12, prefix="g")
    plan = planned(RELEASED, hardest=None, gold=labels_digest(gold), gold_items=12)
    made = readings(plan, TRUTH, 30, gold=gold)
    assert tally(plan, RELEASED, made, gold=gold).gold_missing == 0
    assert tally(plan, RELEASED, made[:-2], gold=gold).gold_missing == 1
    failed = [replace(one, label="?") if one.item == "g00003" else one for one in made]
    assert tally(plan, RELEASED, failed, gold=gold).gold_wrong == 1
    with pytest.raises(CertificateError, match="12 gold items"):
        tally(plan, RELEASED, made, gold=gold | {"g00001": "?"})
    with pytest.raises(CertificateError, match="12 gold items"):
        tally(plan, RELEASED, made)
    with pytest.raises(CertificateError, match="no gold items"):
        tally(PLAN, RELEASED, MADE, gold=gold)
    inside = {item: TRUTH[item] for item in list(TRUTH)[:12]}
    with pytest.raises(CertificateError, match="outside the data set"):
        tally(replace(plan, gold=labels_digest(inside)), RELEASED, [], gold=inside)


def test_the_plan_goes_to_json_and_back() -> None:
    assert plan_from_json(json.loads(json.dumps(PLAN.as_json()))) == PLAN
    assert replace(PLAN, seed="x").sha256 != PLAN.sha256


@pytest.mark.parametrize(
    "changes",
    [
        {"claim": "0"}, {"claim": "1.5"}, {"claim": "half"}, {"claim": "1/200"}, {"claim": "5e-3"}, {"claim": "nan"},
        {"confidence": "1"}, {"reserve": "0"},
        {"hardest": "0.5"}, {"hardest": None}, {"gold": "ab" * 32, "gold_items": 3}, {"gold_items": 3},
        {"hardest": None, "gold": "ab" * 32}, {"auditors": ("甲", "甲")}, {"auditors": ("甲",)}, {"adjudicators": ()},
        {"population": 0},
    ],
)  # fmt: skip
def test_a_plan_that_cannot_certify_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        planned(RELEASED, **changes)


@pytest.mark.parametrize(
    "changes", [{"extra": 1}, {"population": "5"}, {"auditors": "甲乙"}, {"seed": None}, {"gold_items": True}]
)
def test_a_file_that_is_no_plan_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        plan_from_json(PLAN.as_json() | changes)
    with pytest.raises(InvalidInputError):
        plan_from_json([])


def test_the_limit_is_exact_where_floats_are_not() -> None:
    plan = replace(PLAN, population=20_000, claim="0.005")
    assert plan.limit == 99  # 100 of 20,000 are 0.5 %, which is not below 0.5 %
    assert replace(plan, claim="0.00501").limit == 100
    assert sum(plan.alpha) == pytest.approx(0.05)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.0, 0.49), st.integers(0, 20))
def test_what_may_be_found_is_the_largest_count_that_still_holds(hardest: float, extra: int) -> None:
    plan = replace(PLAN, population=3000, claim="0.01", hardest=f"{hardest:.3f}") if hardest > 0.001 else PLAN
    allowed = found_limit(plan)
    assert allowed <= plan.limit
    if allowed >= 0:
        assert missed_upper(allowed, plan.miss, plan.population, plan.alpha[1]) <= plan.limit
    assert missed_upper(allowed + 1 + extra, plan.miss, plan.population, plan.alpha[1]) > plan.limit


@settings(max_examples=200, deadline=None)
@given(st.floats(0.001, 0.499), st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_no_readers_within_the_assumption_overlook_more(hardest: float, shares: list[float]) -> None:
    """Three readers over three labels, each wrong at most ``hardest`` of the time: how often a wrong label is repeated."""

    def says(wrong: float, alike: float) -> dict[str, float]:
        return {
            "it": hardest * wrong * alike,
            "other": hardest * wrong * (1 - alike),
            "right": 1 - hardest * wrong,
        }

    first, second, third = (says(*shares[i : i + 2]) for i in (0, 2, 4))
    missed = first["it"] * second["it"] + sum(
        first[x] * second[y] * third["it"] for x in first for y in second if x != y
    )
    plan = replace(PLAN, hardest=f"{hardest:.9f}")
    assert missed <= plan.miss + 1e-6
    assert plan.miss < 0.5
