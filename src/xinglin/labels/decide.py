"""Deciding: a label, passing on, and taking one's last decision back. Every act adds a row; none changes one."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Row, delete, insert, select, update

from xinglin.errors import ConflictError, InvalidInputError
from xinglin.labels.answer import Answer, columns_of
from xinglin.labels.arbitrate import (
    FIRST,
    MAX_SKIPS,
    SECOND,
    Kind,
    decisions_of,
    lock_place,
    model_code,
    reopen,
    said,
    settle,
)
from xinglin.labels.assign import held_by
from xinglin.labels.campaign import LABELS, Campaign, need_open, open_place, stamp
from xinglin.ledger import append
from xinglin.store import Store
from xinglin.store.keys import keyed_digest
from xinglin.store.tables import campaign_decisions, campaign_items, campaign_slots
from xinglin.store.tables_ledger import salts
from xinglin.types import Code

MAX_SPANS = 200
MAX_REASON = 2_000
SkipReason = Literal["unreadable", "not_covered", "identifying", "other"]
REASONS: tuple[SkipReason, ...] = get_args(SkipReason)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an act led to."""

    slot: int
    kind: Kind
    vote_waits: bool
    """Whether the model's vote now waits for an answer."""


def decide(
    store: Store,
    campaign: Campaign,
    slot: int,
    user: str,
    codes: Code | Iterable[Code],
    *,
    spans: Sequence[tuple[int, int]] = (),
    confidence: float | None = None,
    now: float | None = None,
) -> Outcome:
    """Give a label. It is safe once this returns, and nobody who labels the record blindly gets to see it.

    Args:
        store: where.
        campaign: which.
        slot: the place, held by this person.
        user: who.
        codes: a code of the scheme; under a multi-label scheme any number of them, none saying that none applies.
        spans: half-open character offsets in the record's text that the label rests on.
        confidence: how sure, 0 to 1; ``None``: not said.
        now: the time in seconds since the epoch; ``None`` is the clock's.

    Raises:
        UnknownNameError: a code is not of the scheme.
        InvalidInputError: a span or the confidence is out of range, or a single-label scheme got not one code.
        ConflictError: the place is not (or no longer) this person's, or is decided already.
    """
    moment = time.time() if now is None else now
    answer = campaign.answer(codes)
    with store.write() as connection:
        place, item = _held(connection, campaign, slot, user, "held")
        votes = not item.audit and campaign.assisted and model_code(connection, item.id) is not None
        checked = checked_spans(spans, place.length)
        _add(
            connection,
            _row(campaign, place, "label", moment, answer=answer, spans=checked, confidence=confidence),
            item,
        )
        _finish(connection, campaign, place, item, "voting" if votes else "done", moment)
    return Outcome(slot, "label", votes)


def answer_vote(
    store: Store,
    campaign: Campaign,
    slot: int,
    user: str,
    codes: Code | Iterable[Code],
    *,
    spans: Sequence[tuple[int, int]] = (),
    now: float | None = None,
) -> Outcome:
    """Answer the model's vote: the same codes confirm one's own label, others reconsider it. Both are kept.

    Raises:
        ConflictError: the place is not this person's, or its vote was not looked at.
        UnknownNameError: a code is not of the scheme.
        InvalidInputError: a span is out of range, or a single-label scheme got not one code.
    """
    moment = time.time() if now is None else now
    answer = campaign.answer(codes)
    with store.write() as connection:
        place, item = _held(connection, campaign, slot, user, "voting")
        if not place.vote_seen:
            raise ConflictError("look at the model's vote first; then confirm or reconsider")
        before = said(decisions_of(connection, [slot])[slot][-1])
        kind: Kind = "confirm" if before == answer else "reconsider"
        checked = checked_spans(spans, place.length)
        _add(connection, _row(campaign, place, kind, moment, answer=answer, spans=checked), item)
        _finish(connection, campaign, place, item, "done", moment)
    return Outcome(slot, kind, False)


def skip(
    store: Store,
    campaign: Campaign,
    slot: int,
    user: str,
    reason: SkipReason,
    note: str = "",
    *,
    now: float | None = None,
) -> Outcome:
    """Pass a case on with a reason: somebody else labels it; passed on twice, it goes to the arbiter.

    An arbiter who passes it on takes the record out of the data set. An auditor's pass is a reading: the adjudicator
    decides.

    Raises:
        InvalidInputError: the note is too long, or the reason is ``other`` and there is no note.
        ConflictError: the place is not this person's, or is decided already.
    """
    moment = time.time() if now is None else now
    if len(note) > MAX_REASON or (reason == "other" and not note.strip()):
        raise InvalidInputError(f"reason: expected a note of 1 to {MAX_REASON} characters")
    with store.write() as connection:
        place, item = _held(connection, campaign, slot, user, "held")
        why = f"{reason}: {note}" if note else reason
        _pass(connection, campaign, place, item, _row(campaign, place, "skip", moment, reason=why), moment)
    return Outcome(slot, "skip", False)


