"""What is said comes from evidence; what is not there is missing; taking evidence away takes claims away."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.release.dossier.made import NODULES, TEXT, everything, manifest, recorded, version
from xinglin.errors import ChainBrokenError, InvalidInputError
from xinglin.release.dossier import build
from xinglin.release.dossier.answers import Answer, Claim
from xinglin.release.dossier.figures import NO_INTERVAL, NO_N, OUTSIDE, WEAK, WEAK_UNSAID, warnings
from xinglin.release.dossier.questions import TITLES, requirements
from xinglin.release.dossier.values import EMPTY, MISSING, shown
from xinglin.release.registry.version import Version

RANK = ("missing", "statement", "partial", "complete")
NAMES = sorted(TITLES)
EVERYTHING = everything()
WHOLE = {name: build(version(), name) for name in NAMES}


def answered(name: str, id: str, made: Version) -> Answer:
    return next(item for item in build(made, name).answers if item.requirement.id == id)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("model", [NODULES, TEXT])
def test_every_requirement_stands_once_and_every_claim_names_its_entry(name: str, model: str) -> None:
    made = version(model)
    dossier = build(made, name)
    assert [item.requirement for item in dossier.answers] == list(requirements(name))
    known = {(item.kind, item.seq, item.digest) for item in made.evidence}
    claims = [claim for item in dossier.answers for claim in item.claims]
    assert len(claims) > 10
    for claim in claims:
        source = claim.source
        if source.kind in ("version", "manifest"):
            assert source.seq == made.seq
        else:
            assert (source.kind, source.seq, source.digest) in known


def test_without_evidence_only_the_registration_speaks() -> None:
    bare = version(evidence=())
    for name in NAMES:
        claims = [claim for item in build(bare, name).answers for claim in item.claims]
        assert claims or name == "pipl"
        assert {claim.source.kind for claim in claims} <= {"version", "manifest"}
    assert build(bare, "fda").counts()["missing"] >= 10
    assert build(bare, "nmpa").time == bare.time


@settings(max_examples=60, deadline=None)
@given(
    st.sets(st.integers(0, len(EVERYTHING) - 1)),
    st.integers(0, len(EVERYTHING) - 1),
    st.sampled_from(NAMES),
)
def test_taking_evidence_away_never_adds_a_claim(kept: set[int], gone: int, name: str) -> None:
    more = [item for place, item in enumerate(EVERYTHING) if place in kept | {gone}]
    less = [item for item in more if item != EVERYTHING[gone]]
    before, after = build(version(evidence=more), name), build(version(evidence=less), name)
    for one, other in zip(before.answers, after.answers, strict=True):
        assert set(other.claims) <= set(one.claims)
        assert set(other.missing) >= set(one.missing)
        assert RANK.index(other.state) <= RANK.index(one.state)


@pytest.mark.parametrize("place", range(len(EVERYTHING)), ids=lambda place: EVERYTHING[place].kind)
def test_each_piece_of_evidence_makes_a_difference(place: int) -> None:
    """Otherwise the property above would hold of a dossier that says nothing."""
    less = version(evidence=[item for item in EVERYTHING if item != EVERYTHING[place]])
    assert any(build(less, name).answers != WHOLE[name].answers for name in NAMES)


def test_a_field_that_is_null_is_missing_and_not_filled() -> None:
    content = {**EVERYTHING[0].content, "contraindications": None}
    item = answered("nmpa", "nmpa-8-03", version(evidence=[recorded("use", content, 11)]))
    assert item.state == "partial"
    assert [part.label for part in item.claims[0].items if part.missing] == ["禁忌 contraindications"]


def test_a_statement_is_printed_with_its_person_and_answers_only_its_own_question() -> None:
    item = answered("nmpa", "nmpa-8-05", version())
    assert item.state == "complete"
    assert [claim.person for claim in item.claims] == ["李医生"]
    others = [
        claim
        for name in NAMES
        for other in WHOLE[name].answers
        if other.requirement.id not in ("nmpa-8-05", "fda-cds-01")
        for claim in other.claims
    ]
    assert all(claim.source.kind != "statement" for claim in others)
    unsigned = recorded("statement", {"requirement": "nmpa-8-05", "zh": "甲", "en": "A", "person": None}, 11)
    assert answered("nmpa", "nmpa-8-05", version(evidence=[unsigned])).state != "complete"


def test_a_statement_beside_missing_evidence_is_called_so() -> None:
    said = recorded(
        "statement", {"requirement": "nmpa-8-02", "zh": "无风险", "en": "No risk", "person": "张三"}, 11
    )
    item = answered("nmpa", "nmpa-8-02", version(evidence=[said]))
    assert item.state == "statement"
    assert [term.kind for term in item.missing] == ["risk"]


def test_groups_are_told_apart() -> None:
    def values(id: str) -> list[str]:
        claims: tuple[Claim, ...] = answered("nmpa", id, version()).claims
        return [part.text for claim in claims for part in claim.items if part.label == "数值 value"]

    assert values("nmpa-8-09") == ["0.9905"]
    assert values("nmpa-8-10") == ["0.93"]
    assert values("nmpa-8-11") == ["0.95"]
    assert [str(term) for term in answered("nmpa", "nmpa-8-11", version()).missing] == [
        "metric[group.kind=age]:group,name,value,low,high,n,data,weak"
    ]


def test_figures_are_flagged() -> None:
    site = answered("nmpa", "nmpa-8-10", version()).claims[0]
    assert site.warnings == (NO_INTERVAL, NO_N, WEAK)
    whole = answered("nmpa", "nmpa-8-09", version()).claims[0]
    assert whole.warnings == ()


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        ({"value": 0.9, "low": 0.8, "high": 0.95, "n": 10, "weak": False}, ()),
        ({"value": 0.9, "low": 0.8, "high": 0.95, "n": 10}, (WEAK_UNSAID,)),
        ({"value": 0.9, "low": 0.8, "high": 0.95, "n": 0, "weak": False}, (NO_N,)),
        ({"value": 0.9, "low": 0.8, "high": 0.95, "n": True, "weak": False}, (NO_N,)),
        ({"value": 0.9, "low": 0.8, "high": None, "n": 5, "weak": False}, (NO_INTERVAL,)),
        ({"value": 0.7, "low": 0.8, "high": 0.95, "n": 5, "weak": False}, (OUTSIDE,)),
        ({"value": 0.9, "low": 0.8, "high": 0.95, "n": 5, "weak": False, "data": "weak set"}, (WEAK,)),
        ({"value": 0.9, "low": 0.8, "high": 0.95, "n": 5, "weak": False, "data": "set A"}, (WEAK,)),
        ({"value": 0.9, "low": 0.8, "high": 0.95, "n": 5, "weak": False, "name": "top1_weak"}, (WEAK,)),
        ({"value": 0.9, "low": 0.8, "high": 0.95, "n": 5, "weak": False, "name": "weakly"}, ()),
        ({"value": 0.9, "low": 0.8, "high": 0.95, "n": 5, "weak": False, "data": "合成病例"}, (WEAK,)),
    ],
)
def test_what_is_said_beside_a_figure(figure: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert warnings(figure, frozenset({"set A"})) == expected


def test_the_manifest_s_own_figures_and_data_are_flagged() -> None:
    claims = answered("card", "card-04", version(TEXT)).claims
    items = {part.label: part for claim in claims for part in claim.items}
    weak = items["训练时指标 metrics at training watched_top1_weak"]
    assert weak.warnings == (NO_INTERVAL, NO_N, WEAK)
    assert items["训练时指标 metrics at training examples"].warnings == ()
    data = [part for claim in answered("card", "card-06", version(TEXT)).claims for part in claim.items]
    told = [part.warnings for part in data if part.label.startswith("训练数据")]
    listed = manifest(TEXT)["data"]
    assert len(told) == len(listed) > 20
    assert [("弱标签 weak labels" in each) for each in told] == [item["weak"] for item in listed]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"stage": "published"}, InvalidInputError, "expected a stage"),
        ({"time": "yesterday"}, InvalidInputError, "ISO 8601"),
        ({"time": "2026-11-28T10:00:00"}, InvalidInputError, "with its zone"),
        ({"checkpoint": "ab" * 32}, ChainBrokenError, "not that of the registered checkpoint"),
        ({"manifest": {}}, ChainBrokenError, "not that of the registered checkpoint"),
        ({"manifest": {**manifest(NODULES), "limits": float("nan")}}, InvalidInputError, "without NaN"),
    ],
)
def test_a_version_that_is_none_is_refused(
    change: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        build(replace(version(), **change), "eu")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"content": {"name": "auroc", "value": 0.99}}, ChainBrokenError, "not the one that was recorded"),
        ({"digest": "0" * 64}, ChainBrokenError, "not the one that was recorded"),
        ({"kind": "rumour"}, InvalidInputError, "expected one of"),
        ({"content": ["auroc"]}, InvalidInputError, "expected an object"),
        ({"seq": 0}, InvalidInputError, "number of a ledger entry"),
        ({"time": ""}, InvalidInputError, "ISO 8601"),
    ],
)
def test_evidence_that_was_touched_is_refused(
    change: dict[str, Any], error: type[Exception], message: str
) -> None:
    touched = [replace(item, **change) if item.kind == "metric" else item for item in EVERYTHING]
    with pytest.raises(error, match=message):
        build(version(evidence=touched), "pipl")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted({item.kind for item in EVERYTHING})), st.data())
def test_content_of_any_shape_is_printed_or_missing_but_never_breaks(kind: Any, data: st.DataObject) -> None:
    real = next(item.content for item in EVERYTHING if item.kind == kind)
    content = {key: data.draw(_JSON) for key in real}
    dossier = build(version(evidence=[recorded(kind, content, 11)]), "nmpa")
    json.dumps(dossier.as_json(), allow_nan=False)
    lines = [part.text for item in dossier.answers for claim in item.claims for part in claim.items]
    assert not any(set(text) & {"\n", "\r", "\x00", "\u202e", "\u2028"} for text in lines)


def test_values_are_bounded_and_say_so() -> None:
    assert shown(None) == shown("") == shown({}) == shown(" \n") == MISSING
    assert shown([]) == EMPTY
    assert shown(False) == "否 no"
    assert shown(0) == "0"
    assert shown(1 / 3) == "0.333333"
    assert shown({"a": {"b": [1, 2]}, "c": None}) == f"a: (b: [1, 2]); c: {MISSING}"
    assert "30 项 items" in shown(list(range(30)))
    long = shown("字" * 5000)
    assert len(long) < 2100
    assert "共 5000 字" in long
