"""The audit of a round: its draw, its blind readings, and what the certificate counts in them."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from tests.labels.rounds import COLD, DATASET, FLU, TEXTS, campaign_of, label, states, take
from xinglin.errors import ConfigurationError, ConflictError, InvalidInputError
from xinglin.labels.assign import claim, fetch
from xinglin.labels.audit import Evidence, draw_audit, evidence
from xinglin.labels.campaign import assign
from xinglin.labels.decide import decide, skip, undo
from xinglin.labels.evidence import AuditPlan, Tally, audit_order, labels_digest, tally
from xinglin.ledger import entries
from xinglin.store import Store
from xinglin.store.tables import campaign_items


def tallied(found: Evidence) -> Tally:
    """What the certificate counts in the evidence of a round."""
    plan = AuditPlan(
        dataset=DATASET,
        manifest="0" * 64,
        labels=labels_digest(found.labels),
        population=len(found.labels),
        claim="0.5",
        seed=found.seed or "",
        auditors=("deng", "fu"),
        adjudicators=("chen", "gao"),
        hardest="0.1",
    )
    return tally(plan, found.labels, found.readings, annotators=found.annotators)


def test_nothing_is_taken_back_once_the_audit_is_drawn(store: Store) -> None:
    made = campaign_of(store, TEXTS[:2])
    with pytest.raises(ConflictError, match="no decision"):
        undo(store, made, "an")
    for user in ("an", "bo"):
        for _ in range(2):
            label(store, made, user, COLD)
    draw_audit(store, made, 1, seed="0", by="lead")
    with pytest.raises(ConflictError, match="audit"):
        undo(store, made, "an")
    label(store, made, "deng", COLD, "audit")
    undo(store, made, "deng")
    label(store, made, "deng", FLU, "audit")
    label(store, made, "fu", FLU, "audit")
    counted = tallied(evidence(store, made, by="lead"))
    assert (counted.read, counted.wrong, counted.disagreements) == (1, 1, 0)


def test_the_draw_is_in_the_ledger_and_can_be_repeated(store: Store) -> None:
    made = campaign_of(store, TEXTS * 5)
    with pytest.raises(ConfigurationError, match="20 records are not settled"):
        draw_audit(store, made, 5, seed="7", by="lead")
    for user in ("an", "bo"):
        for _ in range(20):
            label(store, made, user, COLD)
    with pytest.raises(InvalidInputError, match="1 to 20"):
        draw_audit(store, made, 21, seed="7", by="lead")
    with pytest.raises(InvalidInputError, match="seed"):
        draw_audit(store, made, 5, seed="7" * 101, by="lead")
    first = draw_audit(store, made, 5, seed="7", by="lead")
    with store.read() as connection:
        entry = [entry for entry in entries(connection) if entry.action == "annotation.draw_audit"][-1]
    assert entry.detail["seed"] == f"7:{entry.previous}", "the draw is keyed by the chain as it stood"
    assert len(entry.subjects) == 5
    second = draw_audit(store, made, 15, seed="another", by="lead")
    assert second.seed == first.seed == entry.detail["seed"]
    with store.read() as connection:
        items = campaign_items.c
        drawn = list(
            connection.execute(select(items.record).where(items.audit).order_by(items.position)).scalars()
        )
    ids = [f"r{n}" for n in range(20)]
    assert drawn == audit_order(ids, f"7:{entry.previous}") != audit_order(ids, "7")
    assert first.labels == labels_digest(evidence(store, made, by="lead").labels)


def test_an_audit_is_counted_up_to_the_first_open_record(store: Store) -> None:
    made = campaign_of(store)
    for user in ("an", "bo"):
        for _ in range(4):
            label(store, made, user, COLD)
    draw_audit(store, made, 3, seed="1", by="lead")
    for user in ("deng", "fu"):
        _, second, *_ = claim(store, made, user, "audit", hold=3)
        decide(store, made, second, user, COLD)
    found = evidence(store, made, by="lead")
    assert (found.open, len(found.readings)) == (2, 2)
    for user in ("deng", "fu"):
        label(store, made, user, COLD, "audit")
    counted = tallied(evidence(store, made, by="lead"))
    assert (counted.read, counted.wrong) == (2, 0)


def test_what_auditors_pass_on_goes_to_the_adjudicator_and_then_counts_as_wrong(store: Store) -> None:
    made = campaign_of(store, TEXTS[:2])
    for user in ("an", "bo"):
        for _ in range(2):
            label(store, made, user, COLD)
    draw_audit(store, made, 2, seed="1", by="lead")
    for user in ("deng", "fu"):
        for _ in range(2):
            skip(store, made, take(store, made, user, "audit").slot, user, "unreadable")
    assert states(store, audit=True) == ["arbitration"] * 2
    label(store, made, "gao", COLD, "adjudication")
    skip(store, made, take(store, made, "gao", "adjudication").slot, "gao", "unreadable")
    assert states(store, audit=True) == ["settled", "excluded"]
    counted = tallied(evidence(store, made, by="lead"))
    assert (counted.read, counted.wrong, counted.disagreements) == (2, 1, 2)


def test_nobody_works_twice_on_one_record(store: Store) -> None:
    made = campaign_of(store, TEXTS[:1])
    for role in ("arbiter", "auditor"):
        assign(store, made, "an", role, by="lead")  # type: ignore[arg-type]
    label(store, made, "an", COLD)
    assert claim(store, made, "an", "annotation") == ()
    label(store, made, "bo", FLU)
    assert claim(store, made, "an", "arbitration") == ()
    label(store, made, "chen", COLD, "arbitration")
    draw_audit(store, made, 1, seed="1", by="lead")
    assert claim(store, made, "an", "audit") == ()
    label(store, made, "deng", COLD, "audit")
    label(store, made, "fu", FLU, "audit")
    assert claim(store, made, "chen", "adjudication") == (), "the arbiter has seen this record"
    label(store, made, "gao", COLD, "adjudication")
    found = evidence(store, made, by="lead")
    assert found.open == 0
    assert found.annotators == {"r0": frozenset({"an", "bo", "chen"})}
    assert [(one.reader, one.label, one.role, one.saw) for one in found.readings] == [
        ("deng", "icd10-who:J00", "auditor", ()),
        ("fu", "icd10-who:J11", "auditor", ()),
        ("gao", "icd10-who:J00", "adjudicator", ("auditors",)),
    ]
    counted = tallied(found)
    assert (counted.read, counted.wrong, counted.disagreements) == (1, 0, 1)


def test_an_arbiter_who_was_overtaken_has_still_seen_the_labels(store: Store) -> None:
    made = campaign_of(store, TEXTS[:1], lease=60.0)
    assign(store, made, "chen", "auditor", by="lead")
    label(store, made, "an", COLD)
    label(store, made, "bo", FLU)
    (lost,) = claim(store, made, "chen", "arbitration", now=1000.0)
    assert len(fetch(store, made, lost, "chen").opinions) == 2
    (taken,) = claim(store, made, "gao", "arbitration", now=1061.0)
    with pytest.raises(ConflictError, match="lapsed"):
        decide(store, made, lost, "chen", COLD)
    decide(store, made, taken, "gao", COLD)
    assert states(store) == ["settled"]
    draw_audit(store, made, 1, seed="1", by="lead")
    assert claim(store, made, "chen", "audit") == (), "who saw the labels does not audit the record"
    assert len(claim(store, made, "deng", "audit")) == 1
