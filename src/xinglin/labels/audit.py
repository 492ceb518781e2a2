"""The audit of a round: a random draw of settled records, labelled twice more by people who never saw them.

The order is that of :func:`~xinglin.labels.evidence.audit_order` over all settled records. Its seed is the lead's seed
joined with the ledger's head at that moment, so that nobody can try seeds in advance, and the draw is an entry of the
ledger before any drawn record is handed out: whoever knows the entry can repeat it. Records drawn later continue the
same order, so that an audit may stop as soon as a bound passes (see :mod:`.certificate`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from xinglin.errors import ConfigurationError, InvalidInputError
from xinglin.labels.answer import answer_of, written
from xinglin.labels.arbitrate import decisions_of, said
from xinglin.labels.campaign import Campaign, Item, add_items, need_open, need_role
from xinglin.labels.evidence import AUDITORS_LABELS, Reading, audit_order, labels_digest
from xinglin.ledger import append
from xinglin.store import Store
from xinglin.store.tables import campaign_items, campaign_slots, campaigns
from xinglin.store.tables_ledger import ledger_head


@dataclass(frozen=True, slots=True)
class Draw:
    """A draw as the ledger has it."""

    drawn: int
    """Records drawn now."""
    population: int
    """Settled records of the campaign."""
    seed: str
    """Seed of the whole order: the lead's and the ledger's head before the first draw."""
    labels: str
    """SHA-256 (hex) over all settled records and their labels."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What :mod:`.certificate` is made from."""

    labels: dict[str, str]
    """Every settled record and its label, as :func:`~xinglin.labels.answer.written`."""
    readings: list[Reading]
    annotators: dict[str, frozenset[str]]
    """Who held a place on a record in the round."""
    seed: str | None
    """``None``: nothing is drawn yet."""
    open: int
    """Drawn records that are not finished."""


def draw_audit(store: Store, campaign: Campaign, size: int, *, seed: str, by: str) -> Draw:
    """Draw records for the audit, without replacement; once drawn, the round takes nothing back.

    Args:
        store: where.
        campaign: which; every record must be settled, excluded or withdrawn.
        size: how many more.
        seed: any text of at most 100 characters, recorded; a later draw continues the first one's order and leaves
            its own seed aside.
        by: the lead.

    Raises:
        NotPermittedError: ``by`` is not the lead.
        ConfigurationError: the round is not finished, or nobody can audit.
        InvalidInputError: more than are left are asked for, or the seed is too long.
    """
    items = campaign_items.c
    if len(seed) > 100:
        raise InvalidInputError(f"seed: expected at most 100 characters, got {len(seed)}")
    with store.write() as connection:
        need_role(connection, campaign, by, "lead")
        need_open(connection, campaign)
        head = connection.execute(select(ledger_head.c.hash).with_for_update()).scalar_one()
        unsettled = connection.execute(
            select(func.count()).where(
                items.campaign == campaign.id, ~items.audit, items.state.in_(("labelling", "arbitration"))
            )
        ).scalar_one()
        if unsettled:
            raise ConfigurationError(
                f"the audit comes after the round: {unsettled} records are not settled yet"
            )
        settled = {row.record: row for row in _settled(connection, campaign)}
        done = dict(
            connection.execute(
                select(items.key, items.position).where(items.campaign == campaign.id, items.audit)
            ).all()
        )
        first = connection.execute(
            select(campaigns.c.audit_seed).where(campaigns.c.id == campaign.id)
        ).scalar_one()
        whole = first or f"{seed}:{head}"
        left = [settled[record] for record in audit_order(settled, whole) if settled[record].key not in done]
        if not 0 < size <= len(left):
            raise InvalidInputError(f"audit: expected 1 to {len(left)} records, got {size}")
        start = max(done.values(), default=-1) + 1
        drawn = [
            Item(row.record, row.key, row.version, start + place) for place, row in enumerate(left[:size])
        ]
        add_items(connection, campaign.id, drawn, audit=True)
        connection.execute(update(campaigns).where(campaigns.c.id == campaign.id).values(audit_seed=whole))
        labels = labels_digest(_labels(settled.values()))
        append(
            connection,
            "annotation.draw_audit",
            actor=by,
            subjects=tuple(row.subject for row in left[:size]),
            detail={"campaign": campaign.id, "seed": whole, "population": len(settled), "size": size},
        )
    return Draw(size, len(settled), whole, labels)


def evidence(store: Store, campaign: Campaign, *, by: str) -> Evidence:
    """Return the audit so far, as the certificate reads it.

    A reading that was passed on is a label of its own that equals no other: it leads to the adjudicator, and what the
    adjudicator passes on counts as wrong.

    Raises:
        NotPermittedError: ``by`` is not the lead.
    """
    slots, items = campaign_slots.c, campaign_items.c
    with store.read() as connection:
        need_role(connection, campaign, by, "lead")
        labels = _labels(_settled(connection, campaign))
        places = connection.execute(
            select(slots.id, slots.record, slots.annotator, slots.stage, slots.state)
            .where(slots.campaign == campaign.id, slots.annotator.is_not(None))
            .order_by(slots.id)
        ).all()
        seed = connection.execute(
            select(campaigns.c.audit_seed).where(campaigns.c.id == campaign.id)
        ).scalar_one()
        unfinished = connection.execute(
            select(func.count()).where(
                items.campaign == campaign.id, items.audit, items.state.in_(("labelling", "arbitration"))
            )
        ).scalar_one()
        read = [
            place
            for place in places
            if place.stage in ("audit", "adjudication") and place.state in ("done", "skipped")
        ]
        stands = decisions_of(connection, [place.id for place in read])
    annotators: dict[str, set[str]] = {}
    for place in places:
        if place.stage in ("annotation", "arbitration"):
            annotators.setdefault(place.record, set()).add(place.annotator)
    readings = []
    for place in read:
        last = stands[place.id][-1]
        answer = said(last)
        label = f"passed:{place.id}" if answer is None else written(answer)
        if place.stage == "audit":
            readings.append(Reading(place.record, place.annotator, label))
        else:
            readings.append(Reading(place.record, place.annotator, label, "adjudicator", (AUDITORS_LABELS,)))
    kept = [reading for reading in readings if reading.item in labels]
    return Evidence(
        labels, kept, {record: frozenset(who) for record, who in annotators.items()}, seed, unfinished
    )


def _settled(connection: Connection, campaign: Campaign) -> list[Row[Any]]:
    items = campaign_items.c
    return list(
        connection.execute(
            select(campaign_items)
            .where(items.campaign == campaign.id, ~items.audit, items.state == "settled")
            .order_by(items.position)
        ).all()
    )


def _labels(rows: Iterable[Row[Any]]) -> dict[str, str]:
    return {
        row.record: written(answer_of(row.final_system, row.final_value, row.final_display) or ())
        for row in rows
    }
