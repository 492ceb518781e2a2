"""The double round: who sees what, when a record is settled, taking back, leases, erasure."""

from __future__ import annotations

import dataclasses
import itertools
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.labels.rounds import (
    CODES,
    COLD,
    DATASET,
    FLU,
    PNEUMONIA,
    SCHEME,
    TEXTS,
    campaign_of,
    decisions,
    fill,
    finals,
    label,
    states,
    take,
)
from xinglin.errors import (
    ConfigurationError,
    ConflictError,
    InvalidInputError,
    NotPermittedError,
    UnknownNameError,
)
from xinglin.labels.arbitrate import standing
from xinglin.labels.assign import claim, fetch, waiting
from xinglin.labels.audit import draw_audit, evidence
from xinglin.labels.campaign import (
    Campaign,
    assign,
    close_campaign,
    erase_labels,
    list_campaigns,
    open_campaign,
    read_campaign,
)
from xinglin.labels.decide import answer_vote, decide, skip, undo
from xinglin.labels.pipeline import unanimous
from xinglin.labels.verify import ModelVote, has_vote, keep_vote, see_vote
from xinglin.ledger import entries, verify
from xinglin.ledger.grants import revoke, withdraw_consent
from xinglin.records.archive import erase
from xinglin.store import Store
from xinglin.store.tables import campaign_decisions, campaign_items, campaign_slots
from xinglin.store.tables_ledger import salts


def test_agreement_settles_and_disagreement_goes_to_a_third(store: Store) -> None:
    made = campaign_of(store)
    for user, codes in (("an", (COLD, FLU, FLU, COLD)), ("bo", (COLD, FLU, PNEUMONIA, COLD))):
        for code in codes:
            label(store, made, user, code)
        assert claim(store, made, user, "annotation") == ()
    assert states(store) == ["settled", "settled", "arbitration", "settled"]
    task, _ = label(store, made, "chen", PNEUMONIA, "arbitration")
    assert task.record.text == TEXTS[2]
    assert {opinion.codes for opinion in task.opinions} == {(FLU,), (PNEUMONIA,)}
    assert states(store) == ["settled"] * 4
    assert finals(store) == ["J00", "J11", "J18", "J00"]
    assert claim(store, made, "chen", "arbitration") == ()


def test_a_label_is_seen_by_nobody_who_labels_blindly(store: Store) -> None:
    made = campaign_of(store)
    label(store, made, "an", FLU)
    seen = take(store, made, "bo")
    assert seen.record.text == TEXTS[0]
    assert seen.opinions == ()
    assert seen.decided is None
    assert "J11" not in repr(seen)
    with pytest.raises(ConflictError, match="no longer yours"):
        fetch(store, made, seen.slot, "an")
    with pytest.raises(ConflictError, match="no longer yours"):
        decide(store, made, seen.slot, "an", COLD)
    for other in ("arbitration", "audit", "adjudication"):
        with pytest.raises(NotPermittedError):
            claim(store, made, "an", other)  # type: ignore[arg-type]
    with store.read() as connection:
        chain = list(entries(connection))
        assert verify(connection) == len(chain)
    told = json.dumps([dataclasses.asdict(entry) for entry in chain], ensure_ascii=False)
    for secret in ("J11", "流行性感冒", TEXTS[0], "r0", "p0"):
        assert secret not in told, "the ledger gives away what it must not"
    actions = [entry.action for entry in chain]
    assert actions.count("annotation.open") == 2
    assert actions.count("annotation.decide") == 1


def test_what_the_arbiter_sees_bears_no_name_and_no_order(store: Store) -> None:
    made = campaign_of(store, TEXTS * 6)
    for user, code in (("an", COLD), ("bo", FLU)):
        for _ in range(24):
            label(store, made, user, code)
    firsts = []
    for _ in range(24):
        task, _ = label(store, made, "chen", COLD, "arbitration")
        assert "'an'" not in repr(task)
        assert "'bo'" not in repr(task)
        firsts.append(task.opinions[0].codes)
    assert 4 < firsts.count((COLD,)) < 20, "the order of the two labels gives away whose they are"


def test_the_lead_sees_all_and_labels_nothing(store: Store) -> None:
    made = campaign_of(store)
    with pytest.raises(ConfigurationError, match="no other role"):
        assign(store, made, "lead", "annotator", by="lead")
    with pytest.raises(ConfigurationError, match="no other role"):
        assign(store, made, "an", "lead", by="lead")
    with pytest.raises(NotPermittedError):
        assign(store, made, "xu", "annotator", by="an")
    with pytest.raises(NotPermittedError):
        evidence(store, made, by="an")
    with pytest.raises(ConfigurationError, match="role"):
        assign(store, made, "xu", "king", by="lead")  # type: ignore[arg-type]


