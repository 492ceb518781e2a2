"""A hash-chained, append-only ledger in the same transaction as the act it records.

Each entry's hash is SHA-256 over its canonical JSON (sorted keys, no spaces, UTF-8), which includes
the hash of the entry before: any edit, deletion or reordering breaks the chain from there on.
Cutting off the end is caught by the separate head row, and against someone who rewrites both by
comparing with a head noted elsewhere (``verify(expected=...)``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from xinglin.errors import ChainBrokenError
from xinglin.store.tables import ledger, ledger_head
from xinglin.types import Entry

GENESIS = "0" * 64
# Built once: building and hashing a statement costs more than running it.
_HEAD = select(ledger_head.c.seq, ledger_head.c.hash).where(ledger_head.c.id == 1).with_for_update()
_INSERT = insert(ledger)
_MOVE = (
    update(ledger_head)
    .where(ledger_head.c.id == 1)
    .values(seq=bindparam("new_seq"), hash=bindparam("new_hash"))
)


def entry_hash(
    seq: int, previous: str, time: str, actor: str, action: str, subjects: list[str], detail: dict[str, Any]
) -> str:
    """Return the SHA-256 (hex) that an entry with these contents must carry."""
    body = {
        "seq": seq,
        "previous": previous,
        "time": time,
        "actor": actor,
        "action": action,
        "subjects": subjects,
        "detail": detail,
    }
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def append(
    connection: Connection,
    action: str,
    *,
    actor: str,
    subjects: tuple[str, ...] = (),
    detail: dict[str, Any] | None = None,
) -> Entry:
    """Append one entry inside the caller's write transaction.

    Args:
        connection: from ``Store.write()``; the entry stands or falls with that transaction.
        action: what was done, e.g. ``case.save``.
        actor: who did it: a user name, or ``cli``.
        subjects: digests (hex) of what was touched; never readable patient data.
        detail: JSON values without patient data, e.g. model version and counts.

    Returns:
        The entry as stored.
    """
    head = connection.execute(_HEAD).one()
    seq, previous = head.seq + 1, head.hash
    time = datetime.now(UTC).isoformat(timespec="microseconds")
    content = dict(detail or {})
    digest = entry_hash(seq, previous, time, actor, action, list(subjects), content)
    row = {
        "seq": seq,
        "previous": previous,
        "time": time,
        "actor": actor,
        "action": action,
        "subjects": list(subjects),
        "detail": content,
        "hash": digest,
    }
    connection.execute(_INSERT, row)
    connection.execute(_MOVE, {"new_seq": seq, "new_hash": digest})
    return Entry(seq, previous, time, actor, action, tuple(subjects), content, digest)


def entries(connection: Connection, start: int = 1, batch: int = 1000) -> Iterator[Entry]:
    """Yield entries from sequence number ``start`` in order, ``batch`` rows at a time."""
    after = start - 1
    while True:
        rows = connection.execute(
            select(ledger).where(ledger.c.seq > after).order_by(ledger.c.seq).limit(batch)
        ).all()
        for row in rows:
            yield Entry(
                row.seq,
                row.previous,
                row.time,
                row.actor,
                row.action,
                tuple(row.subjects),
                row.detail,
                row.hash,
            )
        if len(rows) < batch:
            return
        after = rows[-1].seq


def verify(connection: Connection, *, expected: tuple[int, str] | None = None) -> int:
    """Check the whole chain.

    Args:
        connection: a read transaction.
        expected: ``(seq, hash)`` of a head noted earlier outside the store; it must still be there.

    Returns:
        The number of entries.

    Raises:
        ChainBrokenError: names the first entry that does not fit.
    """
    previous, count = GENESIS, 0
    for entry in entries(connection):
        count += 1
        if entry.seq != count:
            raise ChainBrokenError(
                f"entry {count} is missing: found sequence number {entry.seq} in its place"
            )
        if entry.previous != previous:
            raise ChainBrokenError(
                f"entry {entry.seq} does not follow entry {entry.seq - 1}: previous hash differs"
            )
        should = entry_hash(
            entry.seq,
            entry.previous,
            entry.time,
            entry.actor,
            entry.action,
            list(entry.subjects),
            entry.detail,
        )
        if should != entry.hash:
            raise ChainBrokenError(
                f"entry {entry.seq} ({entry.action}, {entry.time}) was changed after it was written"
            )
        if expected and expected[0] == entry.seq and expected[1] != entry.hash:
            raise ChainBrokenError(f"entry {entry.seq} is not the one noted earlier: the chain was rewritten")
        previous = entry.hash
    head = connection.execute(select(ledger_head.c.seq, ledger_head.c.hash)).one()
    if (head.seq, head.hash) != (count, previous):
        raise ChainBrokenError(f"the head says {head.seq} entries, {count} are there: the end was cut off")
    if expected and expected[0] > count:
        raise ChainBrokenError(
            f"{expected[0]} entries were noted earlier, {count} are there: the end was cut off"
        )
    return count
