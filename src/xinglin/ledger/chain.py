"""A hash-chained, append-only ledger in the same transaction as the act it records.

Each entry's hash is SHA-256 over its canonical JSON (sorted keys, no spaces, UTF-8), which includes
the hash of the entry before: any edit, deletion or reordering breaks the chain from there on.
Cutting off the end is caught by the separate head row, and against someone who rewrites both by
signed heads (``ledger.heads``) or a head noted elsewhere. ``ledger.verification`` checks.

Canonical here means: as Python's ``json`` writes it. It is not RFC 8785 (JCS), which differs in the
order of keys beyond the basic plane and in the form of some floating-point numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from xinglin.errors import ClockError
from xinglin.store.keys import canonical_json, digest
from xinglin.store.tables_ledger import ledger, ledger_head
from xinglin.types import Entry

GENESIS = "0" * 64
CLOCK_SLACK = timedelta(minutes=2)
"""How far the clock of a writer may lag behind the last entry: hosts differ, and clocks are set."""
CLOCK = "audit.clock"
"""The one action that may be dated before the entry before it."""
# Built once: building and hashing a statement costs more than running it.
_HEAD = (
    select(ledger_head.c.seq, ledger_head.c.hash, ledger_head.c.time)
    .where(ledger_head.c.id == 1)
    .with_for_update()
)
_INSERT = insert(ledger)
_MOVE = (
    update(ledger_head)
    .where(ledger_head.c.id == 1)
    .values(seq=bindparam("new_seq"), hash=bindparam("new_hash"), time=bindparam("new_time"))
)


@dataclass(frozen=True, slots=True)
class Act:
    """What an entry is to say."""

    action: str
    """What was done, e.g. ``case.save``."""
    actor: str
    """Who did it: a user name, or ``cli``."""
    subjects: tuple[str, ...] = ()
    """Digests (hex) of what was touched; never readable patient data."""
    detail: dict[str, Any] = field(default_factory=dict)
    """JSON values without patient data, e.g. model version and counts."""


def canonical(
    seq: int, previous: str, time: str, actor: str, action: str, subjects: list[str], detail: dict[str, Any]
) -> bytes:
    """Return the bytes that are hashed."""
    body = {
        "seq": seq,
        "previous": previous,
        "time": time,
        "actor": actor,
        "action": action,
        "subjects": subjects,
        "detail": detail,
    }
    return canonical_json(body)


def entry_hash(
    seq: int, previous: str, time: str, actor: str, action: str, subjects: list[str], detail: dict[str, Any]
) -> str:
    """Return the SHA-256 (hex) that an entry with these contents must carry."""
    return digest(canonical(seq, previous, time, actor, action, subjects, detail))


def said(entry: Entry) -> bytes:
    """Return the bytes of an entry that are hashed."""
    e = entry
    return canonical(e.seq, e.previous, e.time, e.actor, e.action, list(e.subjects), e.detail)


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

    Raises:
        ClockError: the clock lags far behind the last entry; see :func:`accept_clock`.
    """
    return append_all(connection, [Act(action, actor, subjects, dict(detail or {}))])[0]


def append_all(connection: Connection, acts: Iterable[Act]) -> list[Entry]:
    """Append entries in order, at a fraction of the cost of one after the other.

    Raises:
        ClockError: as :func:`append`; nothing is appended.
    """
    head = connection.execute(_HEAD).one()
    return _write(connection, head.seq, head.hash, _time(head.time), acts)


def accept_clock(connection: Connection, *, actor: str, reason: str) -> Entry:
    """Go on from the present time although entries are dated later, and say so in the chain.

    For the day after a clock that stood in the future: the entries that it dated stay as they are, this one tells
    why time runs backwards here.

    Args:
        connection: from ``Store.write()``.
        actor: who decided.
        reason: what was wrong with the clock; readable by every auditor.
    """
    head = connection.execute(_HEAD).one()
    act = Act(CLOCK, actor, (), {"reason": reason, "last": head.time})
    return _write(connection, head.seq, head.hash, _now(), [act])[0]


def _write(connection: Connection, seq: int, previous: str, time: str, acts: Iterable[Act]) -> list[Entry]:
    written, rows = [], []
    for act in acts:
        seq += 1
        subjects = list(act.subjects)
        hash_ = entry_hash(seq, previous, time, act.actor, act.action, subjects, act.detail)
        rows.append(
            {
                "seq": seq,
                "previous": previous,
                "time": time,
                "actor": act.actor,
                "action": act.action,
                "subjects": subjects,
                "detail": _ordered(act.detail),
                "hash": hash_,
            }
        )
        written.append(
            Entry(seq, previous, time, act.actor, act.action, act.subjects, dict(act.detail), hash_)
        )
        previous = hash_
    if rows:
        connection.execute(_INSERT, rows)
        connection.execute(_MOVE, {"new_seq": seq, "new_hash": previous, "new_time": time})
    return written


def _ordered(value: Any) -> Any:
    """Return the value with its keys in canonical order, so that what is stored reads as what was hashed."""
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    return value


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _time(last: str | None) -> str:
    """Return the present time, or that of the last entry where the clock lags a little."""
    now = _now()
    if last is None or now >= last:
        return now
    if datetime.fromisoformat(last) - datetime.fromisoformat(now) <= CLOCK_SLACK:
        return last
    raise ClockError(
        f"the last entry is of {last}, the clock of this machine says {now}: set the clock right. If it is right, "
        "and the last entries were dated by a wrong one, run `xinglin audit clock --reason ...`"
    )


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
