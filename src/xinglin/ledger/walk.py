"""The walk along the chain: does every entry fit the one before it, what it says, and the heads noted?

An entry fits if its number is the next one, it names the hash of the entry before, its own hash is that of what it
says, and it is not dated before the entry before. The first that does not fit is named.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, Text, cast, select

from xinglin.errors import ChainBrokenError
from xinglin.ledger.chain import CLOCK, CLOCK_SLACK, entry_hash
from xinglin.ledger.merkle import Frontier
from xinglin.store.tables_ledger import ledger

BATCH = 5000
Line = tuple[int, str, str, str, str, str]
"""What the check needs of an entry: number, hash of the entry before, time, action, hash of what it says, hash that it
carries. A plain tuple: a named one would cost a fifth of the check."""


class Head(NamedTuple):
    """What the chain was at some moment, as noted or signed outside of its rows."""

    seq: int
    hash: str
    root: str | None = None
    """Root of the Merkle tree over the first ``seq`` entries; ``None``: not noted."""


class End(NamedTuple):
    """Where a walk ended: the last entry, or what stood before the first where there is none."""

    seq: int
    hash: str
    time: str


class Noted:
    """The states of the chain that must be met on the way, and the Merkle tree as it grows."""

    def __init__(self, heads: Iterable[Head]) -> None:
        self._marks: dict[int, list[Head]] = {}
        for head in heads:
            self._marks.setdefault(head.seq, []).append(head)
        self._tree = Frontier() if any(head.root for head in heads) else None

    def meet(self, seq: int, hash_: str) -> None:
        """Go past an entry; every one from the first on must be told, in order.

        Raises:
            ChainBrokenError: it is not the one noted.
        """
        if not self._marks:
            return
        if self._tree is not None:
            self._tree.add(bytes.fromhex(hash_))
        for mark in self._marks.pop(seq, ()):
            _meet(mark, hash_, self._tree)

    def end(self, seq: int) -> None:
        """Say that the chain ends here.

        Raises:
            ChainBrokenError: more entries had been noted.
        """
        if self._marks:
            raise ChainBrokenError(
                f"{max(self._marks)} entries were noted earlier, {seq} are there: the end was cut off"
            )


def walk(
    entries: Iterable[Line],
    *,
    after: End,
    meet: Callable[[int, str], None] | None = None,
) -> End:
    """Check entries in order.

    Args:
        entries: unchecked.
        after: what stands before the first of them; an empty time is not compared.
        meet: is told number and hash of every entry that fits.

    Returns:
        The last entry; ``after`` where there is none.

    Raises:
        ChainBrokenError: names the first entry that does not fit.
    """
    count, previous, clock = after
    for seq, follows, time, action, computed, hash_ in entries:
        count += 1
        if seq != count:
            raise ChainBrokenError(f"entry {count} is missing: found sequence number {seq} in its place")
        if follows != previous:
            raise ChainBrokenError(f"entry {seq} does not follow entry {seq - 1}: previous hash differs")
        if computed != hash_:
            raise ChainBrokenError(f"entry {seq} ({action}, {time}) was changed after it was written")
        if time < clock and action != CLOCK and _backwards(clock, time):
            raise ChainBrokenError(f"entry {seq} ({action}) is of {time}, the one before it of {clock}")
        if meet is not None:
            meet(seq, hash_)
        previous, clock = hash_, time
    return End(count, previous, clock)


def lines(connection: Connection, first: int = 1, last: int | None = None) -> Iterator[Line]:
    """Yield the entries of a store in order, unchecked.

    Rows come from the driver's own cursor: building SQLAlchemy's rows would cost a fifth of the check.
    """
    dumps, fragment, sha256 = orjson.dumps, orjson.Fragment, hashlib.sha256
    cursor, after = connection.connection.cursor(), first - 1
    try:
        while True:
            cursor.execute(_page(connection, after, last))
            found: Sequence[Any] = cursor.fetchall()
            for seq, previous, time, actor, action, subjects, detail, hash_ in found:
                # The keys in the order of the canonical form; what is stored since revision 0008 is in it already.
                body = {
                    "action": action,
                    "actor": actor,
                    "detail": fragment(detail),
                    "previous": previous,
                    "seq": seq,
                    "subjects": fragment(subjects),
                    "time": time,
                }
                try:
                    computed = sha256(dumps(body)).hexdigest()
                except (orjson.JSONEncodeError, TypeError):
                    computed = ""
                if computed != hash_:
                    computed = _slowly(seq, previous, time, actor, action, subjects, detail)
                yield seq, previous, time, action, computed, hash_
            if len(found) < BATCH:
                return
            after = found[-1][0]
    finally:
        cursor.close()


def _page(connection: Connection, after: int, last: int | None) -> str:
    dialect = connection.dialect
    # SQLite keeps JSON as text; PostgreSQL's driver would decode it.
    texts: list[ColumnElement[Any]] = [
        column if dialect.name == "sqlite" else cast(column, Text)
        for column in (ledger.c.subjects, ledger.c.detail)
    ]
    columns = [ledger.c.seq, ledger.c.previous, ledger.c.time, ledger.c.actor, ledger.c.action]
    query = select(*columns, *texts, ledger.c.hash).where(ledger.c.seq > after)
    if last is not None:
        query = query.where(ledger.c.seq <= last)
    page = query.order_by(ledger.c.seq).limit(BATCH)
    return str(page.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def _slowly(seq: int, previous: str, time: str, actor: str, action: str, subjects: str, detail: str) -> str:
    """Hash anew what is not stored in the canonical form."""
    try:
        return entry_hash(seq, previous, time, actor, action, json.loads(subjects), json.loads(detail))
    except (ValueError, TypeError):
        return "no JSON"


def _meet(mark: Head, hash_: str, tree: Frontier | None) -> None:
    if mark.hash != hash_:
        raise ChainBrokenError(f"entry {mark.seq} is not the one noted earlier: the chain was rewritten")
    if mark.root is not None and tree is not None and tree.root().hex() != mark.root:
        raise ChainBrokenError(
            f"the tree over the first {mark.seq} entries is not the one noted earlier: the chain was rewritten"
        )


def _backwards(clock: str, time: str) -> bool:
    try:
        return datetime.fromisoformat(clock) - datetime.fromisoformat(time) > CLOCK_SLACK
    except (ValueError, TypeError):
        return True
