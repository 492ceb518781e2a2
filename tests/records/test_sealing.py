"""Bodies encrypted at rest: what lies in the file, which key opens it, and what erasing and rotating leave."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update
from typer.testing import CliRunner

from tests.records.test_archive import got, opened, put
from tests.stores import both, name
from xinglin.cli.main import app
from xinglin.errors import AccessError, ConfigurationError, UnknownNameError
from xinglin.ledger import entries
from xinglin.records import erase, read_one
from xinglin.records.sealing import MARK, rotate, seal_all
from xinglin.store import Store, open_store
from xinglin.store.key_files import read_key_file, write_key_file
from xinglin.store.tables import archive_key, records, subjects
from xinglin.types import Record

__all__ = ["both", "name", "opened"]
SECRET = "糖尿病足,夜间加重"
KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


@pytest.fixture
def sealed(opened: Store) -> Iterator[Store]:
    """The same store, opened with a key; the key is taken out again, since PostgreSQL's is shared."""
    yield replace(opened, archive_key=KEY)
    with opened.write() as connection:
        connection.execute(delete(archive_key))


def bodies(store: Store) -> list[bytes]:
    with store.read() as connection:
        return list(connection.execute(select(records.c.body).order_by(records.c.id)).scalars())


def sick(number: int, text: str = SECRET, subject: str | None = None) -> Record:
    return Record(f"r{number}", subject=subject or f"p{number}", text=text)


def kept(store: Store, name: str, *batch: Record) -> None:
    """As an intake stores them: under the store's key."""
    from tests.records.test_archive import new_run
    from xinglin.ledger.subjects import find_dataset
    from xinglin.records.archive import Encoded, keep

    run = new_run(store, name)
    with store.write() as connection:
        dataset = find_dataset(connection, name, lock=True)
        keep(connection, dataset, run, [Encoded.of(record) for record in batch], store.archive_key)


def test_nothing_readable_lies_in_the_store_and_everything_comes_back(sealed: Store, name: str) -> None:
    long = sick(2, SECRET * 200, "p1")
    kept(sealed, name, sick(1), long, Record("r3", text="no subject"))
    assert [body[:1] for body in bodies(sealed)][-3:] == [MARK] * 3
    assert not any(SECRET.encode() in body for body in bodies(sealed))
    assert [record.text for record in got(sealed, name)] == [SECRET, SECRET * 200, "no subject"]
    one = read_one(sealed, name, "r2", purpose="training", actor="reader")
    assert one == long
    kept(sealed, name, sick(1))
    assert len(got(sealed, name)) == 3, "a known record is found by its keyed digest, key or not"


def test_equal_bodies_of_one_subject_are_not_equal_in_the_store(sealed: Store, name: str) -> None:
    kept(sealed, name, replace(sick(1), id="a"), replace(sick(1), id="a2"))
    first, second = bodies(sealed)[-2:]
    assert first[:13] != second[:13], "a nonce of its own"


def test_the_sqlite_file_holds_no_word(tmp_path: Path) -> None:
    from xinglin.ledger import give_consent, grant
    from xinglin.records import create_dataset

    for key in (None, KEY):
        store = replace(open_store(f"sqlite:///{tmp_path / f'{key is None}.db'}"), archive_key=key)
        with store.write() as connection:
            create_dataset(connection, "d", by="s")
            grant(connection, "d", grantee="reader", purpose="training", by="s")
            give_consent(connection, "d", subject=None, purpose="training", basis="w", by="b")
        kept(store, "d", *(sick(n) for n in range(20)))
        store.close()
        words = b"".join(path.read_bytes() for path in tmp_path.glob(f"{key is None}.db*"))
        assert (SECRET.encode() in words) is (key is None)


def test_another_key_none_and_a_changed_or_exchanged_row_are_told(sealed: Store, name: str) -> None:
    kept(sealed, name, sick(1), sick(2, "a cold"))
    with pytest.raises(AccessError, match="not the archive's"):
        got(replace(sealed, archive_key=OTHER), name)
    with pytest.raises(ConfigurationError, match="XINGLIN_ARCHIVE_KEY"):
        got(replace(sealed, archive_key=None), name)
    with pytest.raises(ConfigurationError, match="XINGLIN_ARCHIVE_KEY"):
        put(replace(sealed, archive_key=None), name, sick(3))
    with pytest.raises(AccessError, match="not the archive's"):
        kept(replace(sealed, archive_key=OTHER), name, sick(3))
    with sealed.read() as connection:
        rows = connection.execute(
            select(records.c.id, records.c.body).order_by(records.c.id.desc()).limit(2)
        ).all()
    (last, cold), (first, _) = rows
    for body in (cold, cold[:-1] + bytes([cold[-1] ^ 1]), MARK):
        with sealed.write() as connection:
            connection.execute(update(records).where(records.c.id == first).values(body=body))
        with pytest.raises(AccessError, match="another record's"):
            got(sealed, name)
    assert last > first