def test_the_vote_is_shown_after_the_label_and_both_decisions_are_kept(store: Store) -> None:
    made = campaign_of(store, TEXTS[:2], assisted=True)
    task = take(store, made, "an")
    keep_vote(store, made, task, ModelVote("graph 1", FLU, 0.7, ((0, 2), (3, 5))))
    assert has_vote(store, task.item)
    with pytest.raises(NotPermittedError, match="decide first"):
        see_vote(store, made, task.slot, "an")
    with pytest.raises(ConflictError):
        answer_vote(store, made, task.slot, "an", COLD)
    assert decide(store, made, task.slot, "an", COLD, spans=[(0, 2)]).vote_waits
    with pytest.raises(ConflictError, match="look at the model's vote"):
        answer_vote(store, made, task.slot, "an", COLD)
    with pytest.raises(ConflictError, match="no longer yours"):
        see_vote(store, made, task.slot, "bo")
    vote = see_vote(store, made, task.slot, "an")
    assert (vote.code, vote.probability, vote.spans) == (FLU, 0.7, ((0, 2), (3, 5)))
    with pytest.raises(ConflictError, match="reconsider"):
        undo(store, made, "an")
    assert fetch(store, made, task.slot, "an").decided == (COLD,)
    assert answer_vote(store, made, task.slot, "an", FLU).kind == "reconsider"
    assert [(row.kind, row.value) for row in decisions(store)] == [("label", "J00"), ("reconsider", "J11")]
    other, _ = label(store, made, "bo", FLU)
    assert other.record.id == task.record.id
    see_vote(store, made, other.slot, "bo")
    assert answer_vote(store, made, other.slot, "bo", FLU).kind == "confirm"
    assert states(store)[0] == "arbitration", "one of them had to be brought round: a third decides"
    third = take(store, made, "chen", "arbitration")
    assert {(opinion.blind, opinion.codes) for opinion in third.opinions} == {
        ((COLD,), (FLU,)),
        ((FLU,), (FLU,)),
    }
    assert not hasattr(third, "vote")
    decide(store, made, third.slot, "chen", FLU)
    see_vote(store, made, third.slot, "chen")
    answer_vote(store, made, third.slot, "chen", FLU)
    assert finals(store)[0] == "J11"


def test_a_model_that_disagrees_with_both_calls_the_arbiter_and_one_that_abstains_does_not(
    store: Store,
) -> None:
    made = campaign_of(store, TEXTS[:2], assisted=True)
    for user in ("an", "bo"):
        for vote in (ModelVote("graph 1", FLU), ModelVote("graph 1", None)):
            task = take(store, made, user)
            keep_vote(store, made, task, vote)
            waits = decide(store, made, task.slot, user, COLD).vote_waits
            assert waits == (vote.code is not None)
            if waits:
                see_vote(store, made, task.slot, user)
                answer_vote(store, made, task.slot, user, COLD)
    assert states(store) == ["arbitration", "settled"]


def test_a_vote_stays_as_it_was_first_given(store: Store) -> None:
    made = campaign_of(store, TEXTS[:1], assisted=True)
    task = take(store, made, "an")
    keep_vote(store, made, task, ModelVote("graph 1", FLU))
    keep_vote(store, made, task, ModelVote("graph 1", COLD))
    decide(store, made, task.slot, "an", COLD)
    assert see_vote(store, made, task.slot, "an").code == FLU
    other = take(store, made, "bo")
    with pytest.raises(UnknownNameError):
        keep_vote(store, made, other, ModelVote("graph 1", dataclasses.replace(FLU, value="Z99")))
    with pytest.raises(InvalidInputError, match="span"):
        keep_vote(store, made, other, ModelVote("graph 1", FLU, None, ((0, 10_000),)))
    with pytest.raises(InvalidInputError, match="probability"):
        keep_vote(store, made, other, ModelVote("graph 1", FLU, float("nan")))


