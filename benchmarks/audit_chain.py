"""The audit chain's speed: batched appends and the check of a whole chain, on SQLite.

Aims: >= 5,000 appends a second in batches, >= 200,000 entries checked a second on two cores. Each figure is the
median of rounds with its least and greatest, by the wall clock; the peer is one ``hashlib.sha256`` over the same
canonical bytes from memory, which no check can beat on one core.
"""

from __future__ import annotations

import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks._line import Line, aim

BATCH = 500


def run(quick: bool) -> list[Line]:
    from xinglin.ledger import entries, verify
    from xinglin.ledger.chain import Act, append, append_all, said
    from xinglin.ledger.journal import check_journal, write_journal
    from xinglin.store import open_store

    size, rounds = (2_000, 1) if quick else (200_000, 5)

    def acts(start: int) -> list[Act]:
        return [
            Act(
                "model.predict",
                "model:diagnosis",
                (f"{n:064x}",),
                {"model": "m1", "p": n / size, "rank": n % 9},
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
        count = size + BATCH
        with store.read() as connection:
            lines.append(
                _line("check of the store", _rates(lambda: verify(connection), count, rounds), 200_000)
            )
            journal = path / "journal"
            with journal.open("wb") as stream:
                write_journal(connection, stream)
            texts = [said(entry) for entry in entries(connection)]
        rates = _rates(lambda: check_journal(journal, given=()), count, rounds)
        lines.append(_line("check of a journal file", rates, 200_000))
        rates = _rates(lambda: [hashlib.sha256(text).hexdigest() for text in texts], count, rounds)
        lines.append(_line("peer: sha256 of the same bytes alone", rates, None))
    return lines


def _rates(act: Callable[[], object], count: int, rounds: int) -> list[float]:
    rates = []
    for _ in range(rounds):
        started = time.perf_counter()
        act()
        rates.append(count / (time.perf_counter() - started))
    return rates


def _line(name: str, rates: list[float], wanted: float | None) -> Line:
    value = statistics.median(rates)
    note = "" if wanted is None else aim(value, wanted, "/s", at_most=False)
    return Line(name, "entries", value, "/s", len(rates), min(rates), max(rates), note=note)
