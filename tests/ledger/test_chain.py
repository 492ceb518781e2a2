from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xinglin.errors import ChainBrokenError, ClockError, StoreError
from xinglin.ledger import append, append_all, chain, entries, verify
from xinglin.ledger.chain import CLOCK_SLACK, GENESIS, Act, accept_clock, entry_hash
from xinglin.store import Store, open_store


def fill(store: Store, count: int) -> None:
    for number in range(count):
        with store.write() as connection:
            append(
                connection, "test", actor="测试", subjects=(f"{number:064x}",), detail={"n": number, "x": 0.1}
            )


def test_entries_chain_and_verify(store: Store) -> None:
    fill(store, 5)
    with store.read() as connection:
        chain = list(entries(connection, batch=2))
        assert verify(connection) == 5
    assert [entry.seq for entry in chain] == [1, 2, 3, 4, 5]
    assert chain[0].previous == GENESIS
    assert all(after.previous == before.hash for before, after in itertools.pairwise(chain))


def test_an_act_that_fails_leaves_no_entry(store: Store) -> None:
    def act_and_fail() -> None:
        with store.write() as connection:
            append(connection, "test", actor="a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        act_and_fail()
    with store.read() as connection:
        assert verify(connection) == 0


TAMPER = {
    "actor": "UPDATE ledger SET actor = 'x' WHERE seq = 3",
    "detail": "UPDATE ledger SET detail = '{\"n\": 9}' WHERE seq = 3",
    "time": "UPDATE ledger SET time = '2000-01-01' WHERE seq = 3",
    "hash": "UPDATE ledger SET hash = 'f' WHERE seq = 3",
    "deleted": "DELETE FROM ledger WHERE seq = 3",
    "renumbered": "DELETE FROM ledger WHERE seq = 3; UPDATE ledger SET seq = seq - 1 WHERE seq > 3",
    "truncated": "DELETE FROM ledger WHERE seq > 3",
    "swapped": "UPDATE ledger SET seq = 90 WHERE seq = 3; UPDATE ledger SET seq = 3 WHERE seq = 4; "
    "UPDATE ledger SET seq = 4 WHERE seq = 90",
}


@pytest.mark.parametrize("statement", TAMPER.values(), ids=TAMPER)
def test_any_tampering_is_found(store: Store, home: Path, statement: str) -> None:
    fill(store, 5)
    with sqlite3.connect(home / "xinglin.db") as raw:
        raw.executescript(statement)
    with store.read() as connection, pytest.raises(ChainBrokenError):
        verify(connection)


def test_rewriting_chain_and_head_is_found_by_a_head_noted_elsewhere(store: Store, home: Path) -> None:
    fill(store, 3)
    with store.read() as connection:
        noted = list(entries(connection))[-1]
    with sqlite3.connect(home / "xinglin.db") as raw:
        raw.executescript(f"DELETE FROM ledger; UPDATE ledger_head SET seq = 0, hash = '{GENESIS}'")
    fill(store, 4)
    with store.read() as connection:
        assert verify(connection) == 4
        with pytest.raises(ChainBrokenError, match="rewritten"):
            verify(connection, expected=(noted.seq, noted.hash))
        with pytest.raises(ChainBrokenError, match="cut off"):
            verify(connection, expected=(9, "f" * 64))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=50).filter(lambda s: "\x00" not in s and s.isprintable()),
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=9), st.integers()
    ),
)
def test_any_content_round_trips(store: Store, actor: str, detail: dict[str, int]) -> None:
    with store.write() as connection:
        written = append(connection, "test", actor=actor, detail=detail)
    with store.read() as connection:
        read = next(iter(entries(connection, start=written.seq)))
        verify(connection)
    assert read == written
    assert read.hash == entry_hash(read.seq, read.previous, read.time, actor, "test", [], detail)


def _write(url: str, count: int) -> None:
    fill(open_store(url), count)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_concurrent_writers_share_one_chain(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    opened = open_store(url)
    with opened.read() as connection:
        before = verify(connection)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write, args=(url, 40)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    with opened.read() as connection:
        assert verify(connection) == before + 120


def test_kill_loses_no_acknowledged_entry(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    code = (
        "from xinglin.store import open_store; from xinglin.ledger import append\n"
        f"s = open_store({url!r})\n"
        "while True:\n"
        "    with s.write() as c: e = append(c, 'test', actor='a')\n"
        "    print(e.seq, flush=True)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    acknowledged = int(writer.stdout.readline())
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        acknowledged = int(writer.stdout.readline())
    os.kill(writer.pid, signal.SIGKILL)
    for line in writer.stdout.read().splitlines():
        acknowledged = int(line)
    writer.wait()
    with open_store(url).read() as connection:
        assert verify(connection) >= acknowledged > 10


def test_an_unreachable_store_is_a_named_error() -> None:
    with pytest.raises(StoreError, match="cannot open the store"):
        open_store("postgresql://nobody:secret@127.0.0.1:9/none")
    with pytest.raises(StoreError, match="cannot open") as caught:
        open_store("sqlite:////nowhere/at/all/x.db")
    assert "secret" not in str(caught.value)


def test_a_batch_is_the_same_chain_as_one_after_the_other(store: Store) -> None:
    acts = [Act("test", "a", (), {"b": {"z": 1, "a": [2.5, None]}, "a": 2**70}) for _ in range(3)]
    with store.write() as connection:
        written = append_all(connection, acts)
        written.append(append(connection, "test", actor="b"))
        assert append_all(connection, []) == []
    with store.read() as connection:
        assert list(entries(connection)) == written
        assert verify(connection) == 4


def test_time_never_runs_backwards(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(chain, "_now", lambda: moment.isoformat(timespec="microseconds"))
    fill(store, 1)
    moment -= CLOCK_SLACK
    fill(store, 1)
    with store.read() as connection:
        first, second = entries(connection)
    assert first.time == second.time
    moment -= timedelta(microseconds=1)
    with pytest.raises(ClockError, match="set the clock right"):
        fill(store, 1)
    with store.write() as connection:
        accept_clock(connection, actor="lead", reason="battery of the clock")
    fill(store, 1)
    with store.read() as connection:
        assert verify(connection) == 4
        assert list(entries(connection))[3].time == moment.isoformat(timespec="microseconds")


def test_a_backdated_entry_is_found(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, 1)
    monkeypatch.setattr(chain, "_time", lambda _last: "2001-01-01T00:00:00.000000+00:00")
    fill(store, 1)
    with store.read() as connection, pytest.raises(ChainBrokenError, match=r"entry 2 .* is of 2001"):
        verify(connection)
