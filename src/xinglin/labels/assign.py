"""Handing out cases: a place is leased, so that a lost annotator blocks nobody, and two never get the same one.

On SQLite writers queue; on PostgreSQL the next open place is taken with ``FOR UPDATE SKIP LOCKED``, so that people who
ask at once step over each other's, and one person's own requests wait for each other on their role. Locks are taken in
one order everywhere (role, item, place, the ledger's head), so that no two acts wait for each other.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, Row, exists, func, insert, or_, select, update

from xinglin.errors import ConflictError, NotPermittedError, UnknownNameError
from xinglin.labels.answer import Answer
from xinglin.labels.arbitrate import SECOND, Opinion, decisions_of, lock_place, opinions, said, settle
from xinglin.labels.campaign import PURPOSE, ROLE_OF, Campaign, Stage, need_open, need_role, open_place
from xinglin.ledger import append
from xinglin.ledger.grants import check
from xinglin.records.archive import read_one
from xinglin.store import Store
from xinglin.store.tables import campaign_decisions, campaign_items, campaign_slots
from xinglin.types import Record

MAX_HELD = 10
"""Cases that one person may hold at once in one stage."""


@dataclass(frozen=True, slots=True)
class Task:
    """One case on somebody's desk: what this person may see of it, and nothing else."""

    slot: int
    """The place that the person holds."""
    item: int
    stage: Stage
    record: Record
    opinions: tuple[Opinion, ...] = ()
    """For an arbiter: the labels to decide between."""
    decided: Answer | None = None
    """The label that was given, when only the model's vote still waits for an answer."""


def claim(
    store: Store, campaign: Campaign, user: str, stage: Stage, *, hold: int = 1, now: float | None = None
) -> tuple[int, ...]:
    """Return the places that a person holds in a stage, after taking more up to ``hold``; leases are renewed.

    Args:
        store: where.
        campaign: which.
        user: who asks.
        stage: what is to be done.
        hold: places to hold at most, 1 to 10.
        now: the time in seconds since the epoch; ``None`` is the clock's.

    Returns:
        Ids of the places in the order of the queue; fewer than ``hold`` when no more are open to this person.

    Raises:
        NotPermittedError: the person has not the role of that stage.
        ConfigurationError: the campaign is closed.
    """
    moment = time.time() if now is None else now
    with store.write() as connection:
        need_role(connection, campaign, user, ROLE_OF[stage])
        need_open(connection, campaign)
        _lapse(connection, campaign, moment)
        slots = campaign_slots.c
        mine = (slots.campaign == campaign.id, slots.annotator == user, slots.stage == stage)
        held = [
            row.id
            for row in connection.execute(
                select(slots.id)
                .where(*mine, slots.state.in_(("held", "voting")))
                .order_by(slots.position, slots.id)
            )
        ]
        connection.execute(
            update(campaign_slots).where(slots.id.in_(held)).values(leased_until=moment + campaign.lease)
        )
        taken: list[int] = []
        while len(held) + len(taken) < min(hold, MAX_HELD):
            found = _take(connection, campaign, user, stage, moment)
            if found is None:
                break
            taken.append(found)
        if taken:
            subjects = connection.execute(
                select(campaign_items.c.subject).where(
                    campaign_items.c.id.in_(select(slots.item).where(slots.id.in_(taken)))
                )
            ).scalars()
            append(
                connection,
                "annotation.lease",
                actor=user,
                subjects=tuple(sorted(subjects)),
                detail={"campaign": campaign.id, "stage": stage},
            )
    return (*held, *taken)


