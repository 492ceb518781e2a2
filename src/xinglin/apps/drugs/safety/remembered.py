"""What the ledger keeps of refusals: digests of the structures and how many fell under which entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection

from xinglin.apps.drugs.safety.screening import Refusal
from xinglin.ledger import append

ACTION = "drugs.refuse"


def remember(connection: Connection, refusals: Sequence[Refusal], *, actor: str, where: str) -> None:
    """Append one entry about what was refused in one act; none where nothing was.

    Args:
        connection: a write transaction, that of the act itself where it writes.
        refusals: all of one act.
        actor: who asked.
        where: what was asked for, e.g. ``routes``; nothing of the structure.
    """
    if not refusals:
        return
    detail = {
        "where": where,
        "categories": dict(sorted(Counter(refusal.entry.category for refusal in refusals).items())),
        "entries": dict(sorted(Counter(refusal.entry.id for refusal in refusals).items())),
    }
    subjects = tuple(sorted({refusal.digest for refusal in refusals}))
    append(connection, ACTION, actor=actor, subjects=subjects, detail=detail)
