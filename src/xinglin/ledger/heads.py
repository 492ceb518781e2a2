"""Signed heads: how long the chain was at some moment, and what it said, under a signature.

Who holds a signed head can show later that the chain was shortened or rewritten, without any copy of it. What is
signed is the SHA-256 of the canonical JSON of ``{hash, root, seq, time}`` (``ledger.signature``, Ed25519).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select

from xinglin.errors import ChainBrokenError, ConflictError, InvalidInputError
from xinglin.ledger import audit_keys, merkle
from xinglin.ledger.audit_keys import KeyEntry
from xinglin.ledger.signature import ALGORITHM, check_signature, public_key, sign
from xinglin.ledger.walk import Head
from xinglin.store.keys import canonical_json, digest
from xinglin.store.tables_ledger import ledger, ledger_head, ledger_signed_heads

CONTEXT = "audit-head"


@dataclass(frozen=True, slots=True)
class SignedHead:
    """The chain at some moment, signed."""

    seq: int
    """Entries at that moment."""
    hash: str
    """Of the last of them."""
    root: str
    """Of the Merkle tree over all of them (``ledger.merkle``), hex."""
    time: str
    """When it was signed: UTC, ISO 8601."""
    public_key: str
    signature: str

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    def noted(self) -> Head:
        """Return what the check of the chain compares with."""
        return Head(self.seq, self.hash, self.root)


def sign_head(connection: Connection, key: Path) -> SignedHead:
    """Sign the chain as it is now, and keep the head.

    Args:
        connection: from ``Store.write()``.
        key: file of the private key that the chain names as its own.

    Raises:
        ConflictError: the chain is empty, or names another key.
        ConfigurationError, MissingDataError, InvalidInputError: as ``ledger.signature.sign``.
    """
    known = audit_keys.announced(connection)
    mine = public_key(key)
    if not known or known[-1].public_key != mine:
        raise ConflictError(
            "the chain does not name this key as its own: announce it first with `xinglin audit key`"
        )
    head = connection.execute(select(ledger_head.c.seq, ledger_head.c.hash).with_for_update()).one()
    root = merkle.root(bytes.fromhex(hash_) for hash_ in hashes(connection, head.seq)).hex()
    time = datetime.now(UTC).isoformat(timespec="microseconds")
    signature = sign(_digest(head.seq, head.hash, root, time), key, CONTEXT)["signature"]
    signed = SignedHead(head.seq, head.hash, root, time, mine, signature)
    connection.execute(insert(ledger_signed_heads).values(**signed.as_json()))
    return signed


def signed_heads(connection: Connection) -> list[SignedHead]:
    """Return all signed heads of the store, in order, unchecked."""
    columns = [column for column in ledger_signed_heads.c if column.name != "id"]
    query = select(*columns).order_by(ledger_signed_heads.c.seq, ledger_signed_heads.c.id)
    return [SignedHead(**row._mapping) for row in connection.execute(query)]


def read_head(value: Any) -> SignedHead:
    """Read a signed head from JSON.

    Raises:
        InvalidInputError: it is none.
    """
    names = SignedHead.__dataclass_fields__
    if not isinstance(value, dict) or set(value) != set(names) or not isinstance(value["seq"], int):
        raise InvalidInputError(f"expected a signed head with {', '.join(names)}")
    if not all(isinstance(value[name], str) for name in names if name != "seq"):
        raise InvalidInputError("a signed head's hashes, time, key and signature are texts")
    return SignedHead(**value)


def check_heads(
    heads: Iterable[SignedHead], keys: Collection[KeyEntry], given: Collection[str]
) -> list[Head]:
    """Check the signatures of heads and return what the chain must agree with.

    Args:
        heads: as they lie in the store or came in a file.
        keys: the chain's own announcements of keys.
        given: public keys that the reader trusts, from outside.

    Raises:
        ChainBrokenError: a head's signature is false, its key is not to be trusted, or it signed after its end.
    """
    trust, ends = audit_keys.trusted(keys, given), audit_keys.ended(keys)
    found = []
    for head in heads:
        if head.public_key not in trust:
            raise ChainBrokenError(
                f"the head at entry {head.seq} is signed with {head.public_key[:16]}…, which no key that you trust "
                "handed over to: get that key from its holder, and why it changed from `xinglin audit key list`"
            )
        if head.seq >= ends.get(head.public_key, head.seq + 1):
            raise ChainBrokenError(f"the head at entry {head.seq} is signed with a key that had ended before")
        check_head(head)
        found.append(head.noted())
    return found


def check_head(head: SignedHead) -> None:
    """Check one head's signature under the public key that it names; whether to trust that key is another matter.

    Raises:
        ChainBrokenError: it is false.
    """
    what = _digest(head.seq, head.hash, head.root, head.time)
    signature = {
        "algorithm": ALGORITHM,
        "context": CONTEXT,
        "digest": what,
        "public_key": head.public_key,
        "signature": head.signature,
    }
    try:
        check_signature(signature, what, CONTEXT, head.public_key)
    except InvalidInputError as error:
        raise ChainBrokenError(f"the head at entry {head.seq} was not signed as it stands: {error}") from None


def hashes(connection: Connection, last: int) -> list[str]:
    """Return the hashes of the first entries, as they lie in the store."""
    query = select(ledger.c.hash).where(ledger.c.seq <= last).order_by(ledger.c.seq)
    return list(connection.execute(query).scalars())


def _digest(seq: int, hash_: str, root: str, time: str) -> str:
    body = {"hash": hash_, "root": root, "seq": seq, "time": time}
    return digest(canonical_json(body))