def test_taking_back_is_a_new_row(store: Store) -> None:
    made = campaign_of(store)
    task, _ = label(store, made, "an", FLU)
    assert undo(store, made, "an") == task.slot
    with pytest.raises(ConflictError, match="decide that case first"):
        undo(store, made, "an")
    assert claim(store, made, "an", "annotation") == (task.slot,)
    decide(store, made, task.slot, "an", COLD)
    assert [(row.kind, row.value) for row in decisions(store)] == [
        ("label", "J11"),
        ("undo", None),
        ("label", "J00"),
    ]
    label(store, made, "bo", COLD)
    assert finals(store)[0] == "J00"
    undo(store, made, "bo")
    assert states(store)[0] == "labelling"
    assert finals(store)[0] is None
    label(store, made, "bo", FLU)
    assert states(store)[0] == "arbitration"
    undo(store, made, "bo")
    assert states(store)[0] == "labelling"
    label(store, made, "bo", FLU)
    take(store, made, "chen", "arbitration")
    with pytest.raises(ConflictError, match="an arbiter has taken"):
        undo(store, made, "bo")


def test_passed_on_once_another_labels_it_and_twice_it_goes_to_the_arbiter(store: Store) -> None:
    made = campaign_of(store, TEXTS[:1])
    assign(store, made, "cui", "annotator", by="lead")
    with store.write() as connection:
        from xinglin.ledger.grants import grant

        grant(connection, DATASET, grantee="cui", purpose="annotation", by="test")
    task = take(store, made, "an")
    with pytest.raises(InvalidInputError, match="note"):
        skip(store, made, task.slot, "an", "other")
    skip(store, made, task.slot, "an", "unreadable")
    assert claim(store, made, "an", "annotation") == (), "who passed it on does not get it again"
    second = take(store, made, "bo")
    skip(store, made, second.slot, "bo", "other", "两种病都有")
    assert undo(store, made, "bo") == second.slot
    skip(store, made, second.slot, "bo", "other", "两种病都有")
    assert states(store) == ["labelling"]
    label(store, made, "cui", COLD)
    assert states(store) == ["arbitration"]
    third = take(store, made, "chen", "arbitration")
    assert sorted(opinion.reason or "" for opinion in third.opinions) == [
        "",
        "other: 两种病都有",
        "unreadable",
    ]
    skip(store, made, third.slot, "chen", "not_covered")
    assert states(store) == ["excluded"]
    assert finals(store) == [None]


def test_a_pass_is_taken_back_with_the_place_that_replaced_it(store: Store) -> None:
    made = campaign_of(store, TEXTS[:1])
    task = take(store, made, "an")
    skip(store, made, task.slot, "an", "unreadable")
    undo(store, made, "an")
    with store.read() as connection:
        assert len(connection.execute(select(campaign_slots.c.id)).all()) == 2
    decide(store, made, task.slot, "an", COLD)
    label(store, made, "bo", COLD)
    assert states(store) == ["settled"]


def test_a_lease_that_runs_out_blocks_nobody(store: Store) -> None:
    made = campaign_of(store, TEXTS[:1], lease=60.0)
    assign(store, made, "cui", "annotator", by="lead")
    lost = claim(store, made, "an", "annotation", now=1000.0)
    late = claim(store, made, "bo", "annotation", now=1000.0)
    assert claim(store, made, "cui", "annotation", now=1059.0) == ()
    assert waiting(store, made, "cui", "annotation", now=1059.0) == 0
    assert waiting(store, made, "cui", "annotation", now=1061.0) == 1
    assert claim(store, made, "cui", "annotation", now=1061.0) == lost
    with pytest.raises(ConflictError, match="lease ran out"):
        decide(store, made, lost[0], "an", COLD)
    decide(store, made, late[0], "bo", COLD, now=99_999.0)  # late, but nobody had taken it


def test_asking_again_renews_the_lease(store: Store) -> None:
    made = campaign_of(store, TEXTS[:1], lease=60.0)
    first = claim(store, made, "an", "annotation", now=1000.0)
    assert claim(store, made, "an", "annotation", now=1050.0) == first
    claim(store, made, "bo", "annotation", now=1050.0)
    assign(store, made, "cui", "annotator", by="lead")
    assert claim(store, made, "cui", "annotation", now=1100.0) == ()


def test_who_never_answers_the_vote_has_still_labelled(store: Store) -> None:
    made = campaign_of(store, TEXTS[:1], assisted=True, lease=60.0)
    for user in ("an", "bo"):
        (slot,) = claim(store, made, user, "annotation", now=1000.0)
        keep_vote(store, made, fetch(store, made, slot, user), ModelVote("graph 1", COLD))
        decide(store, made, slot, user, COLD, now=1000.0)
    assert states(store) == ["labelling"]
    claim(store, made, "an", "annotation", now=1070.0)
    assert states(store) == ["settled"]
    assert [row.kind for row in decisions(store)] == ["label", "label"]


