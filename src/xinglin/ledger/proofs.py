"""Proofs about the chain that fit on a page: an entry is in a signed head; a head continues an earlier one.

A patient, a hospital or an author of an entry keeps such a file and can show it to anyone who trusts the public key,
without the chain, and without seeing anybody else's entries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection

from xinglin.errors import ChainBrokenError, InvalidInputError
from xinglin.ledger import merkle
from xinglin.ledger.chain import entries, said
from xinglin.ledger.heads import SignedHead, check_head, hashes, read_head, signed_heads

ENTRY, CONTINUES = "xinglin-audit-entry-1", "xinglin-audit-continues-1"
MAX_PATH = 64
"""Hashes in a proof: as many as a tree of 2^64 leaves could ask for."""


def prove_entry(connection: Connection, seq: int) -> dict[str, Any]:
    """Return the proof that an entry stands in the newest signed head, as JSON values.

    Raises:
        InvalidInputError: there is no such entry, or it is younger than every signed head.
    """
    head = _newest(connection)
    if not 1 <= seq <= head.seq:
        raise InvalidInputError(
            f"the newest signed head holds entries 1 to {head.seq}, got {seq}: sign a new head"
        )
    entry = next(entries(connection, start=seq, batch=1))
    text = said(entry).decode()
    path = merkle.inclusion_proof(_leaves(connection, head.seq), seq - 1)
    return {"kind": ENTRY, "entry": text, "path": [part.hex() for part in path], "head": head.as_json()}


def prove_continues(connection: Connection, earlier: int) -> dict[str, Any]:
    """Return the proof that the newest signed head continues the one at entry ``earlier``, as JSON values.

    Raises:
        InvalidInputError: no head was signed there.
    """
    head = _newest(connection)
    old = next((one for one in signed_heads(connection) if one.seq == earlier), None)
    if old is None:
        raise InvalidInputError(f"no head was signed at entry {earlier}: see `xinglin audit heads`")
    proof = merkle.consistency_proof(_leaves(connection, head.seq), old.seq)
    return {
        "kind": CONTINUES,
        "earlier": old.as_json(),
        "later": head.as_json(),
        "proof": [part.hex() for part in proof],
    }


def check_proof(proof: Any, public_keys: Collection[str]) -> dict[str, Any]:
    """Check a proof under the public keys that the reader trusts.

    Returns:
        For an entry, what it says; for a continuation, ``{"earlier": seq, "later": seq}``.

    Raises:
        InvalidInputError: not a proof.
        ChainBrokenError: it proves nothing, or is signed by another key.
    """
    kind = proof.get("kind") if isinstance(proof, dict) else None
    if kind == ENTRY:
        return _check_entry(proof, public_keys)
    if kind == CONTINUES:
        return _check_continues(proof, public_keys)
    raise InvalidInputError(f"expected a proof of kind {ENTRY} or {CONTINUES}, got {kind!r}")


def _check_entry(proof: dict[str, Any], public_keys: Collection[str]) -> dict[str, Any]:
    head, path, text = read_head(proof.get("head")), _path(proof.get("path")), proof.get("entry")
    try:
        content = orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError:
        content = None
    if not isinstance(text, str) or not isinstance(content, dict) or not isinstance(content.get("seq"), int):
        raise InvalidInputError("expected the canonical text of an entry")
    _check_signed(head, public_keys)
    data = hashlib.sha256(text.encode()).digest()
    if not merkle.included(data, content["seq"] - 1, head.seq, path, bytes.fromhex(head.root)):
        raise ChainBrokenError(
            f"entry {content['seq']} is not in the signed head at entry {head.seq} as it stands here"
        )
    return content


def _check_continues(proof: dict[str, Any], public_keys: Collection[str]) -> dict[str, Any]:
    earlier, later, path = (
        read_head(proof.get("earlier")),
        read_head(proof.get("later")),
        _path(proof.get("proof")),
    )
    for head in (earlier, later):
        _check_signed(head, public_keys)
    roots = bytes.fromhex(earlier.root), bytes.fromhex(later.root)
    if not merkle.consistent(earlier.seq, later.seq, *roots, path):
        raise ChainBrokenError(
            f"the head at entry {later.seq} does not continue the one at entry {earlier.seq}"
        )
    return {"earlier": earlier.seq, "later": later.seq}


def _check_signed(head: SignedHead, public_keys: Collection[str]) -> None:
    if head.public_key not in public_keys:
        raise ChainBrokenError(
            f"the head at entry {head.seq} is signed with {head.public_key[:16]}…, which is none of the keys given"
        )
    check_head(head)


def _path(value: Any) -> list[bytes]:
    if not isinstance(value, list) or len(value) > MAX_PATH:
        raise InvalidInputError(f"expected a list of at most {MAX_PATH} hashes")
    try:
        path = [bytes.fromhex(part) for part in value]
    except (TypeError, ValueError):
        path = [b""]
    if any(len(part) != hashlib.sha256().digest_size for part in path):
        raise InvalidInputError("expected hashes of 64 hexadecimal digits")
    return path


def _newest(connection: Connection) -> SignedHead:
    heads = signed_heads(connection)
    if not heads:
        raise InvalidInputError("no head has been signed yet: run `xinglin audit sign`")
    return heads[-1]


def _leaves(connection: Connection, last: int) -> Sequence[bytes]:
    return [bytes.fromhex(hash_) for hash_ in hashes(connection, last)]
