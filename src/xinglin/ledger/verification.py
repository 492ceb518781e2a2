"""Checking the chain of a store, whole or in part; ``ledger.journal`` checks one that was taken home as a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from xinglin.errors import ChainBrokenError, InvalidInputError
from xinglin.ledger.stretches import check, stretches_of_store
from xinglin.ledger.walk import Head, lines
from xinglin.store.tables_ledger import ledger, ledger_head


def verify(
    connection: Connection,
    *,
    first: int = 1,
    last: int | None = None,
    expected: tuple[int, str] | None = None,
    heads: Sequence[Head] = (),
    processes: int = 1,
) -> int:
    """Check the chain, or a part of it.

    Args:
        connection: a read transaction.
        first: number of the first entry to check. The hashes before it are taken as they stand; where a head at or
            after ``first`` is given, its root binds them too.
        last: number of the last one; ``None``: to the end, which must be where the store's head says.
        expected: ``(seq, hash)`` of a head noted earlier outside the store; it must still be there.
        heads: others that must be there, e.g. those whose signature has been checked.
        processes: how many check at once where the chain is long enough for it to pay. More than one starts Python
            anew, so a program of your own must guard its start with ``if __name__ == "__main__"``.

    Returns:
        The number of entries checked.

    Raises:
        ChainBrokenError: names the first entry that does not fit.
        InvalidInputError: there are no such entries.
    """
    # One statement, hence one moment: a writer may append while the check goes on.
    newest = select(func.max(ledger.c.seq)).scalar_subquery().label("newest")
    head = connection.execute(select(ledger_head.c.seq, ledger_head.c.hash, newest)).one()
    if first < 1 or (last is not None and last < first) or (first > 1 and first > head.seq):
        raise InvalidInputError(
            f"expected a range within 1 to {head.seq}, got {first} to {last if last is not None else 'the end'}"
        )
    to = head.seq if last is None else last
    end = check(
        lambda: lines(connection, first, to),
        stretches_of_store(connection, first, to, processes),
        before=_hashes(connection, first - 1),
        heads=[*heads, *([Head(*expected)] if expected else [])],
        whole=last is None,
        processes=processes,
    )
    if end.seq < to and last is not None:
        raise ChainBrokenError(f"entry {end.seq + 1} is missing: the chain ends before {last}")
    if last is None and (head.seq, head.hash) != (end.seq, end.hash):
        raise ChainBrokenError(f"the head says {head.seq} entries, {end.seq} are there: the end was cut off")
    if (head.newest or 0) > head.seq:
        raise ChainBrokenError(
            f"the head says {head.seq} entries, {head.newest} are there: the head was put back"
        )
    return end.seq - first + 1


def _hashes(connection: Connection, last: int) -> list[str]:
    query = select(ledger.c.seq, ledger.c.hash).where(ledger.c.seq <= last).order_by(ledger.c.seq)
    hashes: list[str] = []
    pairs: Iterable[Any] = connection.execute(query)
    for place, (seq, hash_) in enumerate(pairs, start=1):
        if seq != place:
            raise ChainBrokenError(f"entry {place} is missing: found sequence number {seq} in its place")
        hashes.append(hash_)
    return hashes
