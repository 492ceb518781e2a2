"""Many at once and a killed process: no place twice, no acknowledged decision lost. On SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text

from tests.labels.rounds import CODES, COLD, FLU, TEXTS, campaign_of
from xinglin.errors import ConflictError
from xinglin.labels.assign import claim
from xinglin.labels.campaign import assign, read_campaign
from xinglin.labels.decide import decide, undo
from xinglin.ledger import verify
from xinglin.store import open_store
from xinglin.store.tables import campaign_decisions, campaign_items, campaign_slots

CRASH = """
import sys
from xinglin.labels.assign import claim
from xinglin.labels.campaign import read_campaign
from xinglin.labels.decide import decide
from xinglin.store import open_store
store = open_store(sys.argv[1])
made = read_campaign(store, "fever")
while True:
    for slot in claim(store, made, "an", "annotation", hold=2):
        decide(store, made, slot, "an", made.scheme.codes[slot % 3])
        print(slot, flush=True)
"""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'x.db'}"
        return
    address = request.getfixturevalue("postgres_url")
    yield address
    opened = open_store(address)
    with opened.engine.begin() as connection:  # the server is shared by the whole session
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    opened.close()


def at_once(acts: list[threading.Thread]) -> None:
    for act in acts:
        act.start()
    for act in acts:
        act.join(60)
        assert not act.is_alive(), "two acts wait for each other"


def test_people_who_ask_at_once_never_get_the_same_place(url: str) -> None:
    store = open_store(url)
    made = campaign_of(store, TEXTS * 5)
    people = ["an", "bo", "p1", "p2", "p3", "p4"]
    for person in people[2:]:
        assign(store, made, person, "annotator", by="lead")
    taken: dict[str, list[int]] = {person: [] for person in people}
    failures: list[Exception] = []
    start = threading.Barrier(len(people))

    def work(person: str) -> None:
        own = open_store(url)  # as a process of its own would
        start.wait()
        try:
            while found := claim(own, made, person, "annotation", hold=2):
                for slot in found:
                    taken[person].append(slot)
                    decide(own, made, slot, person, COLD)
        except Exception as error:
            failures.append(error)
        finally:
            own.close()

    at_once([threading.Thread(target=work, args=(person,)) for person in people])
    assert failures == []
    everything = [slot for slots in taken.values() for slot in slots]
    assert len(everything) == len(set(everything)) == 40
    with store.read() as connection:
        rows = connection.execute(select(campaign_slots)).all()
        settled = connection.execute(select(campaign_items.c.state)).scalars().all()
        assert verify(connection)
    assert settled == ["settled"] * 20
    pairs = Counter((row.record, row.annotator) for row in rows)
    assert set(pairs.values()) == {1}
    store.close()


def test_two_who_decide_one_record_at_once_settle_it(url: str) -> None:
    store = open_store(url)
    made = campaign_of(store, TEXTS * 5)
    held = {user: claim(store, made, user, "annotation", hold=10) for user in ("an", "bo")}
    assert len(held["an"]) == len(held["bo"]) == 10
    start = threading.Barrier(2)

    def work(user: str, number: int) -> None:
        own = open_store(url)
        for place, slot in enumerate(held[user]):
            start.wait()
            decide(own, made, slot, user, CODES[number] if place % 2 else COLD)
        own.close()

    at_once([threading.Thread(target=work, args=(user, n)) for n, user in enumerate(held)])
    with store.read() as connection:
        states = (
            connection.execute(select(campaign_items.c.state).order_by(campaign_items.c.position))
            .scalars()
            .all()
        )
        assert verify(connection)
    assert states[:10] == ["settled", "arbitration"] * 5
    store.close()


def test_one_takes_back_while_another_decides(url: str) -> None:
    store = open_store(url)
    made = campaign_of(store, TEXTS * 5)
    start = threading.Barrier(2)
    took_back = []
    for _ in range(20):
        mine, other = (claim(store, made, user, "annotation")[0] for user in ("an", "bo"))
        decide(store, made, mine, "an", COLD)

        def back() -> None:
            own = open_store(url)
            start.wait()
            try:
                took_back.append(undo(own, made, "an"))
            finally:
                own.close()

        def settle(other: int = other) -> None:
            own = open_store(url)
            start.wait()
            decide(own, made, other, "bo", FLU)
            own.close()

        at_once([threading.Thread(target=back), threading.Thread(target=settle)])
        with store.read() as connection:
            rows = connection.execute(select(campaign_slots).where(campaign_slots.c.state != "open")).all()
            thirds = [row for row in rows if row.stage == "arbitration"]
            states = connection.execute(select(campaign_items.c.state)).scalars().all()
        assert thirds == []
        assert "settled" not in states
        assert took_back[-1] == mine
        decide(store, made, mine, "an", COLD)
    with store.read() as connection:
        states = connection.execute(select(campaign_items.c.state)).scalars().all()
        thirds = (
            connection.execute(select(campaign_slots.c.item).where(campaign_slots.c.stage == "arbitration"))
            .scalars()
            .all()
        )
        assert verify(connection)
    assert states == ["arbitration"] * 20
    assert len(thirds) == len(set(thirds)) == 20
    store.close()


def test_one_takes_back_while_an_arbiter_takes_the_case(url: str) -> None:
    store = open_store(url)
    made = campaign_of(store, TEXTS * 3)
    outcomes: Counter[str] = Counter()
    for _ in range(12):
        mine, other = (claim(store, made, user, "annotation")[0] for user in ("an", "bo"))
        decide(store, made, other, "bo", FLU)
        decide(store, made, mine, "an", COLD)
        start = threading.Barrier(2)

        def back(start: threading.Barrier = start) -> None:
            own = open_store(url)
            start.wait()
            try:
                undo(own, made, "an")
                outcomes["taken back"] += 1
            except ConflictError:
                outcomes["too late"] += 1
            own.close()

        def arbitrate(start: threading.Barrier = start) -> None:
            own = open_store(url)
            start.wait()
            claim(own, made, "chen", "arbitration", hold=10)
            own.close()

        at_once([threading.Thread(target=back), threading.Thread(target=arbitrate)])
        if mine in claim(store, made, "an", "annotation"):  # it was taken back
            decide(store, made, mine, "an", COLD)
        for slot in claim(store, made, "chen", "arbitration", hold=10):
            decide(store, made, slot, "chen", COLD)
    with store.read() as connection:
        states = connection.execute(select(campaign_items.c.state)).scalars().all()
        assert verify(connection)
    assert states == ["settled"] * 12
    assert sum(outcomes.values()) == 12
    store.close()


def test_one_person_in_two_windows_holds_no_record_twice(url: str) -> None:
    store = open_store(url)
    made = campaign_of(store, TEXTS * 5)
    found: list[tuple[int, ...]] = []
    failures: list[Exception] = []
    start = threading.Barrier(4)

    def work() -> None:
        own = open_store(url)
        start.wait()
        try:
            found.extend(claim(own, made, "an", "annotation", hold=hold) for hold in range(1, 8))
        except Exception as error:
            failures.append(error)
        own.close()

    at_once([threading.Thread(target=work) for _ in range(4)])
    assert failures == []
    assert len(found) == 28
    with store.read() as connection:
        mine = (
            connection.execute(select(campaign_slots.c.record).where(campaign_slots.c.annotator == "an"))
            .scalars()
            .all()
        )
    assert len(mine) == len(set(mine)) == 7
    store.close()


def test_a_double_key_press_decides_once(url: str) -> None:
    store = open_store(url)
    made = campaign_of(store)
    (slot,) = claim(store, made, "an", "annotation")
    outcomes: list[str] = []
    start = threading.Barrier(3)

    def press(code: int) -> None:
        own = open_store(url)
        start.wait()
        try:
            decide(own, made, slot, "an", CODES[code])
            outcomes.append("decided")
        except ConflictError:
            outcomes.append("refused")
        own.close()

    at_once([threading.Thread(target=press, args=(n,)) for n in range(3)])
    assert sorted(outcomes) == ["decided", "refused", "refused"]
    store.close()


def test_a_killed_process_loses_no_acknowledged_decision(url: str) -> None:
    store = open_store(url)
    made = campaign_of(store, TEXTS * 100, lease=1.0)
    if url.startswith("sqlite"):
        store.close()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", CRASH, url], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    told = [int(process.stdout.readline()) for _ in range(40)]
    process.send_signal(signal.SIGKILL)
    told += [int(line) for line in process.stdout if line.strip().isdigit() and line.endswith("\n")]
    process.wait(10)
    assert process.returncode == -signal.SIGKILL
    after = open_store(url)
    with after.read() as connection:
        rows = connection.execute(select(campaign_decisions.c.slot, campaign_decisions.c.value)).all()
        assert verify(connection)
    kept = {row.slot: row.value for row in rows}
    assert len(kept) == len(rows)
    assert {slot: kept.get(slot) for slot in told} == {slot: CODES[slot % 3].value for slot in told}
    assert len(kept) - len(told) in (0, 1), "at most the one whose acknowledgement was cut off"
    # The round goes on where it was, the dead one's lease runs out.
    made = read_campaign(after, "fever")
    (again, *_) = claim(after, made, "an", "annotation")
    assert again not in told
    decide(after, made, again, "an", FLU)
    after.close()
    if not url.startswith("sqlite"):
        store.close()
