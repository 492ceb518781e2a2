"""A long chain checked in stretches says what one walk says, whatever was done to it and wherever."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from xinglin.errors import ChainBrokenError, XinglinError
from xinglin.ledger import journal, stretches, verify
from xinglin.ledger.audit_keys import announce, announced
from xinglin.ledger.chain import Act, append, append_all
from xinglin.ledger.heads import check_heads, sign_head, signed_heads
from xinglin.ledger.journal import check_journal, write_journal
from xinglin.ledger.signature import new_key
from xinglin.ledger.walk import Head
from xinglin.store import Store

COUNT = 40
SIZE = 5
"""Entries a stretch: two processes take four each."""


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every chain is long enough; threads stand in for processes, whose start would cost more than the test.

    Returns:
        How often a chain was checked in stretches.
    """
    used: list[int] = []

    def pool(processes: int, *, mp_context: object) -> ThreadPoolExecutor:
        used.append(processes)
        return ThreadPoolExecutor(processes)

    monkeypatch.setattr(stretches, "ProcessPoolExecutor", pool)
    monkeypatch.setattr(stretches, "LEAST", 1)
    monkeypatch.setattr(journal, "LEAST", 1)
    return used


def fill(store: Store, count: int) -> None:
    with store.write() as connection:
        append_all(connection, [Act("test", "测试", (f"{n:064x}",), {"n": n}) for n in range(count)])


@pytest.fixture
def kept(store: Store, tmp_path: Path) -> tuple[list[Head], Path, str]:
    """Heads signed at 1, 18 and 40, the journal, and the public key."""
    public = new_key(tmp_path / "key.pem")
    with store.write() as connection:
        announce(connection, tmp_path / "key.pem", actor="lead")
    for count in (0, 17, COUNT - 18):
        fill(store, count)
        with store.write() as connection:
            sign_head(connection, tmp_path / "key.pem")
    path = tmp_path / "journal"
    with store.read() as connection, path.open("wb") as stream:
        assert write_journal(connection, stream) == COUNT
        return check_heads(signed_heads(connection), announced(connection), {public}), path, public


def said(store: Store, heads: list[Head], processes: int) -> str:
    with store.read() as connection:
        try:
            return f"{verify(connection, heads=heads, processes=processes)} intact"
        except XinglinError as error:
            return str(error)


def said_of(path: Path, public: str, processes: int) -> str:
    try:
        return f"{check_journal(path, given={public}, processes=processes).entries} intact"
    except XinglinError as error:
        return str(error)


def swap(one: int, other: int) -> str:
    return (
        f"UPDATE ledger SET seq = 900 WHERE seq = {one}; UPDATE ledger SET seq = {one} WHERE seq = {other};"
        f"UPDATE ledger SET seq = {other} WHERE seq = 900"
    )


SEAMS = (2, 5, 6, 20, 21, 33, 39)
"""First and last of a stretch, of a process, and inside."""
TAMPER = {
    **{f"edited {n}": (f"UPDATE ledger SET detail = '{{}}' WHERE seq = {n}", n) for n in (*SEAMS, 40)},
    **{f"deleted {n}": (f"DELETE FROM ledger WHERE seq = {n}", n) for n in (1, *SEAMS)},
    **{f"swapped {n}": (swap(n, n + 1), n) for n in (1, *SEAMS)},
    **{f"hash {n}": (f"UPDATE ledger SET hash = 'f{n}' WHERE seq = {n}", n) for n in (1, 5, 6, 20, 40)},
    "swapped far": (swap(3, 38), 3),
    "two edits": ("UPDATE ledger SET actor = 'x' WHERE seq IN (9, 33)", 9),
    "cut off": ("DELETE FROM ledger WHERE seq > 20", 20),
    "cut off inside": ("DELETE FROM ledger WHERE seq > 33", 33),
    "backdated": ("UPDATE ledger SET time = '2001' WHERE seq = 21", 21),
    "one too many": (
        "INSERT INTO ledger SELECT 41, hash, time, actor, action, subjects, detail, 'x' FROM ledger WHERE seq = 40",
        41,
    ),
}


