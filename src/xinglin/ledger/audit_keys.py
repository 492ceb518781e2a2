"""Whose signature the chain bears: keys are announced in the chain itself, handed over, or declared lost.

A reader starts from one public key that reached them outside of the store. From there, trust follows hand-overs: an
entry ``audit.key`` that names the next key under the signature of the one before. A lost key cannot sign, so after a
loss the reader must be given the new key anew; the entry says since when and why.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from xinglin.errors import ConflictError, InvalidInputError
from xinglin.ledger.chain import append
from xinglin.ledger.signature import check_signature, public_key, sign
from xinglin.store.keys import digest
from xinglin.store.tables_ledger import ledger
from xinglin.types import Entry

ACTION = "audit.key"
CONTEXT = "audit-key"


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """An entry that announces a key."""

    seq: int
    public_key: str
    """64 hexadecimal digits."""
    replaces: str | None
    """The key that ends here; ``None``: the first."""
    signature: dict[str, Any] | None
    """Of the key that ends, over the new one; ``None``: the first key, or the old one is lost."""
    reason: str


def announce(
    connection: Connection,
    key: Path,
    *,
    actor: str,
    reason: str = "",
    old: Path | None = None,
    lost: bool = False,
) -> Entry:
    """Make a key the one that signs the chain from here on.

    Args:
        connection: from ``Store.write()``.
        key: file of the new private key (``ledger.signature.new_key``).
        actor: who did it.
        reason: why, needed where a key was lost; readable by every auditor.
        old: file of the key that is replaced: it signs the new one.
        lost: the old key cannot sign any more.

    Raises:
        ConflictError: there is a key already and neither ``old`` nor ``lost`` says what becomes of it, the file is
            not that of the present key, or the new one has been used before.
        InvalidInputError: a lost key without a reason.
    """
    known = announced(connection)
    new, current = public_key(key), known[-1].public_key if known else None
    if any(new in (entry.public_key, entry.replaces) for entry in known):
        raise ConflictError("this key is or was a key of this chain: make a new one")
    signature = None
    if current is None:
        if old is not None or lost:
            raise ConflictError("this chain has no key yet: announce the first one without an old one")
    elif old is not None:
        if public_key(old) != current:
            raise ConflictError(f"the file is not that of the present key {current[:16]}…: give that one")
        signature = sign(digest(new.encode()), old, CONTEXT)
    elif not lost:
        raise ConflictError(
            f"the key {current[:16]}… signs this chain: hand over with its file, or declare it lost with a reason"
        )
    elif not reason.strip():
        raise InvalidInputError("a lost key needs a reason: every auditor will ask for it")
    return append(
        connection,
        ACTION,
        actor=actor,
        detail={"public_key": new, "replaces": current, "signature": signature, "reason": reason},
    )


def announced(connection: Connection) -> list[KeyEntry]:
    """Return the entries that announce keys, in order."""
    query = select(ledger.c.seq, ledger.c.detail).where(ledger.c.action == ACTION).order_by(ledger.c.seq)
    return [key_entry(row.seq, row.detail) for row in connection.execute(query)]


def key_entry(seq: int, detail: Any) -> KeyEntry:
    """Read the detail of an entry that announces a key.

    Raises:
        InvalidInputError: it does not name one.
    """
    named = detail if isinstance(detail, dict) else {}
    key, replaces, signature = named.get("public_key"), named.get("replaces"), named.get("signature")
    if (
        not isinstance(key, str)
        or not isinstance(replaces, str | None)
        or not isinstance(signature, dict | None)
    ):
        raise InvalidInputError(
            f"entry {seq}: expected the announcement of a key, got {json.dumps(detail)[:80]}"
        )
    return KeyEntry(seq, key, replaces, signature, str(named.get("reason") or ""))


def trusted(entries: Iterable[KeyEntry], given: Collection[str]) -> set[str]:
    """Return the keys that a reader who trusts the given ones may trust: those, and whom they were handed over to."""
    found = set(given)
    for entry in entries:
        if entry.replaces in found and entry.signature is not None:
            try:
                check_signature(entry.signature, digest(entry.public_key.encode()), CONTEXT, entry.replaces)
            except InvalidInputError:
                continue
            found.add(entry.public_key)
    return found


def ended(entries: Iterable[KeyEntry]) -> dict[str, int]:
    """Return, for each key that was replaced, the number of the entry that ended it."""
    return {entry.replaces: entry.seq for entry in entries if entry.replaces is not None}
