"""Periods of retention: what is due, what goes, what stays, and that it stands in the ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, update
from typer.testing import CliRunner

from xinglin.cli.main import app
from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.ledger import entries, verify
from xinglin.ledger.grants import give_consent, grant
from xinglin.ledger.subjects import find_dataset, find_subject
from xinglin.records.archive import read
from xinglin.records.retention import all_due, due, expire, state_period
from xinglin.store import Store
from xinglin.store.keys import keyed_digest
from xinglin.store.tables import intake_runs

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)


def intake(tmp_path: Path, name: str, rows: list[tuple[str, str, str]]) -> None:
    path = tmp_path / f"{name}.csv"
    lines = ["id,patient,text", *(",".join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    mapping = tmp_path / "m.toml"
    mapping.write_text('id = "id"\nsubject = "patient"\ntext = "text"\n', encoding="utf-8")
    done = CliRunner().invoke(
        app, ["records", "intake", str(path), "--dataset", "d", "--mapping", str(mapping)]
    )
    assert done.exit_code == 0, done.output


@pytest.fixture
def aged(store: Store, tmp_path: Path) -> Store:
    """Records 1 (A), 2 (A), 3 (B) taken in 100 days before NOW; 4 (A) and a new version of 2, 10 days before."""
    intake(tmp_path, "old", [("1", "A", "咳嗽"), ("2", "A", "发热"), ("3", "B", "胸痛")])
    intake(tmp_path, "new", [("4", "A", "复诊"), ("2", "A", "退热")])
    with store.write() as connection:
        for run, days in ((1, 100), (2, 10)):
            moved = (NOW - timedelta(days=days)).isoformat(timespec="seconds")
            connection.execute(update(intake_runs).where(intake_runs.c.id == run).values(moved=moved))
        give_consent(connection, "d", subject=None, purpose="care", basis="b", by="x")
        grant(connection, "d", grantee="x", purpose="care", by="x")
    return store


def state(store: Store, purpose: str, days: int) -> None:
    with store.write() as connection:
        state_period(connection, "d", purpose=purpose, days=days, basis="rule 7", by="lead")


def kept(store: Store) -> set[str]:
    return {record.id for record in read(store, "d", purpose="care", actor="x")}


def salts(connection: Connection) -> dict[str, str]:
    dataset = find_dataset(connection, "d")
    found = {name: find_subject(connection, dataset, name) for name in "AB"}
    return {name: one.salt or "" for name, one in found.items() if one is not None}


def test_without_a_period_nothing_is_ever_due(aged: Store) -> None:
    with aged.read() as connection:
        (told,) = all_due(connection, at=NOW + timedelta(days=99_999))
    assert (told.periods, told.records) == ((), 0)
    assert expire(aged, "d", actor="lead", at=NOW + timedelta(days=99_999)).records == 0
    assert kept(aged) == {"1", "2", "3", "4"}


def test_the_longest_period_of_the_newest_statements_holds(aged: Store) -> None:
    state(aged, "care", 30)
    state(aged, "research", 200)
    with aged.read() as connection:
        assert due(connection, "d", at=NOW).records == 0
    state(aged, "research", 0)
    with aged.read() as connection:
        told = due(connection, "d", at=NOW)
    assert (told.records, told.subjects) == (3, 2)
    assert told.next is not None
    assert told.next[:10] == (NOW + timedelta(days=20)).date().isoformat()
    assert [(one.purpose, one.days) for one in told.periods] == [("care", 30), ("research", 0)]


def test_what_is_due_goes_and_the_ledger_says_so(aged: Store) -> None:
    state(aged, "care", 30)
    with aged.read() as connection:
        before = salts(connection)
    assert expire(aged, "d", actor="lead", at=NOW).records == 3
    with aged.read() as connection:
        *_, told = entries(connection)
        verify(connection)
        after = salts(connection)
        assert due(connection, "d", at=NOW).records == 0
    assert (told.action, told.actor) == ("retention.erase", "lead")
    assert told.detail["records"] == 3
    assert told.detail["periods"] == {"care": 30}
    assert set(told.subjects) == {keyed_digest(before[name], name.encode()) for name in "AB"}
    assert after["A"] == before["A"], "A still has records"
    assert after["B"] not in ("", before["B"]), "what the ledger says of B leads to nobody"
    assert kept(aged) == {"2", "4"}
    assert "胸痛".encode() not in Path(str(aged.engine.url.database)).read_bytes()


def test_who_was_expired_may_come_in_again(aged: Store, tmp_path: Path) -> None:
    state(aged, "care", 30)
    expire(aged, "d", actor="lead", at=NOW)
    intake(tmp_path, "again", [("9", "B", "再次就诊")])
    assert kept(aged) == {"2", "4", "9"}


def test_the_commands_state_list_and_erase(aged: Store) -> None:
    def call(*words: str, text: str | None = None) -> str:
        done = CliRunner().invoke(app, ["records", *words], input=text)
        assert done.exit_code in (0, 1), done.output
        return done.output

    assert "永不到期" in call("retention")
    assert "nothing is due" in call("expire", "d")
    told = call("retention", "d", "--purpose", "care", "--days", "1", "--basis", "rule 7")
    assert "5 条" in told
    assert "Aborted" in call("expire", "d", text="n\n")
    assert len(kept(aged)) == 4
    assert "erased: 5" in call("expire", "d", "--yes")
    assert kept(aged) == set()


def test_what_is_no_period_is_refused(aged: Store) -> None:
    with aged.write() as connection:
        for days, basis in ((-1, "b"), (40_000, "b"), (5, " ")):
            with pytest.raises(InvalidInputError):
                state_period(connection, "d", purpose="care", days=days, basis=basis, by="x")
        with pytest.raises(UnknownNameError):
            state_period(connection, "d", purpose="sale", days=5, basis="b", by="x")
        with pytest.raises(UnknownNameError):
            due(connection, "e")
    with pytest.raises(InvalidInputError, match="--basis"):
        CliRunner().invoke(app, ["records", "retention", "d", "--days", "3"], catch_exceptions=False)
