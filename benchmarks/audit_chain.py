"""The audit chain's speed: batched appends, and the check of a long chain by one process and by two, on SQLite.

Aims: >= 5,000 appends a second in batches, >= 200,000 entries checked a second on two cores. Each figure is the
median of rounds with its least and greatest, by the wall clock, the start of the processes included; CPU time stands
beside it, since a shared machine stretches the wall clock more: two free cores do at most twice that. The peer is one
``hashlib.sha256`` over the same canonical bytes from memory, which no check can beat on one core.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks._line import Line, aim

BATCH = 500
WANTED = 200_000


def run(quick: bool) -> list[Line]:
    from xinglin.ledger import entries, verify
    from xinglin.ledger.audit_keys import announce, announced
    from xinglin.ledger.chain import Act, append, append_all, said
    from xinglin.ledger.heads import check_heads, sign_head, signed_heads
    from xinglin.ledger.journal import check_journal, write_journal
    from xinglin.ledger.signature import new_key
    from xinglin.store import open_store

    size, long, rounds = (2_000, 4_000, 1) if quick else (60_000, 600_000, 5)

    def acts(start: int) -> list[Act]:
        return [
            Act(
                "model.predict",
                "model:diagnosis",
                (f"{n:064x}",),
                {"model": "m1", "p": n / long, "rank": n % 9},
            )
            for n in range(start, start + BATCH)
        ]

    lines = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        appended, single = [], []
        for number in range(rounds):
            store = open_store(f"sqlite:///{path / f'{number}.db'}")
            started = time.perf_counter()
            for start in range(0, size, BATCH):
                with store.write() as connection:
                    append_all(connection, acts(start))
            appended.append(size / (time.perf_counter() - started))
            started = time.perf_counter()
            for _ in range(BATCH):
                with store.write() as connection:
                    append(connection, "test", actor="a")
            single.append(BATCH / (time.perf_counter() - started))
        lines.append(_line(f"appends, {BATCH} a transaction", appended, 5_000))
        lines.append(_line("appends, each its own transaction", single, None))
        key = path / "key.pem"
        public = new_key(key)
        for start in range(0, long, BATCH):
            with store.write() as connection:
                append_all(connection, acts(start))
        with store.write() as connection:
            announce(connection, key, actor="a")
        with store.write() as connection:
            sign_head(connection, key)
        count = size + BATCH + long + 1
        journal = path / "journal"
        with store.read() as connection:
            marks = check_heads(signed_heads(connection), announced(connection), {public})
            with journal.open("wb") as stream:
                write_journal(connection, stream)
            for name, check in (
                ("check of the store", lambda n: verify(connection, processes=n)),
                (
                    "check of the store against a signed head",
                    lambda n: verify(connection, processes=n, heads=marks),
                ),
                (
                    "check of a journal file against a signed head",
                    lambda n: check_journal(journal, given={public}, processes=n),
                ),
            ):
                lines += _checked(name, check, count, rounds)
            texts = [said(entry) for entry in entries(connection)]
        rates = _rates(lambda: [hashlib.sha256(text).hexdigest() for text in texts], count, rounds)
        lines.append(_line("peer: sha256 of the same bytes alone", rates, None))
    return lines


def _checked(name: str, check: Callable[[int], object], count: int, rounds: int) -> list[Line]:
    lines = []
    for processes, said in ((1, "one process"), (2, "two processes")):
        cpu = _rates(lambda: check(processes), count, rounds, _cpu)  # noqa: B023
        rates = _rates(lambda: check(processes), count, rounds)  # noqa: B023
        lines.append(_line(f"{name}, {said}, CPU time of all", cpu, None, "CPU-s"))
        lines.append(_line(f"{name}, {said}", rates, WANTED if processes == 2 else None))
    return lines


def _cpu() -> float:
    """CPU seconds of this process and of those that it started and has waited for."""
    return sum(os.times()[:4])


def _rates(
    act: Callable[[], object], count: int, rounds: int, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    rates = []
    for _ in range(rounds):
        started = clock()
        act()
        rates.append(count / (clock() - started))
    return rates


def _line(name: str, rates: list[float], wanted: float | None, unit: str = "s") -> Line:
    value = statistics.median(rates)
    note = "" if wanted is None else aim(value, wanted, "/s", at_most=False)
    return Line(name, "entries", value, f"/{unit}", len(rates), min(rates), max(rates), note=note)
