"""Checking the chain: entry after entry, against signed heads, from a store or from a file.

An entry fits if its number is the next one, it names the hash of the entry before, its own hash is that of what it
says, and it is not dated before the entry before. The first that does not fit is named.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Text, cast, select

from xinglin.errors import ChainBrokenError, InvalidInputError
from xinglin.ledger.chain import CLOCK, CLOCK_SLACK, GENESIS, entry_hash
from xinglin.ledger.merkle import Frontier
from xinglin.store.tables_ledger import ledger, ledger_head

BATCH = 5000


class Head(NamedTuple):
    """What the chain was at some moment, as noted or signed outside of its rows."""

    seq: int
    hash: str
    root: str | None = None
    """Root of the Merkle tree over the first ``seq`` entries; ``None``: not noted."""


class Line(NamedTuple):
    """What the check needs of an entry."""

    seq: int
    previous: str
    time: str
    action: str
    computed: str
    """Hash of what it says."""
    hash: str
    """The hash that it carries."""


def verify(
    connection: Connection,
    *,
    first: int = 1,
    last: int | None = None,
    expected: tuple[int, str] | None = None,
    heads: Sequence[Head] = (),
) -> int:
    """Check the chain, or a part of it.

    Args:
        connection: a read transaction.
        first: number of the first entry to check. The hashes before it are taken as they stand; where a head at or
            after ``first`` is given, its root binds them too.
        last: number of the last one; ``None``: to the end, which must be where the store's head says.
        expected: ``(seq, hash)`` of a head noted earlier outside the store; it must still be there.
        heads: others that must be there, e.g. those whose signature has been checked.

    Returns:
        The number of entries checked.

    Raises:
        ChainBrokenError: names the first entry that does not fit.
        InvalidInputError: there are no such entries.
    """
    head = connection.execute(select(ledger_head.c.seq, ledger_head.c.hash)).one()
    if first < 1 or (last is not None and last < first) or (first > 1 and first > head.seq):
        raise InvalidInputError(
            f"expected a range within 1 to {head.seq}, got {first} to {last if last is not None else 'the end'}"
        )
    noted = [*heads, *([Head(*expected)] if expected else [])]
    before = _hashes(connection, first - 1)
    walked = walk(lines(connection, first, last), first=first, before=before, heads=noted, whole=last is None)
    if last is None and (head.seq, head.hash) != (walked.seq, walked.hash):
        raise ChainBrokenError(
            f"the head says {head.seq} entries, {walked.seq} are there: the end was cut off"
        )
    if last is not None and walked.seq < last:
        raise ChainBrokenError(f"entry {walked.seq + 1} is missing: the chain ends before {last}")
    return walked.seq - first + 1


def walk(
    entries: Iterable[Line],
    *,
    first: int = 1,
    before: Sequence[str] = (),
    heads: Sequence[Head] = (),
    whole: bool = True,
) -> Head:
    """Check entries in order.

    Args:
        entries: from number ``first`` on.
        first: the number that the first must bear.
        before: hashes of all entries before it.
        heads: which of the chain's states must be met; those that lie before ``first`` are compared with ``before``.
        whole: the entries go to the chain's end, so that a head beyond them means that the end was cut off.

    Returns:
        The last entry's number and hash; ``first - 1`` where there is none.

    Raises:
        ChainBrokenError: names the first entry that does not fit.
    """
    marks: dict[int, list[Head]] = {}
    for mark in heads:
        marks.setdefault(mark.seq, []).append(mark)
    tree = Frontier() if any(mark.root for mark in heads) else None
    for place, hash_ in enumerate(before, start=1):
        if tree is not None:
            tree.add(bytes.fromhex(hash_))
        for mark in marks.pop(place, ()):
            _meet(mark, hash_, tree)
    previous, count, clock = (before[-1] if before else GENESIS), first - 1, ""
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
        if tree is not None:
            tree.add(bytes.fromhex(hash_))
        if seq in marks:
            for mark in marks.pop(seq):
                _meet(mark, hash_, tree)
        previous, clock = hash_, time
    if whole and marks:
        raise ChainBrokenError(
            f"{max(marks)} entries were noted earlier, {count} are there: the end was cut off"
        )
    return Head(count, previous)


def lines(connection: Connection, first: int = 1, last: int | None = None) -> Iterator[Line]:
    """Yield the entries of a store in order, unchecked."""
    columns = [ledger.c.seq, ledger.c.previous, ledger.c.time, ledger.c.actor, ledger.c.action]
    query = select(*columns, cast(ledger.c.subjects, Text), cast(ledger.c.detail, Text), ledger.c.hash)
    dumps, fragment, sha256 = orjson.dumps, orjson.Fragment, hashlib.sha256
    after = first - 1
    while True:
        page = query.where(ledger.c.seq > after).order_by(ledger.c.seq).limit(BATCH)
        found: Sequence[Any] = connection.execute(
            page if last is None else page.where(ledger.c.seq <= last)
        ).all()
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
            yield Line(seq, previous, time, action, computed, hash_)
        if len(found) < BATCH:
            return
        after = found[-1].seq


def _slowly(seq: int, previous: str, time: str, actor: str, action: str, subjects: str, detail: str) -> str:
    """Hash anew what is not stored in the canonical form."""
    try:
        return entry_hash(seq, previous, time, actor, action, json.loads(subjects), json.loads(detail))
    except (ValueError, TypeError):
        return "no JSON"


def _hashes(connection: Connection, last: int) -> list[str]:
    query = select(ledger.c.seq, ledger.c.hash).where(ledger.c.seq <= last).order_by(ledger.c.seq)
    hashes: list[str] = []
    pairs: Iterable[Any] = connection.execute(query)
    for place, (seq, hash_) in enumerate(pairs, start=1):
        if seq != place:
            raise ChainBrokenError(f"entry {place} is missing: found sequence number {seq} in its place")
        hashes.append(hash_)
    return hashes


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