def enter(
    connection: Connection,
    campaign: Campaign,
    place: Row[Any],
    item: Row[Any],
    *,
    codes: Answer | None,
    spans: Sequence[tuple[int, int]],
    confidence: float | None,
    reason: str | None,
    seconds: float | None,
) -> None:
    """Enter a label or a pass (no ``codes``) that was made elsewhere, on a held place; nobody asks for the model's vote.

    Args:
        connection: a write transaction that holds the locks of place and item.
        campaign: which.
        place: row of the place.
        item: row of its item.
        codes: of the scheme; ``None``: passed on.
        spans: half-open character offsets.
        confidence: 0 to 1, or ``None``.
        reason: of a pass.
        seconds: how long it took, or ``None``.

    Raises:
        UnknownNameError: a code is not of the scheme.
        InvalidInputError: a span, the confidence, the reason or the number of codes is out of range.
    """
    moment = time.time()
    if reason is not None and len(reason) > MAX_REASON:
        raise InvalidInputError(f"reason: expected at most {MAX_REASON} characters")
    kind: Kind = "skip" if codes is None else "label"
    answer = None if codes is None else campaign.answer(codes)
    checked = checked_spans(spans, place.length)
    row = _row(
        campaign, place, kind, moment, answer=answer, spans=checked, confidence=confidence, reason=reason
    )
    row["seconds"] = seconds
    if answer is None:
        _pass(connection, campaign, place, item, row, moment)
    else:
        _add(connection, row, item)
        _finish(connection, campaign, place, item, "done", moment)


def _pass(
    connection: Connection,
    campaign: Campaign,
    place: Row[Any],
    item: Row[Any],
    row: dict[str, Any],
    now: float,
) -> None:
    _add(connection, row, item)
    if place.stage == "annotation":
        passed = select(campaign_slots.c.id).where(
            campaign_slots.c.item == item.id, campaign_slots.c.state == "skipped"
        )
        if len(connection.execute(passed).all()) + 1 < MAX_SKIPS:
            again = open_place(campaign.id, item.id, item.record, place.stage, item.position)
            connection.execute(insert(campaign_slots).values(again))
    _finish(connection, campaign, place, item, "skipped", now)


def undo(store: Store, campaign: Campaign, user: str, *, now: float | None = None) -> int:
    """Take one's own last decision back: a row is added, and the case is on the desk again.

    What others have built on stays: once an arbiter has taken the case, or the audit has drawn it, it is too late. A
    blind label whose model's vote was seen cannot become blind again: it can only be reconsidered.

    Returns:
        The place, held again.

    Raises:
        ConflictError: there is nothing to take back, or it is too late.
    """
    moment = time.time() if now is None else now
    with store.write() as connection:
        slot = _last(connection, campaign, user)
        place, item = _held(connection, campaign, slot, user, "voting", "done", "skipped")
        stand = decisions_of(connection, [slot])[slot]
        top = stand[-1]
        if top.kind == "label" and place.vote_seen:
            raise ConflictError("the model's vote was seen: reconsider the label instead of taking it back")
        _take_back(connection, item, place)
        _add(connection, _row(campaign, place, "undo", moment), item)
        values = {
            "state": "voting" if top.kind in ("confirm", "reconsider") else "held",
            "leased_until": moment + campaign.lease,
        }
        connection.execute(update(campaign_slots).where(campaign_slots.c.id == slot).values(values))
    return slot


def _last(connection: Connection, campaign: Campaign, user: str) -> int:
    """Return the place of a person's last decision that stands."""
    decisions = campaign_decisions.c
    rows = connection.execute(
        select(decisions.slot, decisions.kind)
        .where(decisions.campaign == campaign.id, decisions.annotator == user)
        .order_by(decisions.id.desc())
        .limit(1)
    ).all()
    if not rows:
        raise ConflictError("there is no decision of yours to take back")
    if rows[0].kind == "undo":
        raise ConflictError("your last act was taking a decision back: decide that case first")
    return int(rows[0].slot)


