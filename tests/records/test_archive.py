"""The archive: kept once, read for a purpose, erased without a trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import event, func, insert, select

from tests.stores import both, name
from xinglin.errors import InvalidInputError, NotPermittedError, UnknownNameError
from xinglin.ledger import entries, give_consent, grant, revoke, verify, withdraw_consent
from xinglin.ledger.subjects import find_dataset
from xinglin.records import archive, create_dataset, erase, read, read_one
from xinglin.records.archive import Encoded, Kept, keep, list_datasets
from xinglin.store import Store, home_folder
from xinglin.store.keys import keyed_digest
from xinglin.store.tables import intake_runs, records, subjects
from xinglin.types import Record, Volume

__all__ = ["both", "name"]


def new_run(store: Store, name: str) -> int:
    with store.write() as connection:
        dataset = find_dataset(connection, name)
        counts = dict.fromkeys(
            ("taken", "stored", "changed", "repeated", "known", "erased", "quarantined"), 0
        )
        texts = dict.fromkeys(("source", "form", "settings", "actor", "started", "moved"), "")
        values = {"dataset": dataset.id, "state": "open", "encodings": {}, **counts, **texts}
        key = connection.execute(insert(intake_runs).values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def put(store: Store, name: str, *batch: Record) -> Kept:
    run = new_run(store, name)
    with store.write() as connection:
        dataset = find_dataset(connection, name, lock=True)
        return keep(connection, dataset, run, [Encoded.of(record) for record in batch])


@pytest.fixture
def opened(both: Store, name: str) -> Store:
    """A store with an empty data set that ``reader`` may read for training."""
    with both.write() as connection:
        create_dataset(connection, name, by="steward")
        grant(connection, name, grantee="reader", purpose="training", by="steward")
        give_consent(connection, name, subject=None, purpose="training", basis="waiver", by="board")
    return both


def got(store: Store, name: str, **more: object) -> list[Record]:
    return list(read(store, name, purpose="training", actor="reader", **more))  # type: ignore[arg-type]


def test_records_come_back_in_the_order_of_storing(
    opened: Store, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "PAGE", 4)
    batch = [Record(f"r{i}", f"s{i % 3}", f"文本 {i} " + "长" * (300 * i)) for i in range(11)]
    kept = put(opened, name, *batch)
    assert (kept.stored, kept.changed, kept.known) == (11, 0, 0)
    assert got(opened, name) == batch
    assert got(opened, name, after="r6") == batch[7:]
    assert got(opened, name, after="r3", limit=5) == batch[4:9]
    assert got(opened, name, limit=0) == []
    assert got(opened, name, limit=4) == batch[:4]
    reading = read(opened, name, purpose="training", actor="reader", after="r6", limit=2)
    assert (reading.records, reading.withheld) == (2, 0)
    with pytest.raises(UnknownNameError, match="no such record"):
        got(opened, name, after="r99")
    with pytest.raises(InvalidInputError, match="limit"):
        got(opened, name, limit=-1)


def test_the_same_is_known_and_a_change_is_a_version(opened: Store, name: str) -> None:
    first = [Record("a", "s", "1"), Record("b", "s", "1")]
    put(opened, name, *first)
    again = put(opened, name, *first, Record("c", "s", "1"))
    assert (again.stored, again.changed, again.known) == (1, 0, 2)
    changed = put(opened, name, Record("a", "s", "2"), Record("b", "s", "1"))
    assert (changed.stored, changed.changed, changed.known, changed.repeated) == (0, 1, 1, 0)
    assert [(record.id, record.text) for record in got(opened, name)] == [("b", "1"), ("c", "1"), ("a", "2")]
    one = {"purpose": "training", "actor": "reader"}
    assert read_one(opened, name, "a", **one).text == "2"
    assert read_one(opened, name, "a", version=1, **one).text == "1"
    with pytest.raises(UnknownNameError, match="no version 3"):
        read_one(opened, name, "a", version=3, **one)
    twice = put(opened, name, Record("d", "s", "1"), Record("d", "s", "2"), Record("d", "s", "2"))
    assert (twice.stored, twice.changed, twice.repeated, twice.known) == (1, 1, 1, 1)
    assert read_one(opened, name, "d", **one).text == "2"


def test_no_step_of_storing_walks_through_the_data_set(store: Store, name: str) -> None:
    with store.write() as connection:
        create_dataset(connection, name, by="steward")
    put(store, name, *(Record(f"r{i}", f"s{i}") for i in range(50)))
    asked: list[tuple[str, tuple[object, ...]]] = []

    @event.listens_for(store.engine, "before_cursor_execute")
    def note(
        _c: object, _u: object, statement: str, values: tuple[object, ...], _x: object, _many: bool
    ) -> None:
        if statement.startswith("SELECT") and " records" in statement + " ":
            asked.append((statement, values))

    put(store, name, *(Record(f"r{i}", f"s{i}") for i in range(40, 60)))
    event.remove(store.engine, "before_cursor_execute", note)
    assert asked
    with store.read() as connection:
        for statement, values in asked:
            plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, values).all()
            assert "(dataset=? AND key=?)" in str(plan)


def test_a_withdrawn_consent_hides_at_once(opened: Store, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "PAGE", 2)
    put(opened, name, *(Record(f"r{i}", f"s{i % 2}") for i in range(6)))
    reading = read(opened, name, purpose="training", actor="reader")
    assert [next(reading).id, next(reading).id] == ["r0", "r1"]
    with opened.write() as connection:
        withdraw_consent(connection, name, subject="s1", purpose="training", by="s1")
    assert [record.id for record in reading] == ["r2", "r4"]
    after = read(opened, name, purpose="training", actor="reader")
    assert (after.records, after.withheld) == (3, 3)
    assert [record.id for record in after] == ["r0", "r2", "r4"]
    with pytest.raises(NotPermittedError, match="did not consent"):
        read_one(opened, name, "r1", purpose="training", actor="reader")
    assert read_one(opened, name, "r2", purpose="training", actor="reader").id == "r2"


def test_a_revoked_grant_ends_a_reading(opened: Store, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "PAGE", 2)
    put(opened, name, *(Record(f"r{i}") for i in range(6)))
    reading = read(opened, name, purpose="training", actor="reader")
    next(reading)
    with opened.write() as connection:
        revoke(connection, name, grantee="reader", purpose="training", by="steward")
    next(reading)
    with pytest.raises(NotPermittedError, match="revoked"):
        next(reading)


def test_every_reading_leaves_one_entry_before_its_first_record(opened: Store, name: str) -> None:
    put(opened, name, *(Record(f"r{i}", "张三") for i in range(3)))
    read(opened, name, purpose="training", actor="reader")  # never taken
    got(opened, name)
    read_one(opened, name, "r1", purpose="training", actor="reader")
    with pytest.raises(NotPermittedError):
        read(opened, name, purpose="research", actor="reader")
    with opened.read() as connection:
        verify(connection)
        mine = [
            entry
            for entry in entries(connection)
            if entry.action == "records.read" and entry.detail["dataset"] == name
        ]
    assert [entry.detail["records"] for entry in mine] == [3, 3, 1]
    assert all(entry.actor == "reader" and entry.detail["purpose"] == "training" for entry in mine)
    assert "张三" not in json.dumps([[entry.subjects, entry.detail] for entry in mine], ensure_ascii=False)


def test_erasing_leaves_no_trace_and_others_alone(opened: Store, name: str, tmp_path: Path) -> None:
    ours = home_folder() / "volumes" / name / "v.npy"
    ours.parent.mkdir(parents=True)
    ours.write_bytes(b"voxels")
    theirs = tmp_path / "pacs.npy"
    theirs.write_bytes(b"voxels")
    eye = tuple(tuple(float(i == j) for j in range(4)) for i in range(4))
    volumes = (Volume(str(ours), eye), Volume(str(theirs), eye))  # type: ignore[arg-type]
    secret = "独一无二的秘密文字"
    put(opened, name, Record("a1", "甲", secret, volumes=volumes), Record("b1", "乙", "留下"))
    put(opened, name, Record("a1", "甲", secret + "2"), Record("a2", "甲", secret))
    with opened.write() as connection:
        give_consent(connection, name, subject="甲", purpose="training", basis="form", by="甲")
    with opened.read() as connection:
        dataset = find_dataset(connection, name)
        key = dataset.subject_key("甲")
        salt = connection.execute(select(subjects.c.salt).where(subjects.c.key == key)).scalar_one()
    assert erase(opened, name, subject="甲", actor="steward") == 3
    assert [record.id for record in got(opened, name)] == ["b1"]
    assert not ours.exists()
    assert theirs.exists()
    with opened.read() as connection:
        verify(connection)
        assert connection.execute(select(subjects.c.salt).where(subjects.c.key == key)).scalar_one() is None
        last = list(entries(connection))[-2]  # behind it stands the reading above
    assert last.action == "subject.erase"
    assert last.subjects == (keyed_digest(salt, "甲".encode()),)
    assert last.detail == {"dataset": name, "records": 3, "files": 1, "destroyed": ["salt"]}
    if opened.engine.dialect.name == "sqlite":
        path = Path(str(opened.engine.url.database))
        kept = b"".join(file.read_bytes() for file in path.parent.glob(path.name + "*"))
        assert secret.encode() not in kept
        assert salt.encode() not in kept
        assert "留下".encode() in kept
    with pytest.raises(UnknownNameError, match="no such subject"):
        erase(opened, name, subject="甲", actor="steward")


def test_an_erased_subject_stays_out_until_it_consents_anew(opened: Store, name: str) -> None:
    put(opened, name, Record("a", "甲"), Record("b", "乙"))
    erase(opened, name, subject="甲", actor="steward")
    again = put(opened, name, Record("a", "甲"), Record("b", "乙"), Record("c", "甲"))
    assert (again.stored, again.known, again.erased) == (0, 1, 2)
    with opened.write() as connection:
        give_consent(connection, name, subject="甲", purpose="training", basis="form", by="甲")
    assert put(opened, name, Record("a", "甲")).stored == 1
    assert {record.id for record in got(opened, name)} == {"a", "b"}


def test_a_record_that_changed_hands_survives_the_erasure_of_the_wrong_owner(
    opened: Store, name: str
) -> None:
    put(opened, name, Record("a", "甲", "1"))
    put(opened, name, Record("a", "乙", "2"))
    put(opened, name, Record("a", "甲", "3"))
    assert erase(opened, name, subject="甲", actor="steward") == 2
    assert [(record.subject, record.text) for record in got(opened, name)] == [("乙", "2")]
    assert put(opened, name, Record("a", "乙", "4")).changed == 1
    assert [record.text for record in got(opened, name)] == ["4"]


def test_a_record_without_a_subject_is_its_own(opened: Store, name: str) -> None:
    put(opened, name, Record("a"), Record("b"))
    assert erase(opened, name, subject="a", actor="steward") == 1
    assert [record.id for record in got(opened, name)] == ["b"]


def test_identifiers_stand_in_no_column(opened: Store, name: str) -> None:
    put(opened, name, Record("住院号10086", "身份证号110101"))
    with opened.read() as connection:
        dataset = find_dataset(connection, name)
        columns = [column for column in records.c if column.name != "body"]
        (row,) = connection.execute(select(*columns).where(records.c.dataset == dataset.id)).all()
        (owner,) = connection.execute(select(subjects).where(subjects.c.dataset == dataset.id)).all()
        assert connection.execute(select(func.count()).select_from(records)).scalar_one() >= 1
    assert "10086" not in str(row) + str(owner)
    assert "110101" not in str(row) + str(owner)


@pytest.mark.parametrize("wrong", ["", "x" * 101, "-a", "a/b", "a b", "../x", "a\0"])
def test_a_data_set_has_a_plain_name(opened: Store, wrong: str) -> None:
    with opened.write() as connection, pytest.raises(InvalidInputError, match="data set name"):
        create_dataset(connection, wrong, by="s")


def test_data_sets_are_listed_with_their_numbers(opened: Store, name: str) -> None:
    with opened.write() as connection, pytest.raises(InvalidInputError, match="exists already"):
        create_dataset(connection, name, by="s")
    put(opened, name, Record("a", "甲"), Record("b", "甲"))
    put(opened, name, Record("a", "甲", "2"))
    (row,) = [row for row in list_datasets(opened) if row["name"] == name]
    assert (row["records"], row["subjects"], row["runs"]) == (2, 1, 2)