def test_whatever_was_done_the_same_entry_is_named(
    store: Store, home: Path, kept: tuple[list[Head], Path, str], threads: list[int]
) -> None:
    heads, _, _ = kept
    assert said(store, heads, 2) == said(store, heads, 1) == "40 intact"
    file = home / "xinglin.db"
    assert len(TAMPER) == 35
    for name, (statement, place) in TAMPER.items():
        whole = sqlite3.connect(":memory:")
        with sqlite3.connect(file) as raw:
            raw.backup(whole)
            raw.executescript(statement)
        one, two = said(store, heads, 1), said(store, heads, 2)
        assert one == two, name
        assert "intact" not in one, name
        assert str(place) in one, (name, one)
        with sqlite3.connect(file) as raw:
            whole.backup(raw)
    assert said(store, heads, 2) == "40 intact"
    assert threads == [2] * (len(TAMPER) + 2)


def test_a_journal_too(kept: tuple[list[Head], Path, str], threads: list[int]) -> None:
    _, path, public = kept
    assert said_of(path, public, 2) == said_of(path, public, 1) == "40 intact"
    lines = path.read_bytes().splitlines(keepends=True)
    first = 1 + 3
    cheats = 0
    places = (1, *SEAMS, 40)
    for n in places:
        at = first + n - 1
        edited = lines[at].replace(b'"actor":"', b'"actor":"x')
        for cheated in (
            [*lines[:at], edited, *lines[at + 1 :]],
            [*lines[:at], *lines[at + 1 :]],
            [*lines[:at], *lines[at + 1 : at + 2], lines[at], *lines[at + 2 :]],
            lines[:at],
        ):
            if cheated == lines:
                continue
            path.write_bytes(b"".join(cheated))
            one, two = said_of(path, public, 1), said_of(path, public, 2)
            assert one == two, n
            assert "intact" not in one
            cheats += 1
    assert cheats == 4 * len(places) - 1
    assert len(threads) == cheats + 1


def test_a_forged_root_is_found_in_stretches(
    store: Store, kept: tuple[list[Head], Path, str], threads: list[int]
) -> None:
    heads, _, _ = kept
    for index in range(3):
        wrong = [head._replace(root="0" * 64) if place == index else head for place, head in enumerate(heads)]
        assert said(store, wrong, 2) == said(store, wrong, 1)
        assert f"the tree over the first {heads[index].seq} entries" in said(store, wrong, 2)
    assert len(threads) == 6


def test_real_processes_check_a_part_and_a_journal(
    store: Store, home: Path, kept: tuple[list[Head], Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    heads, path, public = kept
    monkeypatch.setattr(stretches, "LEAST", 1)
    monkeypatch.setattr(journal, "LEAST", 1)
    assert said_of(path, public, 2) == "40 intact"
    with sqlite3.connect(home / "xinglin.db") as raw:
        raw.execute("UPDATE ledger SET actor = 'x' WHERE seq = 33")
    with store.read() as connection, pytest.raises(ChainBrokenError, match=r"entry 33 .* was changed"):
        verify(connection, first=7, last=39, heads=heads, processes=2)


@pytest.mark.postgres
def test_real_processes_read_postgres(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from xinglin.store import open_store

    monkeypatch.setattr(stretches, "LEAST", 1)
    opened = open_store(postgres_url)
    fill(opened, 30)
    with opened.read() as connection:
        assert verify(connection, processes=2) == verify(connection)
    opened.close()


def test_a_short_chain_starts_no_process(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretches, "ProcessPoolExecutor", None)
    fill(store, 30)
    assert said(store, [], 8) == "30 intact"


def test_a_writer_at_work_is_no_tampering(store: Store) -> None:
    fill(store, 2000)
    stop = threading.Event()
    written = []

    def write() -> None:
        while not stop.is_set():
            with store.write() as connection:
                written.append(append(connection, "test", actor="a").seq)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(15):
            assert "intact" in said(store, [], 1)
    finally:
        stop.set()
        writer.join()
    assert len(written) > 15
