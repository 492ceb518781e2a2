"""The audit: a random draw of settled records, labelled twice more by people who never saw them.

The draw cannot be steered: it is keyed by the seed *and* the ledger's head at that moment, and it is an entry of the
ledger before any drawn record is handed out, with the digests of what was drawn from and of what was drawn. Whoever
knows the entry can repeat it. Records drawn later continue the same order, so that an audit may stop as soon as a
bound passes (see :mod:`.certificate`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import func, select

from xinglin.errors import ConfigurationError, InvalidInputError
from xinglin.labels.arbitrate import code_of, decisions_of
from xinglin.labels.campaign import Campaign, Item, add_items, need_open, need_role
from xinglin.ledger import append
from xinglin.store import Store
from xinglin.store.tables import campaign_items, campaign_slots, ledger_head
from xinglin.types import Code


@dataclass(frozen=True, slots=True)
class Draw:
    """A draw as the ledger has it."""

    drawn: int
    population: int
    """Settled records of the campaign."""
    entry: str
    """Hash of the ledger entry that holds the draw."""


@dataclass(frozen=True, slots=True)
class Audited:
    """One record of the audit, in the order of the draw."""

    record: str
    label: Code
    """What the round settled on."""
    auditors: tuple[tuple[str, Code | None], ...]
    """Who said what, blindly; ``None``: passed on."""
    reference: Code | None
    """What the audit settled on; ``None``: it cannot be labelled, which counts as an error."""


def draw_order(ids: Sequence[int], seed: int, head: str) -> list[int]:
    """Return ids in the order of the draw.

    Args:
        ids: what is drawn from, any order.
        seed: of the lead.
        head: hash of the ledger's last entry before the draw.
    """
    key = hashlib.sha256(f"{seed}:{head}".encode()).digest()
    generator = np.random.default_rng(int.from_bytes(key))
    return [int(item) for item in generator.permutation(np.array(sorted(ids), dtype=np.int64))]


def draw_audit(store: Store, campaign: Campaign, size: int, *, seed: int, by: str) -> Draw:
    """Draw records for the audit, without replacement; once drawn, the round takes nothing back.

    Args:
        store: where.
        campaign: which; every record must be settled, excluded or withdrawn.
        size: how many more.
        seed: of the draw, 0 or more; recorded.
        by: the lead.

    Raises:
        NotPermittedError: ``by`` is not the lead.
        ConfigurationError: the round is not finished.
        InvalidInputError: more than are left are asked for.
    """
    items = campaign_items.c
    with store.write() as connection:
        need_role(connection, campaign, by, "lead")
        need_open(connection, campaign)
        head = connection.execute(select(ledger_head.c.hash).with_for_update()).scalar_one()
        open_ = connection.execute(
            select(func.count()).where(
                items.campaign == campaign.id, ~items.audit, items.state.in_(("labelling", "arbitration"))
            )
        ).scalar_one()
        if open_:
            raise ConfigurationError(f"the audit comes after the round: {open_} records are not settled yet")
        rows = connection.execute(
            select(campaign_items).where(
                items.campaign == campaign.id, ~items.audit, items.state == "settled"
            )
        ).all()
        done = {
            row.key: row.position
            for row in connection.execute(
                select(items.key, items.position).where(items.campaign == campaign.id, items.audit)
            )
        }
        left = {row.id: row for row in rows if row.key not in done}
        if not 0 < size <= len(left):
            raise InvalidInputError(f"audit: expected 1 to {len(left)} records, got {size}")
        chosen = [left[item] for item in draw_order(list(left), seed, head)[:size]]
        start = max(done.values(), default=-1) + 1
        drawn = [Item(row.record, row.key, row.version, start + place) for place, row in enumerate(chosen)]
        add_items(connection, campaign.id, drawn, audit=True)
        entry = append(
            connection,
            "annotation.draw_audit",
            actor=by,
            detail={
                "campaign": campaign.id,
                "seed": seed,
                "head": head,
                "population": len(rows),
                "from": _digest([row.subject for row in sorted(left.values(), key=lambda row: row.id)]),
                "drawn": _digest([row.subject for row in chosen]),
                "size": size,
            },
        )
    return Draw(size, len(rows), entry.hash)


def _digest(subjects: list[str]) -> str:
    return hashlib.sha256(json.dumps(subjects).encode()).hexdigest()


def audited(store: Store, campaign: Campaign, *, by: str) -> tuple[list[Audited], int]:
    """Return the finished records of the audit in the order of the draw, and how many are not finished.

    The list ends before the first unfinished record: what comes after it would be a choice, not a draw.

    Raises:
        NotPermittedError: ``by`` is not the lead.
    """
    items, slots = campaign_items.c, campaign_slots.c
    with store.read() as connection:
        need_role(connection, campaign, by, "lead")
        finals = {
            row.key: code_of_final(row)
            for row in connection.execute(
                select(campaign_items).where(
                    items.campaign == campaign.id, ~items.audit, items.state == "settled"
                )
            )
        }
        rows = connection.execute(
            select(campaign_items).where(items.campaign == campaign.id, items.audit).order_by(items.position)
        ).all()
        places = connection.execute(
            select(slots.id, slots.item, slots.annotator, slots.state).where(
                slots.campaign == campaign.id, slots.stage == "audit", slots.state.in_(("done", "skipped"))
            )
        ).all()
        stands = decisions_of(connection, [place.id for place in places])
    said: dict[int, list[tuple[str, Code | None]]] = {}
    for place in places:
        said.setdefault(place.item, []).append((place.annotator, code_of(stands[place.id][-1])))
    found: list[Audited] = []
    for row in rows:
        if row.state in ("labelling", "arbitration"):
            break
        label = finals.get(row.key)
        if row.state == "withdrawn" or label is None:
            continue
        found.append(Audited(row.record, label, tuple(said.get(row.id, ())), code_of_final(row)))
    open_ = sum(row.state in ("labelling", "arbitration") for row in rows)
    return found, open_


def code_of_final(row: object) -> Code | None:
    """Return the code that an item was settled on, or ``None``."""
    system, value = getattr(row, "final_system", None), getattr(row, "final_value", None)
    return None if value is None else Code(system or "", value, getattr(row, "final_display", "") or "")
