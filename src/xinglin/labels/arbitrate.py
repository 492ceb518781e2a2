"""When a record is settled, and what an arbiter sees.

A record is settled without an arbiter only if nobody disagrees: both blind labels, both labels after the model's vote
was seen, and that vote itself are one code. Under a multi-label scheme labels agree when they hold the same codes, and
the vote, which names one class and says nothing of others, agrees when its code is among them. An annotator who comes
round to the model does not settle anything: the disagreement stays on record and a third person decides. That is the
rule whose error rate ``python -m benchmarks annotation`` simulates; it spends more arbiters than a rule on the last
labels alone, and certifies less surprise. A settled record may be looked at again (:mod:`.second_looks`).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from sqlalchemy import Connection, Row, insert, select, update

from xinglin.errors import UnknownNameError
from xinglin.labels.answer import Answer, answer_of, columns_of
from xinglin.labels.campaign import LABELS, Campaign, Stage, open_place
from xinglin.labels.pipeline import MOST, decided, unanimous
from xinglin.ledger.subjects import chunks
from xinglin.store.tables import campaign_decisions, campaign_items, campaign_slots, campaign_votes
from xinglin.types import Code

Kind = Literal["label", "confirm", "reconsider", "skip", "undo"]
MAX_SKIPS = 2
"""People who may pass a record on before it goes to the arbiter."""
FIRST: dict[bool, Stage] = {False: "annotation", True: "audit"}
SECOND: dict[bool, Stage] = {False: "arbitration", True: "adjudication"}
"""Stage of the blind labels and of the third opinion, in the round (``False``) and in the audit (``True``)."""


class Decided(Protocol):
    """What :func:`standing` needs of a row of decisions."""

    @property
    def kind(self) -> str:
        """One of ``Kind``."""


D = TypeVar("D", bound=Decided)


@dataclass(frozen=True, slots=True)
class Opinion:
    """What an arbiter sees of one label: no name, and no order that could give one away."""

    codes: Answer | None
    """``None``: passed on; ``reason`` says why."""
    blind: Answer | None
    """The label before the model's vote was seen; equal to ``codes`` unless it was reconsidered."""
    confidence: float | None
    spans: tuple[tuple[int, int], ...]
    reason: str | None


def standing(decisions: Iterable[D]) -> list[D]:
    """Return the decisions of one place that stand, in order: an ``undo`` takes the last one back."""
    kept: list[D] = []
    for decision in decisions:
        if decision.kind != "undo":
            kept.append(decision)
        elif kept:
            kept.pop()
    return kept


def code_of(row: Any) -> Code | None:
    """Return the code of a row, or ``None`` where there is none."""
    return None if row.value is None else Code(row.system, row.value, row.display or "")


def said(row: Any) -> Answer | None:
    """Return the answer of a decision, or ``None`` where the record was passed on."""
    return answer_of(row.system, row.value, row.display)


def lock_place(connection: Connection, campaign: Campaign, slot: int) -> tuple[Row[Any], Row[Any]]:
    """Return a place and its item, both locked: the item first, so that two people on one record take turns.

    Raises:
        UnknownNameError: the campaign has no such place.
    """
    slots = campaign_slots.c
    item = connection.execute(
        select(slots.item).where(slots.id == slot, slots.campaign == campaign.id)
    ).scalar()
    if item is None:
        raise UnknownNameError(f"the campaign {campaign.name!r} has no place {slot}")
    locked = connection.execute(
        select(campaign_items).where(campaign_items.c.id == item).with_for_update()
    ).one()
    return connection.execute(select(campaign_slots).where(slots.id == slot).with_for_update()).one(), locked