def test_several_cases_are_held_in_advance_and_each_once(store: Store) -> None:
    made = campaign_of(store)
    held = claim(store, made, "an", "annotation", hold=2)
    assert len(set(held)) == 2
    assert claim(store, made, "an", "annotation", hold=2) == held
    assert len(claim(store, made, "an", "annotation", hold=99)) == 4


def test_consent_withdrawn_in_the_middle_takes_the_case_out(store: Store) -> None:
    made = campaign_of(store, TEXTS[:2])
    task = take(store, made, "an")
    with store.write() as connection:
        withdraw_consent(connection, DATASET, subject="p0", purpose="annotation", by="test")
    (slot,) = claim(store, made, "bo", "annotation")
    with pytest.raises(ConflictError, match="consent was withdrawn"):
        fetch(store, made, slot, "bo")
    with pytest.raises(ConflictError):
        decide(store, made, task.slot, "an", COLD)
    assert states(store) == ["withdrawn", "labelling"]
    assert take(store, made, "bo").record.id == "r1"


def test_without_a_grant_nothing_is_read_and_nothing_is_withdrawn(store: Store) -> None:
    made = campaign_of(store, TEXTS[:1])
    with store.write() as connection:
        revoke(connection, DATASET, grantee="an", purpose="annotation", by="test")
    (slot,) = claim(store, made, "an", "annotation")
    with pytest.raises(NotPermittedError, match="an needs a grant"):
        fetch(store, made, slot, "an")
    assert states(store) == ["labelling"]


def test_erasing_a_subject_erases_its_labels_and_the_way_back_from_the_ledger(store: Store) -> None:
    made = campaign_of(store, TEXTS[:2])
    for user in ("an", "bo"):
        label(store, made, user, COLD)
        label(store, made, user, COLD)
    with store.read() as connection:
        gone = connection.execute(
            select(campaign_items.c.subject).where(campaign_items.c.record == "r0")
        ).scalar_one()
    erase(store, DATASET, subject="p0", actor="test")
    assert erase_labels(store, DATASET, actor="test") == 1
    assert erase_labels(store, DATASET, actor="test") == 0
    assert len(states(store)) == 1
    assert len(decisions(store)) == 2
    with store.read() as connection:
        assert not connection.execute(select(salts.c.salt).where(salts.c.subject == gone)).all()
        assert verify(connection)


def test_bad_arguments_are_refused_by_name(store: Store) -> None:
    made = campaign_of(store)
    task = take(store, made, "an")
    with pytest.raises(UnknownNameError, match="Z99"):
        decide(store, made, task.slot, "an", dataclasses.replace(COLD, value="Z99"))
    for spans in ([(-1, 2)], [(3, 3)], [(0, len(TEXTS[0]) + 1)], [(0, 1)] * 500):
        with pytest.raises(InvalidInputError, match="span"):
            decide(store, made, task.slot, "an", COLD, spans=spans)
    for confidence in (-0.1, 1.1, float("nan")):
        with pytest.raises(InvalidInputError, match="confidence"):
            decide(store, made, task.slot, "an", COLD, confidence=confidence)
    decide(store, made, task.slot, "an", COLD, spans=[(2, 4), (0, 2), (0, 2)], confidence=0.9)
    assert [row.spans for row in decisions(store)] == [[[0, 2], [2, 4]]]
    with pytest.raises(ConflictError, match="done"):
        decide(store, made, task.slot, "an", COLD)
    with pytest.raises(UnknownNameError, match="no place"):
        decide(store, made, 10_000, "an", COLD)
    assert len(decisions(store)) == 1


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"name": " "}, ConfigurationError),
        ({"name": "fever"}, ConfigurationError),
        ({"lease": 0.0}, ConfigurationError),
        ({"records": []}, InvalidInputError),
        ({"records": ["r0", "r0"]}, InvalidInputError),
        ({"records": ["r0", "nowhere"]}, UnknownNameError),
        ({"dataset": "nowhere"}, UnknownNameError),
        ({"lead": "stranger"}, NotPermittedError),
    ],
)
def test_a_wrong_campaign_is_not_opened(store: Store, change: dict[str, Any], error: type[Exception]) -> None:
    campaign_of(store)
    whole = {"dataset": DATASET, "scheme": SCHEME, "records": ["r0"], "lead": "lead", **change}
    with pytest.raises(error):
        open_campaign(store, whole.pop("name", "other"), **whole)
    assert [found.name for found, _ in list_campaigns(store)] == ["fever"]


