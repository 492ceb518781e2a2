"""The vault: sealed, kept apart, opened only with its key, a reason and a ledger entry; what is forgotten is gone."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from xinglin.errors import AccessError, ConfigurationError, MissingDataError, StoreError, UnknownNameError
from xinglin.ledger import entries, verify
from xinglin.records.deidentify import Vault, deidentify
from xinglin.store import Store
from xinglin.store.key_files import read_key_file, write_key_file
from xinglin.types import Record

REASON = "伦理委员会批准的随访 approved follow-up"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    write_key_file(path)
    return path


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_the_way_back_needs_a_reason_and_leaves_an_entry(tmp_path: Path, key: Path, store: Store) -> None:
    with Vault.open(tmp_path / "vault.db", key_file=key) as vault:
        new = deidentify(Record(id="ZY77", subject="王秀兰/1949"), key=vault)
        assert new.subject is not None
        assert vault.reidentify(new.subject, reason=REASON, actor="lin", store=store) == "王秀兰/1949"
        assert vault.reidentify(new.id, reason=REASON, actor="lin", store=store) == "ZY77"
        for bad in ("", "because", "病人王秀兰要求复查的缘故", "电话13800138000要求随访"):
            with pytest.raises(ConfigurationError, match="reason"):
                vault.reidentify(new.subject, reason=bad, actor="lin", store=store)
        with pytest.raises(UnknownNameError):
            vault.reidentify("S-unknown", reason=REASON, actor="lin", store=store)
    with store.read() as connection:
        written = list(entries(connection))
        assert verify(connection) == 2
    assert [(e.action, e.actor, e.detail) for e in written] == [
        ("vault.reidentify", "lin", {"reason": REASON})
    ] * 2
    assert new.subject not in repr(written)
    assert "王秀兰" not in repr(written)


def test_nothing_is_told_when_the_ledger_cannot_be_written(tmp_path: Path, key: Path, store: Store) -> None:
    with Vault.open(tmp_path / "vault.db", key_file=key) as vault:
        new = deidentify(Record(id="a", subject="p"), key=vault)
        with store.write() as connection:
            connection.exec_driver_sql("DROP TABLE ledger")
        with pytest.raises(StoreError):
            vault.reidentify(new.id, reason=REASON, actor="lin", store=store)
        with pytest.raises(StoreError):
            vault.forget(new.id, actor="lin", store=store)
        assert vault._row(new.id)


def test_no_original_is_readable_in_the_file(tmp_path: Path, key: Path) -> None:
    (tmp_path / "v").mkdir()
    with Vault.open(tmp_path / "v" / "vault.db", key_file=key) as vault:
        deidentify(Record(id="ZY-UNMISTAKABLE-1", subject="王秀兰-UNMISTAKABLE"), key=vault)
    held = bytes_of(tmp_path / "v")
    assert len(held) > 1000
    assert b"UNMISTAKABLE" not in held
    assert "王秀兰".encode() not in held
    assert stat.S_IMODE((tmp_path / "v" / "vault.db").stat().st_mode) == 0o600


def test_what_is_forgotten_cannot_be_resolved_and_is_not_in_the_file(
    tmp_path: Path, key: Path, store: Store
) -> None:
    folder = tmp_path / "v"
    folder.mkdir()
    with Vault.open(folder / "vault.db", key_file=key) as vault:
        kept = deidentify(Record(id="r0", subject="other"), key=vault)
        news = [deidentify(Record(id=f"r{i}", subject="gone"), key=vault) for i in range(1, 6)]
        subject = news[0].subject
        assert subject is not None
        sealed = [row[1] for row in (vault._row(new.id) for new in news)]
        secret = vault._connection.execute(
            "SELECT sealed FROM subjects WHERE tag = ?", (vault._tag("gone"),)
        ).fetchone()[0]
        assert all(blob in bytes_of(folder) for blob in (*sealed, secret))
        assert vault.forget(subject, actor="lin", store=store) == 6
        for pseudonym in (subject, *(new.id for new in news)):
            with pytest.raises(UnknownNameError):
                vault.reidentify(pseudonym, reason=REASON, actor="lin", store=store)
        # The pseudonym is of a secret that is gone: the same person is another one now.
        again = deidentify(Record(id="r1", subject="gone"), key=vault)
        assert again.subject != subject
        assert again.id != news[0].id
        assert vault.reidentify(kept.id, reason=REASON, actor="lin", store=store) == "r0"
    held = bytes_of(folder)
    for blob in (*sealed, secret, subject.encode(), news[0].id.encode()):
        assert blob not in held
        assert blob[12:] not in held
    with store.read() as connection:
        assert [entry.action for entry in entries(connection)] == ["vault.forget", "vault.reidentify"]


def test_only_its_own_key_opens_a_vault(tmp_path: Path, key: Path) -> None:
    Vault.open(tmp_path / "vault.db", key_file=key).close()
    write_key_file(tmp_path / "another")
    with pytest.raises(AccessError, match="does not fit"):
        Vault.open(tmp_path / "vault.db", key_file=tmp_path / "another")
    with pytest.raises(ConfigurationError, match="one of the two"):
        Vault.open(tmp_path / "vault.db")
    with pytest.raises(ConfigurationError, match="at least 12"):
        Vault.open(tmp_path / "vault.db", passphrase="short")
    with pytest.raises(MissingDataError):
        Vault.open(tmp_path / "none.db", key_file=key, create=False)
    (tmp_path / "junk.db").write_bytes(b"this is no database, whatever its name " * 100)
    with pytest.raises(StoreError, match="no vault"):
        Vault.open(tmp_path / "junk.db", key_file=key)


def test_a_passphrase_opens_what_it_closed(tmp_path: Path, store: Store) -> None:
    with Vault.open(tmp_path / "vault.db", passphrase="correct horse battery") as vault:
        new = deidentify(Record(id="a"), key=vault)
    with pytest.raises(AccessError):
        Vault.open(tmp_path / "vault.db", passphrase="correct horse staple!")
    with Vault.open(tmp_path / "vault.db", passphrase="correct horse battery") as vault:
        assert vault.reidentify(new.id, reason=REASON, actor="lin", store=store) == "a"


def test_an_entry_moved_or_changed_is_refused(tmp_path: Path, key: Path, store: Store) -> None:
    path = tmp_path / "vault.db"
    with Vault.open(path, key_file=key) as vault:
        first = deidentify(Record(id="a", subject="p"), key=vault)
        second = deidentify(Record(id="b", subject="q"), key=vault)
    with sqlite3.connect(path) as raw:
        (blob,) = raw.execute("SELECT sealed FROM pseudonyms WHERE pseudonym = ?", (second.id,)).fetchone()
        raw.execute("UPDATE pseudonyms SET sealed = ? WHERE pseudonym = ?", (blob, first.id))
    with Vault.open(path, key_file=key) as vault, pytest.raises(AccessError, match="changed"):
        vault.reidentify(first.id, reason=REASON, actor="lin", store=store)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o700])
def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path, key: Path, mode: int) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    os.chmod(key, mode)
    with pytest.raises(ConfigurationError, match="0600"):
        read_key_file(key)


def test_a_key_is_never_overwritten_and_must_be_one(tmp_path: Path, key: Path) -> None:
    with pytest.raises(ConfigurationError, match="exists"):
        write_key_file(key)
    other = tmp_path / "bad"
    other.write_text("not hex at all")
    os.chmod(other, 0o600)
    with pytest.raises(ConfigurationError, match="64 hex digits"):
        read_key_file(other)
    with pytest.raises(MissingDataError):
        read_key_file(tmp_path / "none")