def _take(connection: Connection, campaign: Campaign, user: str, stage: Stage, now: float) -> int | None:
    """Lease the next open place of a stage on a record that this person holds no place on.

    Leases that ran out come first, then the places behind this person's last one, then what was opened again before
    it: so that nobody's way through the queue begins at its start every time.
    """
    slots, decisions = campaign_slots.c, campaign_decisions.c
    last = connection.execute(
        select(slots.position)
        .join(campaign_decisions, decisions.slot == slots.id)
        .where(decisions.campaign == campaign.id, decisions.annotator == user, slots.stage == stage)
        .order_by(decisions.id.desc())
        .limit(1)
    ).scalar()
    lapsed = (slots.state == "held") & (slots.leased_until < now)
    behind = (slots.state == "open") & (slots.position >= (last or 0))
    for free in (lapsed, behind, slots.state == "open"):
        found = connection.execute(
            select(slots.id)
            .where(slots.campaign == campaign.id, slots.stage == stage, free, ~_known(user))
            .order_by(slots.position, slots.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).scalar()
        if found is not None:
            break
    else:
        return None
    if stage in SECOND.values():
        found = _instead(connection, found)
    connection.execute(
        update(campaign_slots)
        .where(slots.id == found)
        .values(state="held", annotator=user, leased_until=now + campaign.lease, opened=None, vote_seen=False)
    )
    return int(found)


def _instead(connection: Connection, slot: int) -> int:
    """Return the place itself, or a new one if somebody held it: who saw other people's labels stays on record."""
    slots = campaign_slots.c
    old = connection.execute(select(campaign_slots).where(slots.id == slot)).one()
    if old.annotator is None:
        return slot
    connection.execute(
        update(campaign_slots).where(slots.id == slot).values(state="lapsed", leased_until=None)
    )
    new = open_place(old.campaign, old.item, old.record, old.stage, old.position)
    key = connection.execute(insert(campaign_slots).values(new)).inserted_primary_key
    return int(key[0]) if key is not None else slot


def _known(user: str) -> ColumnElement[bool]:
    """Whether a person holds a place on the record of a place."""
    slots, other = campaign_slots.c, campaign_slots.alias()
    return exists(
        select(other.c.id).where(
            other.c.campaign == slots.campaign, other.c.record == slots.record, other.c.annotator == user
        )
    )


def _lapse(connection: Connection, campaign: Campaign, now: float) -> None:
    """Take a label as final whose giver never answered the model's vote within the lease."""
    slots = campaign_slots.c
    late: Sequence[int] = (
        connection.execute(
            select(slots.id)
            .where(
                slots.campaign == campaign.id,
                slots.stage.in_(("annotation", "arbitration")),
                slots.state == "voting",
                slots.leased_until < now,
            )
            .order_by(slots.item)
        )
        .scalars()
        .all()
    )
    for slot in late:
        place, item = lock_place(connection, campaign, slot)
        if place.state == "voting" and place.leased_until < now:
            connection.execute(update(campaign_slots).where(slots.id == slot).values(state="done"))
            settle(connection, item)
            append(
                connection,
                "annotation.lapse",
                actor=place.annotator,
                subjects=(item.subject,),
                detail={"campaign": campaign.id, "stage": place.stage},
            )


def held_by(place: Row[Any], user: str, *states: str) -> None:
    """Refuse a place that is not a person's own, or not in one of some states.

    Raises:
        ConflictError: the lease ran out and somebody else took it, or it is decided already.
    """
    if place.annotator != user:
        raise ConflictError("this case is no longer yours: its lease ran out and it was handed on")
    if place.state not in states:
        raise ConflictError(f"this case is {place.state}: expected {' or '.join(states)}; go on to the next")


def fetch(store: Store, campaign: Campaign, slot: int, user: str) -> Task:
    """Return a held case with its record, read from the archive for annotation in this person's name.

    An arbiter gets the labels, an annotator and an auditor nothing of anybody else's: whatever is asked, no other
    function hands out labels below the lead.

    Raises:
        ConflictError: the place is not (or no longer) this person's.
        NotPermittedError: no grant covers annotation, or the consent is withdrawn.
    """
    with store.read() as connection:
        slots = campaign_slots.c
        place = connection.execute(
            select(campaign_slots).where(slots.id == slot, slots.campaign == campaign.id)
        ).first()
        if place is None:
            raise ConflictError("this case is gone: it was taken back or erased")
        held_by(place, user, "held", "voting")
        item = connection.execute(select(campaign_items).where(campaign_items.c.id == place.item)).one()
        arbiter = place.stage == SECOND[item.audit]
        seen = opinions(connection, item, slot) if arbiter else ()
        stand = decisions_of(connection, [slot])[slot]
    record = _read(store, campaign, place, item, user)
    if place.length != len(record.text):
        with store.write() as connection:
            connection.execute(
                update(campaign_slots)
                .where(campaign_slots.c.id == slot, campaign_slots.c.annotator == user)
                .values(length=len(record.text))
            )
    decided = said(stand[-1]) if place.state == "voting" and stand else None
    return Task(slot, item.id, cast(Stage, place.stage), record, seen, decided)


def _read(store: Store, campaign: Campaign, place: Row[Any], item: Row[Any], user: str) -> Record:
    """Read the version that the campaign labels; a record that may no longer be read leaves the campaign."""
    try:
        return read_one(
            store, campaign.dataset, item.record, purpose=PURPOSE, actor=user, version=item.version
        )
    except (NotPermittedError, UnknownNameError):
        with store.write() as connection:
            check(connection, campaign.dataset, grantee=user, purpose=PURPOSE)  # or it is this person's grant
            _, locked = lock_place(connection, campaign, place.id)
            waits = campaign_slots.c.state.in_(("open", "held", "voting"))
            connection.execute(
                update(campaign_slots)
                .where(campaign_slots.c.item == item.id, waits)
                .values(state="withdrawn", leased_until=None)
            )
            connection.execute(
                update(campaign_items).where(campaign_items.c.id == item.id).values(state="withdrawn")
            )
            append(
                connection,
                "annotation.withdraw",
                actor=user,
                subjects=(locked.subject,),
                detail={"campaign": campaign.id},
            )
        raise ConflictError(
            "this case has left the campaign: its record was erased, or the consent was withdrawn"
        ) from None


def mark_opened(store: Store, campaign: Campaign, task: Task, user: str, *, now: float | None = None) -> None:
    """Write down that a person has a case before their eyes, and whether other people's labels are with it.

    Raises:
        ConflictError: the place is not (or no longer) this person's.
    """
    moment = time.time() if now is None else now
    with store.write() as connection:
        place, item = lock_place(connection, campaign, task.slot)
        held_by(place, user, "held", "voting")
        values: dict[str, Any] = {"leased_until": moment + campaign.lease}
        if place.opened is None:
            values["opened"] = moment
        connection.execute(update(campaign_slots).where(campaign_slots.c.id == task.slot).values(values))
        append(
            connection,
            "annotation.open",
            actor=user,
            subjects=(item.subject,),
            detail={"campaign": campaign.id, "stage": place.stage, "labels_seen": len(task.opinions)},
        )


def waiting(store: Store, campaign: Campaign, user: str, stage: Stage, *, now: float | None = None) -> int:
    """Return how many places of a stage are open to a person, those held included."""
    moment = time.time() if now is None else now
    slots = campaign_slots.c
    free = or_(slots.state == "open", (slots.state == "held") & (slots.leased_until < moment))
    mine = (slots.annotator == user) & slots.state.in_(("held", "voting"))
    with store.read() as connection:
        return int(
            connection.execute(
                select(func.count(func.distinct(slots.record))).where(
                    slots.campaign == campaign.id, slots.stage == stage, or_(mine, free & ~_known(user))
                )
            ).scalar_one()
        )