def _take_back(connection: Connection, item: Row[Any], place: Row[Any]) -> None:
    """Remove what followed from a decision, where nobody has begun on it."""
    slots = campaign_slots.c
    items = campaign_items.c
    drawn = select(items.id).where(items.campaign == item.campaign, items.audit).limit(1)
    if not item.audit and connection.execute(drawn).first():
        raise ConflictError("too late to take it back: the audit has been drawn from this round")
    rows = connection.execute(select(campaign_slots).where(slots.item == item.id)).all()
    if place.stage == FIRST[item.audit]:
        for third in (row for row in rows if row.stage == SECOND[item.audit]):
            _remove_free(connection, third.id, "an arbiter has taken this case")
    else:
        later = (
            row for row in rows if row.stage == place.stage and row.id > place.id and row.state != "lapsed"
        )
        for third in later:
            _remove_free(connection, third.id, "another expert has taken this case")
    if place.state == "skipped" and place.stage == "annotation":
        others = [row for row in rows if row.stage == place.stage and row.id != place.id]
        waits = [row for row in others if row.state != "skipped"]
        if len(waits) >= LABELS:
            free = next((row for row in waits if row.annotator is None), waits[-1])
            _remove_free(connection, free.id, "somebody else has taken this case")
    reopen(connection, item.id, "arbitration" if place.stage == SECOND[item.audit] else "labelling")


def _remove_free(connection: Connection, slot: int, why: str) -> None:
    """Remove a place that nobody has taken; somebody may be taking it at this moment, so the statement itself asks."""
    slots = campaign_slots.c
    free = delete(campaign_slots).where(slots.id == slot, slots.annotator.is_(None))
    if connection.execute(free).rowcount != 1:
        raise ConflictError(f"too late to take it back: {why}")


def _held(
    connection: Connection, campaign: Campaign, slot: int, user: str, *states: str
) -> tuple[Row[Any], Row[Any]]:
    need_open(connection, campaign)
    place, item = lock_place(connection, campaign, slot)
    held_by(place, user, *states)
    return place, item


def checked_spans(spans: Sequence[tuple[int, int]], length: int | None) -> list[tuple[int, int]]:
    """Return spans in order, once each.

    Raises:
        InvalidInputError: too many, or one that does not lie in a text of ``length`` characters.
    """
    if len(spans) > MAX_SPANS:
        raise InvalidInputError(f"spans: expected {MAX_SPANS} at most, got {len(spans)}")
    for start, end in spans:
        if not 0 <= start < end or (length is not None and end > length):
            raise InvalidInputError(
                f"span ({start}, {end}): expected 0 <= start < end <= the text's length ({length})"
            )
    return sorted(set(spans))


def _row(
    campaign: Campaign,
    place: Row[Any],
    kind: Kind,
    now: float,
    *,
    answer: Answer | None = None,
    spans: Sequence[tuple[int, int]] = (),
    confidence: float | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    if confidence is not None and not (math.isfinite(confidence) and 0.0 <= confidence <= 1.0):
        raise InvalidInputError(f"confidence: expected 0 to 1, got {confidence}")
    return {
        "campaign": campaign.id,
        "slot": place.id,
        "annotator": place.annotator,
        "kind": kind,
        **columns_of(answer),
        "confidence": confidence,
        "spans": [list(span) for span in spans],
        "reason": reason,
        "seconds": None if place.opened is None else round(max(0.0, now - place.opened), 3),
        "time": stamp(),
    }


def _add(connection: Connection, row: dict[str, Any], item: Row[Any]) -> None:
    """Add a decision and its ledger entry: a keyed digest, so that the chain gives no label away."""
    salt = connection.execute(select(salts.c.salt).where(salts.c.subject == item.subject)).scalar()
    if salt is None:
        raise ConflictError("this case is gone: its record was erased")
    connection.execute(insert(campaign_decisions).values(row))
    content = json.dumps(row, sort_keys=True, ensure_ascii=False).encode()
    append(
        connection,
        "annotation.decide",
        actor=row["annotator"],
        subjects=(item.subject,),
        detail={"campaign": row["campaign"], "decision": keyed_digest(salt, content)},
    )


def _finish(
    connection: Connection, campaign: Campaign, place: Row[Any], item: Row[Any], state: str, now: float
) -> None:
    connection.execute(
        update(campaign_slots)
        .where(campaign_slots.c.id == place.id)
        .values(state=state, leased_until=now + campaign.lease if state == "voting" else None)
    )
    if state != "voting":
        settle(connection, item)
