"""A challenge from its creation to its close, in a real store, each act with its ledger entry."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.release.challenge.contest import (
    CLOSES,
    OPEN,
    OPENS,
    ORDERED,
    OVER,
    answers,
    cases,
    make,
    manifest,
    put,
)
from xinglin.errors import ConflictError, InvalidInputError, NotPermittedError, UnknownNameError
from xinglin.ledger import entries, verify
from xinglin.release.challenge.closing import close_challenge
from xinglin.release.challenge.entering import enter
from xinglin.release.challenge.parts import inputs_bytes
from xinglin.release.challenge.record import (
    create_challenge,
    entries_of,
    find,
    hidden_part,
    list_challenges,
    open_board,
    questions,
)
from xinglin.store import Store, open_store
from xinglin.store.tables_challenge import challenge_hidden


def acts(store: Store) -> list[str]:
    with store.read() as connection:
        verify(connection)
        return [entry.action for entry in entries(connection)]


def test_from_creation_to_close(store: Store) -> None:
    made = make(store)
    committed = made.manifest.committed()
    first = put(store, "bo", 20)
    assert (first.state, first.told["accepted"], first.told["n"]) == ("accepted", True, 24)
    # The same answers again move nothing, and tell nothing.
    again = put(store, "bo", 20)
    assert again.state == "kept"
    assert {key: again.told[key] for key in ("value", "low", "high", "n")} == {
        key: first.told[key] for key in ("value", "low", "high", "n")
    }
    put(store, "ma", 0)
    put(store, "chen", 30)
    with store.read() as connection:
        board = open_board(connection, find(connection, "triage-test"))
    assert [row.entrant for row in board] == ["ma", "bo", "chen"]
    assert [row.baseline for row in board] == [False, False, True]
    assert [row.entries for row in board] == [1, 2, 1]
    assert board[0].rank == 1
    assert board[1].rank > 1
    assert board[0].groups == {}
    closed = close_challenge(store, "triage-test", by="chen", now=OVER)
    assert closed.closed
    assert [row.figure.n for row in closed.final] == [36, 36, 36]
    assert closed.final[0].figure.value == 1.0
    groups = closed.final[0].groups
    assert groups["sex = male"] is not None
    assert groups["age = old"] is None
    # The only other group of its kind would give the small one away.
    assert groups["age = adult"] is None
    assert acts(store) == ["challenge.create", *["challenge.enter"] * 4, "challenge.close"]
    with store.read() as connection:
        last = list(entries(connection))[-1]
        assert last.detail["salts"]["labels"] == hidden_part(connection, "triage-test", "labels")[0]
        assert next(entries(connection)).subjects[1:] == (committed.inputs, committed.labels)
        assert open_board(connection, find(connection, "triage-test")) == list(closed.final)


def test_the_ledger_and_what_is_told_hold_no_label(store: Store) -> None:
    make(store)
    put(store, "bo", 10)
    with store.read() as connection:
        told = str(list(entries(connection))) + str(entries_of(connection, "triage-test"))
        salt, _ = hidden_part(connection, "triage-test", "labels")
    assert salt not in told
    assert not any(label in told for label in ORDERED)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (OPENS - timedelta(seconds=1), "opens"),
        (CLOSES, "took entries until"),
        (OVER, "took entries until"),
    ],
)
def test_before_and_after(store: Store, now: object, said: str) -> None:
    make(store)
    with pytest.raises(ConflictError, match=said):
        put(store, "bo", 3, now=now)  # type: ignore[arg-type]
    assert acts(store) == ["challenge.create"]


def test_daily_cap_is_by_day_and_person(store: Store) -> None:
    make(store, daily=2)
    for _ in range(2):
        put(store, "bo", 9)
    with pytest.raises(NotPermittedError, match="2 entries a day"):
        put(store, "bo", 9)
    put(store, "ma", 9)
    put(store, "bo", 9, now=OPEN + timedelta(days=1))


def test_answers_that_do_not_fit(store: Store) -> None:
    make(store)
    for hidden in (cases()[1:], [*cases(), replace(cases()[0], id="zz")]):
        with pytest.raises(InvalidInputError, match="each of its 60 cases"):
            enter(store, "triage-test", answers(hidden=hidden), entrant="bo", title="x", now=OPEN)
    for who, title in (("", "x"), ("b" * 201, "x"), ("bo", " "), ("bo", "x" * 201)):
        with pytest.raises(InvalidInputError):
            enter(store, "triage-test", answers(), entrant=who, title=title, now=OPEN)
    with pytest.raises(UnknownNameError, match="triage-test"):
        enter(store, "triage-tset", answers(), entrant="bo", title="x", now=OPEN)
    create_challenge(
        store,
        manifest(name="predictions-only", entries=["predictions"]),
        cases(),
        organiser="chen",
        now=OPENS,
    )
    with pytest.raises(NotPermittedError, match="not model"):
        enter(store, "predictions-only", answers(), entrant="bo", title="x", now=OPEN, kind="model")


def test_probabilities_where_the_metric_needs_them(store: Store) -> None:
    make(store, metric="brier")
    with pytest.raises(InvalidInputError, match="bare labels"):
        enter(store, "triage-test", replace(answers(), bare=True), entrant="bo", title="x", now=OPEN)
    sharp = put(store, "bo", 30)
    softer = replace(answers(30), probabilities=answers(30).probabilities * 0.4 + 0.2)
    better = enter(store, "triage-test", softer, entrant="bo", title="soft", now=OPEN)
    assert better.state == "accepted"
    assert better.told["value"] < sharp.told["value"]
    assert close_challenge(store, "triage-test", by="chen", now=OVER).final[0].title == "soft"


def test_creation_checks_its_commitment(store: Store) -> None:
    made = make(store)
    with pytest.raises(ConflictError, match="already"):
        make(store)
    with store.read() as connection:
        salts = {part: hidden_part(connection, "triage-test", part)[0] for part in ("inputs", "labels")}
    other = open_store(f"sqlite:///{store.engine.url.database}.two")
    again = create_challenge(
        other,
        made.manifest,
        cases(),
        organiser="chen",
        now=OPENS,
        salts=salts,  # type: ignore[arg-type]
    )
    assert again.manifest == made.manifest
    third = open_store(f"sqlite:///{store.engine.url.database}.three")
    wrong = [replace(cases()[0], part="final"), *cases()[1:]]
    for hidden, told in ((wrong, salts), (cases(), salts | {"labels": "0" * 64})):
        with pytest.raises(InvalidInputError, match="do not open"):
            create_challenge(third, made.manifest, hidden, organiser="chen", now=OPENS, salts=told)
    with pytest.raises(InvalidInputError, match="give its salts"):
        create_challenge(third, made.manifest, cases(), organiser="chen", now=OPENS)
    with pytest.raises(InvalidInputError, match="has passed"):
        create_challenge(third, manifest(), cases(), organiser="chen", now=CLOSES)
    with pytest.raises(InvalidInputError, match="label that the manifest lacks"):
        create_challenge(third, manifest(labels=["a", "b"]), cases(), organiser="chen", now=OPENS)


def test_hidden_data_that_were_changed_are_not_scored(store: Store) -> None:
    make(store)
    with store.write() as connection:
        connection.execute(
            update(challenge_hidden)
            .where(challenge_hidden.c.part == "labels")
            .values(content=b'{"id":"q000"}\n')
        )
    with pytest.raises(InvalidInputError, match="do not open"):
        put(store, "bo", 3)
    with pytest.raises(InvalidInputError, match="do not open"):
        close_challenge(store, "triage-test", by="chen", now=OVER)


def test_questions_when_they_are_told(store: Store) -> None:
    make(store)
    create_challenge(
        store,
        manifest(name="hidden-inputs", inputs="hidden", entries=["model"]),
        cases(),
        organiser="chen",
        now=OPENS,
    )
    with store.read() as connection:
        one, other = (find(connection, name) for name in ("triage-test", "hidden-inputs"))
        assert questions(connection, one, OPEN) == inputs_bytes(cases())
        for challenge, now in ((one, OPENS - timedelta(days=1)), (other, OPEN)):
            with pytest.raises(NotPermittedError):
                questions(connection, challenge, now)
        assert [found.name for found in list_challenges(connection)] == ["hidden-inputs", "triage-test"]


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_two_closes_at_once_close_once(kind: str, store: Store, request: pytest.FixtureRequest) -> None:
    if kind == "postgres":
        store = open_store(request.getfixturevalue("postgres_url"))
    make(store)
    put(store, "bo", 5)
    with pytest.raises(NotPermittedError, match="chen organises"):
        close_challenge(store, "triage-test", by="bo", now=OVER)
    with pytest.raises(ConflictError, match="takes entries until"):
        close_challenge(store, "triage-test", by="chen", now=OPEN)
    done: list[str] = []

    def close() -> None:
        try:
            close_challenge(store, "triage-test", by="chen", now=OVER)
            done.append("closed")
        except ConflictError as error:
            done.append(str(error))

    threads = [threading.Thread(target=close) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 4
    assert done.count("closed") == 1
    assert all(one == "closed" or "closed already" in one for one in done)
    assert acts(store).count("challenge.close") == 1


def test_entries_at_once_keep_the_cap(store: Store) -> None:
    make(store, daily=3)
    done: list[str] = []

    def one(seed: int) -> None:
        try:
            put(store, "bo", 10, seed=seed)
            done.append("entered")
        except NotPermittedError:
            done.append("capped")

    threads = [threading.Thread(target=one, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == ["capped"] * 5 + ["entered"] * 3
    with store.read() as connection:
        assert len(entries_of(connection, "triage-test", "bo")) == 3


def test_the_same_entry_gives_the_same_score(store: Store) -> None:
    make(store)
    one, other = put(store, "bo", 11), put(store, "ma", 11)
    assert one.told == other.told
    assert one.digest == other.digest