def decisions_of(connection: Connection, slots: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """Return the decisions of some places that stand, by place."""
    grouped: dict[int, list[Row[Any]]] = {slot: [] for slot in slots}
    for part in chunks(list(slots)):
        rows = connection.execute(
            select(campaign_decisions)
            .where(campaign_decisions.c.slot.in_(part))
            .order_by(campaign_decisions.c.id)
        )
        for row in rows:
            grouped[row.slot].append(row)
    return {slot: standing(rows) for slot, rows in grouped.items()}


def settle(connection: Connection, item: Row[Any]) -> str:
    """Move an item on as far as its labels allow.

    Args:
        connection: a write transaction that holds the item's lock.
        item: its row.

    Returns:
        Its state: ``labelling``, ``arbitration``, ``settled`` or ``excluded``.
    """
    places = connection.execute(
        select(campaign_slots).where(campaign_slots.c.item == item.id, campaign_slots.c.state != "lapsed")
    ).all()
    if any(place.state not in ("done", "skipped") for place in places):
        return str(item.state)
    stands = decisions_of(connection, [place.id for place in places])
    first = [
        stands[place.id] for place in places if place.stage == FIRST[item.audit] and place.state == "done"
    ]
    agreed = _agreed(connection, item, first)
    third = [place for place in places if place.stage == SECOND[item.audit]]
    reviews = [said(stands[place.id][-1]) or () for place in third if place.state == "done"]
    final = decided(reviews) if reviews else agreed
    if final is not None:
        return _move(connection, item.id, "settled", final)
    if third and (not reviews or len(third) >= MOST):
        # Arbiters who cannot decide, or who all differ: the record leaves the data set, and is counted as such.
        return _move(connection, item.id, "excluded", None)
    ask_expert(connection, item)
    return "arbitration"


def _agreed(connection: Connection, item: Row[Any], stands: Sequence[list[Row[Any]]]) -> Answer | None:
    """Return what all labels of the two people, and the model's vote, come to; ``None``: somebody differs."""
    if len(stands) != LABELS:
        return None
    agreed = unanimous([answer for stand in stands for row in stand if (answer := said(row)) is not None])
    vote = None if item.audit else model_code(connection, item.id)
    return None if agreed is None or (vote is not None and vote not in agreed) else agreed


def ask_expert(connection: Connection, item: Row[Any]) -> None:
    """Open a place for an expert's label; the item waits for it."""
    place = open_place(item.campaign, item.id, item.record, SECOND[item.audit], item.position)
    connection.execute(insert(campaign_slots).values(place))
    _move(connection, item.id, "arbitration", None)


def _move(connection: Connection, item: int, state: str, final: Answer | None) -> str:
    columns = {f"final_{name}": value for name, value in columns_of(final).items()}
    connection.execute(
        update(campaign_items).where(campaign_items.c.id == item).values(state=state, **columns)
    )
    return state


def reopen(connection: Connection, item: int, state: Literal["labelling", "arbitration"]) -> None:
    """Set an item back to a state in which a label is awaited."""
    _move(connection, item, state, None)


def model_code(connection: Connection, item: int) -> Code | None:
    """Return the code that the model voted for; ``None``: it did not vote, or abstained."""
    row = connection.execute(select(campaign_votes).where(campaign_votes.c.item == item)).first()
    return None if row is None else code_of(row)


def opinions(connection: Connection, item: Row[Any], slot: int) -> tuple[Opinion, ...]:
    """Return the labels that an arbiter decides between, without names, in an order of the place's own.

    A second look (see :mod:`.second_looks`) has nothing to decide between: it is blind, and gets none.

    Args:
        connection: a transaction; the caller has checked that the arbiter holds the place.
        item: the item's row.
        slot: the arbiter's place; it seeds the order.
    """
    slots = campaign_slots.c
    rows = connection.execute(
        select(slots.id, slots.stage, slots.state)
        .where(slots.item == item.id, slots.state.in_(("done", "skipped")), slots.id != slot)
        .order_by(slots.id)
    ).all()
    stands = decisions_of(connection, [row.id for row in rows if row.stage == FIRST[item.audit]])
    done = [stands[row.id] for row in rows if row.stage == FIRST[item.audit] and row.state == "done"]
    if any(row.stage == SECOND[item.audit] for row in rows) or _agreed(connection, item, done) is not None:
        return ()
    seen = [_opinion(stand) for stand in stands.values() if stand]
    random.Random(slot).shuffle(seen)
    return tuple(seen)


def _opinion(stand: list[Row[Any]]) -> Opinion:
    last = stand[-1]
    spans: list[list[int]] = next((row.spans for row in reversed(stand) if row.spans), [])
    return Opinion(
        codes=said(last),
        blind=said(stand[0]),
        confidence=stand[0].confidence,
        spans=tuple((start, end) for start, end in spans),
        reason=last.reason,
    )
