"""A long chain checked in stretches, several at once by processes of their own.

Whether a stretch fits itself needs no more than its own entries. Here its ends are joined: number, hash and time of the
neighbours, and the heads noted on the way. Processes only ever say that all fits; what does not is *named* by the one
walk that a short chain takes too, from the first entry on, so that the two never say different things.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain
from multiprocessing import get_context
from typing import NamedTuple

from sqlalchemy import Connection

from xinglin.errors import ChainBrokenError, XinglinError
from xinglin.ledger.chain import GENESIS
from xinglin.ledger.walk import End, Head, Line, Noted, lines, walk

LEAST = 400_000
"""Entries from which the start of more processes, about 0.7 CPU seconds each, pays: one checks as many in two seconds."""
EACH = 4
"""Stretches a process: while two are checked, the hashes of those before go into the tree."""
_logger = logging.getLogger(__name__)


class Stretch(NamedTuple):
    """A stretch that fits itself."""

    first: Line
    end: End
    hashes: bytes
    """Of its entries, 32 bytes each."""


class Task(NamedTuple):
    """How another process reads a stretch."""

    read: Callable[..., Iterable[Line]]
    arguments: tuple[object, ...]


def check(
    read: Callable[[], Iterable[Line]],
    tasks: Sequence[Task],
    *,
    before: Sequence[str],
    heads: Sequence[Head],
    whole: bool,
    processes: int,
) -> End:
    """Check entries in order, in stretches if there are several.

    Args:
        read: yields all entries, unchecked.
        tasks: how to read the same entries in stretches, in order.
        before: hashes of all entries before the first, which are taken as they stand.
        heads: which of the chain's states must be met.
        whole: the entries go to the chain's end, so that a head beyond them means that the end was cut off.
        processes: how many.

    Raises:
        ChainBrokenError: names the first entry that does not fit.
    """
    after = End(len(before), before[-1] if before else GENESIS, "")

    def noted() -> Noted:
        marks = Noted(heads)
        for seq, hash_ in enumerate(before, start=1):
            try:
                marks.meet(seq, hash_)
            except ValueError:
                raise ChainBrokenError(f"entry {seq} carries no hash") from None
        return marks

    end = None
    if processes > 1 and len(tasks) > 1:
        marks = noted()
        end = _joined(tasks, after, marks.meet if heads else None, processes)
    if end is None:
        marks = noted()
        end = walk(read(), after=after, meet=marks.meet if heads else None)
    if whole:
        marks.end(end.seq)
    return end


def stretches_of_store(connection: Connection, first: int, last: int, processes: int) -> list[Task]:
    """Return how to read a part of a store in stretches; none where it does not pay, or cannot be."""
    url = connection.engine.url
    in_memory = connection.dialect.name == "sqlite" and url.database in (None, "", ":memory:")
    if processes < 2 or last - first + 1 < LEAST or in_memory:
        return []
    address = url.render_as_string(hide_password=False)
    size = -(-(last - first + 1) // (EACH * processes))
    return [
        Task(_stored, (address, start, min(start + size - 1, last))) for start in range(first, last + 1, size)
    ]


def _joined(
    tasks: Sequence[Task], after: End, meet: Callable[[int, str], None] | None, processes: int
) -> End | None:
    """Return the end of the last stretch; ``None`` where something does not fit."""
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    try:
        for future in [pool.submit(_stretch, task, meet is not None) for task in tasks]:
            stretch = future.result()
            if stretch is None:
                return None
            # The seam: the first entry as the walk would check it after the stretch before.
            walk([stretch.first], after=after)
            if meet is not None:
                digits, start = stretch.hashes.hex(), stretch.first[0]
                for place in range(0, len(digits), 64):
                    meet(start + place // 64, digits[place : place + 64])
            after = stretch.end
    except XinglinError:
        return None
    except BrokenProcessPool:
        _logger.warning("a process that checked a part of the chain died: one process checks all of it")
        return None
    finally:
        pool.shutdown(cancel_futures=True)
    return after


def _stretch(task: Task, keep: bool) -> Stretch | None:
    hashes = bytearray()
    entries = iter(task.read(*task.arguments))
    try:
        first = next(entries, None)
        if first is None:
            return None
        end = walk(
            chain([first], entries),
            after=End(first[0] - 1, first[1], ""),
            meet=(lambda _seq, hash_: hashes.extend(bytes.fromhex(hash_))) if keep else None,
        )
    except XinglinError:
        return None
    return Stretch(first, end, bytes(hashes))


def _stored(address: str, first: int, last: int) -> Iterable[Line]:
    from xinglin.store import open_store

    store = open_store(address)
    try:
        with store.read() as connection:
            yield from lines(connection, first, last)
    finally:
        store.close()