def test_campaigns_are_listed_to_those_who_take_part(store: Store) -> None:
    made = campaign_of(store)
    assert list_campaigns(store, "an") == [(made, ("annotator",))]
    assert list_campaigns(store, "stranger") == []
    assert read_campaign(store, made.id) == made == read_campaign(store, "fever")
    assert made.scheme.codes == CODES
    with pytest.raises(UnknownNameError):
        read_campaign(store, "nowhere")
    close_campaign(store, made, by="lead")
    for act in (
        lambda: claim(store, made, "an", "annotation"),
        lambda: draw_audit(store, made, 1, seed="1", by="lead"),
    ):
        with pytest.raises(ConfigurationError, match="closed"):
            act()


class Said:
    def __init__(self, kind: str, number: int) -> None:
        self.kind, self.number = kind, number


@given(st.lists(st.sampled_from(["label", "skip", "confirm", "undo"]), max_size=12))
def test_what_stands_is_what_was_not_taken_back(kinds: list[str]) -> None:
    rows = [Said(kind, n) for n, kind in enumerate(kinds)]
    told = "".join("u" if kind == "undo" else chr(ord("A") + n) for n, kind in enumerate(kinds))
    while "u" in told:  # oracle: strike out the act before the first undo, until none is left
        at = told.index("u")
        told = told[: max(0, at - 1)] + told[at + 1 :]
    assert [row.number for row in standing(rows)] == [ord(letter) - ord("A") for letter in told]


def test_unanimous_over_every_small_set() -> None:
    cases = 0
    for size in range(1, 4):
        for labels in itertools.product(CODES, repeat=size):
            for vote in (None, *CODES):
                everyone = {code.value for code in labels} | ({vote.value} if vote else set())
                agreed = unanimous(labels, vote)
                assert (agreed is not None) == (len(everyone) == 1)
                cases += 1
    assert cases == 156


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_course_of_a_round_keeps_its_promises(store: Store, data: st.DataObject) -> None:
    """Random acts of five people; afterwards nobody holds a record twice, and what is settled was agreed on."""
    name = f"set-{len(list_campaigns(store))}"
    ids = fill(store, TEXTS[:3], ["lead", "a", "b", "c", "d"], name)
    made = open_campaign(store, name, dataset=name, scheme=SCHEME, records=ids, lead="lead")
    for user in "abc":
        assign(store, made, user, "annotator", by="lead")
    for user in "cd":
        assign(store, made, user, "arbiter", by="lead")
    moves = st.tuples(
        st.sampled_from("abcd"), st.sampled_from(["label", "skip", "undo"]), st.sampled_from(CODES)
    )
    for user, act, code in data.draw(st.lists(moves, min_size=5, max_size=30)):
        try:
            if act == "undo":
                undo(store, made, user)
                continue
            stage = "arbitration" if user == "d" else "annotation"
            held = claim(store, made, user, stage)  # type: ignore[arg-type]
            if held and act == "label":
                decide(store, made, held[0], user, code)
            elif held:
                skip(store, made, held[0], user, "unreadable")
        except ConflictError:
            continue
    _promises(store, made)


def _promises(store: Store, made: Campaign) -> None:
    with store.read() as connection:
        slots = connection.execute(select(campaign_slots).where(campaign_slots.c.campaign == made.id)).all()
        items = connection.execute(select(campaign_items).where(campaign_items.c.campaign == made.id)).all()
        rows = connection.execute(select(campaign_decisions).order_by(campaign_decisions.c.id)).all()
        assert verify(connection)
    taken = [(slot.record, slot.annotator) for slot in slots if slot.annotator]
    assert len(taken) == len(set(taken))
    assert len(items) == 3
    for item in items:
        mine = [slot for slot in slots if slot.item == item.id]
        stands = {slot.id: standing([row for row in rows if row.slot == slot.id]) for slot in mine}
        for slot in mine:
            assert bool(stands[slot.id]) == (slot.state in ("done", "skipped"))
        thirds = [slot for slot in mine if slot.stage == "arbitration"]
        first = [slot for slot in mine if slot.stage == "annotation"]
        assert sum(slot.state != "skipped" for slot in first) <= 2
        values = {stands[slot.id][-1].value for slot in first if slot.state == "done"}
        if item.state == "labelling":
            assert not thirds
            assert any(slot.state in ("open", "held") for slot in first)
        elif item.state == "settled" and not thirds:
            assert values == {item.final_value}
        elif item.state == "settled":
            assert stands[thirds[0].id][-1].value == item.final_value
        else:
            assert item.state in ("arbitration", "excluded")
            assert len(thirds) == 1
