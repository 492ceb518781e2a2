"""Verification: what was changed afterwards is found; an author proves an entry; anyone checks an opening."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import select, update

from tests.release.challenge.contest import OVER, answers, cases, make, put
from xinglin.errors import ChainBrokenError, InvalidInputError, MissingDataError, UnknownNameError
from xinglin.ledger.audit_keys import announce
from xinglin.ledger.heads import sign_head
from xinglin.ledger.signature import new_key
from xinglin.release.challenge.closing import close_challenge
from xinglin.release.challenge.record import find
from xinglin.release.challenge.verifying import (
    check_files,
    check_receipt,
    receipt,
    verify_challenge,
    write_opening,
)
from xinglin.store import Store
from xinglin.store.tables_challenge import challenge_entries, challenge_hidden, challenges


def test_an_untouched_challenge_verifies_before_and_after_close(store: Store) -> None:
    make(store)
    for who, wrong in (("bo", 20), ("bo", 8), ("bo", 19), ("ma", 12)):
        put(store, who, wrong)
    with store.read() as connection:
        found = verify_challenge(connection, "triage-test")
    assert (found.entries, found.final) == (4, False)
    close_challenge(store, "triage-test", by="chen", now=OVER)
    with store.read() as connection:
        assert verify_challenge(connection, "triage-test").final


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("score", "does not follow"),
        ("state", "does not follow"),
        ("predictions", "predictions of entry"),
        ("digest", "not what the ledger names"),
        ("manifest", "manifest"),
        ("labels", "do not open"),
        ("board", "final board"),
    ],
)
def test_what_was_changed_afterwards_is_found(store: Store, what: str, said: str) -> None:
    made = make(store)
    put(store, "bo", 20)
    put(store, "ma", 8)
    closed = close_challenge(store, "triage-test", by="chen", now=OVER)
    with store.write() as connection:
        entry = connection.execute(select(challenge_entries).order_by(challenge_entries.c.id)).first()
        assert entry is not None
        one = update(challenge_entries).where(challenge_entries.c.id == entry.id)
        board = [row.as_json() for row in closed.final]
        board[0]["value"] = 0.99
        changes = {
            "score": one.values(told=entry.told | {"loss": 0.0}),
            "state": one.values(state="kept"),
            "predictions": one.values(content=answers(0).canonical()),
            "digest": one.values(digest="0" * 64),
            "manifest": update(challenges).values(manifest=made.manifest.as_json() | {"daily": 99}),
            "labels": update(challenge_hidden)
            .where(challenge_hidden.c.part == "labels")
            .values(salt="0" * 64),
            "board": update(challenges).values(board=board),
        }
        connection.execute(changes[what])
    with store.read() as connection, pytest.raises((ChainBrokenError, InvalidInputError), match=said):
        verify_challenge(connection, "triage-test")


def test_an_author_proves_an_entry(store: Store, tmp_path: Path) -> None:
    make(store)
    one = put(store, "bo", 20)
    with store.read() as connection, pytest.raises(InvalidInputError, match="audit sign"):
        receipt(connection, "triage-test", one.id)
    key = tmp_path / "key"
    public = new_key(key)
    with store.write() as connection:
        announce(connection, key, actor="cli")
        sign_head(connection, key)
    with store.read() as connection:
        told = json.loads(json.dumps(receipt(connection, "triage-test", one.id)))
        with pytest.raises(UnknownNameError):
            receipt(connection, "triage-test", 99)
    assert check_receipt(told, [public], answers(20))["actor"] == "bo"
    with pytest.raises(InvalidInputError, match="other predictions"):
        check_receipt(told, [public], answers(19))
    with pytest.raises(ChainBrokenError):
        check_receipt(told, ["0" * 64])
    forged = json.loads(json.dumps(told))
    forged["proof"]["entry"] = forged["proof"]["entry"].replace('"bo"', '"ma"')
    with pytest.raises(ChainBrokenError):
        check_receipt(forged, [public])
    for wrong in (told | {"digest": "0" * 64}, told | {"challenge": "other"}, {"kind": "x"}, []):
        with pytest.raises(InvalidInputError):
            check_receipt(wrong, [public])


def test_an_opening_is_checked_with_nothing_else_at_hand(store: Store, tmp_path: Path) -> None:
    make(store)
    put(store, "bo", 20)
    with store.read() as connection, pytest.raises(InvalidInputError, match="before it is closed"):
        write_opening(connection, find(connection, "triage-test"), tmp_path / "o")
    closed = close_challenge(store, "triage-test", by="chen", now=OVER)
    folder = tmp_path / "opening"
    with store.read() as connection:
        write_opening(connection, closed, folder)
    manifest, found = check_files(folder)
    assert manifest == closed.manifest
    assert found == cases()
    text = (folder / "labels.jsonl").read_bytes()
    (folder / "labels.jsonl").write_bytes(text.replace(b'"board"', b'"final"', 1))
    with pytest.raises(InvalidInputError, match="do not open"):
        check_files(folder)
    (folder / "salts.json").write_text('{"inputs": 3}')
    with pytest.raises(InvalidInputError, match="salts"):
        check_files(folder)
    (folder / "salts.json").unlink()
    with pytest.raises(MissingDataError):
        check_files(folder)