def test_what_was_stored_before_the_key_is_read_and_then_sealed(sealed: Store, name: str) -> None:
    plain = replace(sealed, archive_key=None)
    put(plain, name, *(sick(n, subject=f"p{n % 3}") for n in range(7)))
    assert len(got(sealed, name)) == 7
    kept(sealed, name, sick(7))
    seen: list[tuple[int, int]] = []
    with sealed.read() as connection:
        open_ = sum(
            not body.startswith(MARK) for body in connection.execute(select(records.c.body)).scalars()
        )
    assert seal_all(sealed, actor="keeper", progress=lambda done, of: seen.append((done, of))) == open_ >= 7
    assert seal_all(sealed, actor="keeper") == 0
    assert seen[-1][0] == seen[-1][1] >= 8
    assert all(body.startswith(MARK) for body in bodies(sealed))
    assert {record.text for record in got(sealed, name)} == {SECRET}
    with pytest.raises(ConfigurationError, match="archive-key"):
        seal_all(plain, actor="keeper")


def test_after_a_rotation_only_the_new_key_opens_and_no_body_has_changed(sealed: Store, name: str) -> None:
    kept(sealed, name, *(sick(n) for n in range(5)))
    before = bodies(sealed)
    assert rotate(sealed, OTHER, actor="keeper") >= 5
    assert bodies(sealed) == before
    with pytest.raises(AccessError, match="not the archive's"):
        got(sealed, name)
    turned = replace(sealed, archive_key=OTHER)
    assert len(got(turned, name)) == 5
    kept(turned, name, sick(9))
    assert len(got(turned, name)) == 6
    with sealed.read() as connection:
        acts = [entry.detail["act"] for entry in entries(connection) if entry.action == "archive.key"]
    assert acts[-2:] == ["first", "rotate"]
    with pytest.raises(ConfigurationError, match="no key in force"):
        rotate(replace(sealed, archive_key=None), KEY, actor="keeper")
    assert rotate(turned, KEY, actor="keeper") >= 6


def test_an_erased_subject_leaves_no_key_and_a_body_kept_elsewhere_is_unreadable(
    sealed: Store, name: str
) -> None:
    kept(sealed, name, sick(1), sick(2))
    with sealed.read() as connection:
        row = connection.execute(select(records).order_by(records.c.id.desc()).limit(1).offset(1)).one()
    assert erase(sealed, name, subject="p1", actor="keeper") == 1
    with sealed.read() as connection:
        gone = connection.execute(select(subjects).where(subjects.c.id == row.subject)).one()
    assert (gone.salt, gone.data_key) == (None, None)
    with sealed.write() as connection:  # somebody puts a copy of the row back
        connection.execute(records.insert().values(row._mapping))
    with pytest.raises(AccessError, match="key is gone"):
        got(sealed, name)
    with pytest.raises(UnknownNameError):
        erase(sealed, name, subject="p1", actor="keeper")


def test_key_files_by_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = CliRunner()
    first, second = tmp_path / "first", tmp_path / "second"
    assert runner.invoke(app, ["records", "archive-key", str(first)]).exit_code == 0
    assert first.stat().st_mode & 0o777 == 0o600
    write_key_file(second)
    notes = tmp_path / "notes.jsonl"
    notes.write_text('{"id": "1", "text": "头痛"}\n', encoding="utf-8")
    assert runner.invoke(app, ["records", "intake", str(notes), "--dataset", "d"]).exit_code == 0
    monkeypatch.setenv("XINGLIN_ARCHIVE_KEY", str(first))
    done = runner.invoke(app, ["records", "seal"])
    assert (done.exit_code, "sealed: 1" in done.output) == (0, True), done.output
    done = runner.invoke(app, ["records", "rotate-key", str(second)])
    assert done.exit_code == 0, done.output
    with pytest.raises(AccessError):
        seal_all(open_store(), actor="x")
    monkeypatch.setenv("XINGLIN_ARCHIVE_KEY", str(second))
    assert seal_all(open_store(), actor="x") == 0
    os.chmod(second, 0o644)
    with pytest.raises(ConfigurationError, match="0600"):
        open_store()
    assert read_key_file(first)
