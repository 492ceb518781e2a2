"""Signed heads, announced keys, journals and proofs: every way of cheating is named."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from xinglin.errors import ChainBrokenError, ConflictError, InvalidInputError
from xinglin.ledger import verify
from xinglin.ledger.audit_keys import announce, announced, trusted
from xinglin.ledger.chain import Act, append, append_all, canonical
from xinglin.ledger.heads import check_heads, sign_head, signed_heads
from xinglin.ledger.journal import check_journal, write_journal
from xinglin.ledger.proofs import check_proof, prove_continues, prove_entry
from xinglin.ledger.signature import new_key
from xinglin.store import Store
from xinglin.store.keys import digest


def fill(store: Store, count: int) -> None:
    with store.write() as connection:
        append_all(
            connection, [Act("test", "测试", (f"{n:064x}",), {"n": n, "x": 1e22 + n}) for n in range(count)]
        )


@pytest.fixture
def keyed(store: Store, tmp_path: Path) -> tuple[Store, Path, str]:
    """A chain of 1 + 6 entries with a key, signed at 4 and at 7."""
    key = tmp_path / "key.pem"
    public = new_key(key)
    with store.write() as connection:
        announce(connection, key, actor="lead")
    fill(store, 3)
    with store.write() as connection:
        sign_head(connection, key)
    fill(store, 3)
    with store.write() as connection:
        sign_head(connection, key)
    return store, key, public


def journal_of(store: Store, path: Path) -> Path:
    with store.read() as connection, path.open("wb") as stream:
        assert write_journal(connection, stream) == 7
    return path


def test_store_journal_and_any_range_of_them_are_intact(
    keyed: tuple[Store, Path, str], tmp_path: Path
) -> None:
    store, _, public = keyed
    path = journal_of(store, tmp_path / "j")
    assert check_journal(path, given={public}).last.seq == 7
    with store.read() as connection:
        marks = check_heads(signed_heads(connection), announced(connection), {public})
        assert len(marks) == 2
        checked = 0
        for first in range(1, 8):
            for last in (*range(first, 8), None):
                expected = (last or 7) - first + 1
                assert verify(connection, first=first, last=last, heads=marks) == expected
                assert check_journal(path, given={public}, first=first, last=last).entries == expected
                checked += 1
        assert checked == 35
        with pytest.raises(InvalidInputError, match="range"):
            verify(connection, first=9)
    with pytest.raises(InvalidInputError, match="range"):
        check_journal(path, given={public}, first=9)


def rewritten(rows: list[dict[str, object]]) -> list[bytes]:
    """Lines of a journal whose chain is whole again after whatever was done to its rows."""
    lines, previous = [], "0" * 64
    for seq, row in enumerate(rows, start=1):
        row = {**row, "seq": seq, "previous": previous}
        text = canonical(**row)  # type: ignore[arg-type]
        previous = digest(text)
        lines.append(previous.encode() + b" " + text + b"\n")
    return lines


def edit(line: bytes) -> bytes:
    return line.replace(b'"n":0', b'"n":5')


def rehashed(line: bytes) -> bytes:
    text = edit(line)[65:]
    return digest(text.rstrip(b"\n")).encode() + b" " + text


CHEATS: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "edited": (lambda e: [*e[:4], edit(e[4]), *e[5:]], "entry 5 .* was changed"),
    "edited and hashed anew": (lambda e: [*e[:4], rehashed(e[4]), *e[5:]], "entry 6 does not follow"),
    "deleted": (lambda e: [*e[:2], *e[3:]], "entry 3 is missing"),
    "reordered": (lambda e: [*e[:2], e[3], e[2], *e[4:]], "entry 3 is missing"),
    "doubled": (lambda e: [*e[:3], e[2], *e[3:]], "entry 4 is missing"),
    "cut off": (lambda e: e[:6], "7 entries were noted earlier, 6 are there"),
    "all gone": (lambda e: [], "7 entries were noted earlier, 0 are there"),
    "rewritten as a whole": (
        lambda e: rewritten([{**json.loads(x[65:]), "actor": "other"} for x in e]),
        "entry 4 is not the one noted earlier",
    ),
    "rewritten after the first head": (
        lambda e: rewritten(
            [
                {**json.loads(x[65:]), "actor": "other" if i > 4 else json.loads(x[65:])["actor"]}
                for i, x in enumerate(e)
            ]
        ),
        "entry 7 is not the one noted earlier",
    ),
}


@pytest.mark.parametrize(("cheat", "message"), CHEATS.values(), ids=CHEATS)
def test_every_cheat_in_a_journal_is_named(
    keyed: tuple[Store, Path, str], tmp_path: Path, cheat: Callable[[list[bytes]], list[bytes]], message: str
) -> None:
    store, _, public = keyed
    path = journal_of(store, tmp_path / "j")
    lines = path.read_bytes().splitlines(keepends=True)
    start = 1 + 2
    path.write_bytes(b"".join([*lines[:start], *cheat(lines[start:])]))
    with pytest.raises(ChainBrokenError, match=message):
        check_journal(path, given={public})


def test_heads_cannot_be_forged_or_left_out_unnoticed(keyed: tuple[Store, Path, str], tmp_path: Path) -> None:
    store, _, public = keyed
    path = journal_of(store, tmp_path / "j")
    with store.read() as connection:
        kept = signed_heads(connection)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[1].replace(b'"seq":4', b'"seq":3'), *lines[2:]]))
    with pytest.raises(ChainBrokenError, match="not signed as it stands"):
        check_journal(path, given={public})
    path.write_bytes(b"".join([lines[0], *lines[3:-1]]))
    assert check_journal(path, given={public}).heads == 0
    with pytest.raises(ChainBrokenError, match="cut off"):
        check_journal(path, given={public}, heads=kept)
    with pytest.raises(ChainBrokenError, match="no key that you trust"):
        check_journal(path, given={"0" * 64}, heads=kept)


def test_the_hashes_before_a_range_are_bound_by_the_root(keyed: tuple[Store, Path, str], home: Path) -> None:
    store, _, public = keyed
    with sqlite3.connect(home / "xinglin.db") as raw:
        raw.execute("UPDATE ledger SET hash = ? WHERE seq = 2", ("a" * 64,))
    with store.read() as connection:
        marks = check_heads(signed_heads(connection), announced(connection), {public})
        assert verify(connection, first=4, last=6) == 3
        with pytest.raises(ChainBrokenError, match="tree over the first"):
            verify(connection, first=4, last=6, heads=marks)


@pytest.mark.parametrize(
    "content",
    [b"", b"no journal\n", b"xinglin-audit-journal 1\nabc\n", b"xinglin-audit-journal 1\nhead [1]\n"],
)
def test_what_is_no_journal_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "j"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError):
        check_journal(path, given={"0" * 64})


def test_a_key_is_handed_over_and_trust_follows(keyed: tuple[Store, Path, str], tmp_path: Path) -> None:
    store, old, public = keyed
    new = tmp_path / "new.pem"
    newer = new_key(new)
    with store.write() as connection, pytest.raises(ConflictError, match="does not name this key"):
        sign_head(connection, new)
    with store.write() as connection, pytest.raises(ConflictError, match="hand over"):
        announce(connection, new, actor="lead")
    with store.write() as connection, pytest.raises(ConflictError, match="not that of the present key"):
        announce(connection, new, actor="lead", old=new)
    with store.write() as connection:
        announce(connection, new, actor="lead", old=old)
    with store.write() as connection:
        sign_head(connection, new)
    with store.write() as connection, pytest.raises(ConflictError, match="does not name this key"):
        sign_head(connection, old)
    with store.write() as connection, pytest.raises(ConflictError, match="is or was"):
        announce(connection, old, actor="lead", old=new)
    with store.read() as connection:
        assert trusted(announced(connection), {public}) == {public, newer}
        assert len(check_heads(signed_heads(connection), announced(connection), {public})) == 3
        with pytest.raises(ChainBrokenError, match="no key that you trust"):
            check_heads(signed_heads(connection), announced(connection), {newer})


def test_after_a_loss_the_reader_must_be_given_the_new_key(
    keyed: tuple[Store, Path, str], tmp_path: Path
) -> None:
    store, old, public = keyed
    new = tmp_path / "new.pem"
    newer = new_key(new)
    with store.write() as connection, pytest.raises(InvalidInputError, match="reason"):
        announce(connection, new, actor="lead", lost=True)
    with store.write() as connection:
        announce(connection, new, actor="lead", lost=True, reason="disk died")
    with store.write() as connection:
        sign_head(connection, new)
    # Whoever finds the lost key signs a head of their own with it, behind the announcement.
    with store.write() as connection:
        append(connection, "test", actor="thief")
    with store.read() as connection:
        heads, keys = signed_heads(connection), announced(connection)
        with pytest.raises(ChainBrokenError, match="no key that you trust"):
            check_heads(heads, keys, {public})
        assert len(check_heads(heads, keys, {public, newer})) == 3
        forged = sign_forged(store, old)
        with pytest.raises(ChainBrokenError, match="had ended before"):
            check_heads([*heads, forged], keys, {public, newer})


def sign_forged(store: Store, key: Path):  # type: ignore[no-untyped-def]
    """A head signed with a key that the chain no longer names."""
    from xinglin.ledger.heads import CONTEXT, SignedHead, _digest
    from xinglin.ledger.signature import public_key, sign

    with store.read() as connection:
        last = signed_heads(connection)[-1]
    what = _digest(last.seq, last.hash, last.root, last.time)
    return SignedHead(
        last.seq, last.hash, last.root, last.time, public_key(key), sign(what, key, CONTEXT)["signature"]
    )


def test_proofs_hold_and_no_altered_one_does(keyed: tuple[Store, Path, str]) -> None:
    store, _, public = keyed
    with store.read() as connection:
        entries = [prove_entry(connection, seq) for seq in range(1, 8)]
        later = prove_continues(connection, 4)
        with pytest.raises(InvalidInputError, match="no head was signed"):
            prove_continues(connection, 5)
        with pytest.raises(InvalidInputError, match="sign a new head"):
            prove_entry(connection, 8)
    assert [check_proof(json.loads(json.dumps(proof)), {public})["seq"] for proof in entries] == list(
        range(1, 8)
    )
    assert check_proof(later, {public}) == {"earlier": 4, "later": 7}
    with pytest.raises(ChainBrokenError):
        check_proof({**entries[1], "entry": entries[2]["entry"]}, {public})
    with pytest.raises(ChainBrokenError):
        check_proof({**entries[1], "entry": entries[1]["entry"].replace('"n":0', '"n":1')}, {public})
    with pytest.raises(ChainBrokenError):
        check_proof({**later, "proof": later["proof"][1:]}, {public})
    with pytest.raises(ChainBrokenError, match="none of the keys"):
        check_proof(entries[0], {"1" * 64})
    for bad in (
        None,
        {},
        {"kind": "x"},
        {**entries[0], "path": ["zz"]},
        {**entries[0], "head": 1},
        {**later, "proof": 1},
    ):
        with pytest.raises(InvalidInputError):
            check_proof(bad, {public})


def test_an_empty_chain_is_not_signed(store: Store, tmp_path: Path) -> None:
    key = tmp_path / "k"
    new_key(key)
    with store.write() as connection, pytest.raises(ConflictError):
        sign_head(connection, key)
    stream = io.BytesIO()
    with store.read() as connection:
        assert write_journal(connection, stream) == 0
        with pytest.raises(InvalidInputError, match="no head"):
            prove_entry(connection, 1)
