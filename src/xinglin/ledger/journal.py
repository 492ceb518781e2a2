"""The chain as a file that an auditor takes home: one line a signed head, one line an entry.

After the first line come the heads, each ``head`` and its JSON, then the entries in order, each its hash, a blank and
the canonical JSON that was hashed: ``sha256sum`` over what follows the blank gives the hash. The check needs this
file and a public key; no store, no network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from sqlalchemy import Connection

from xinglin.errors import ChainBrokenError, InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.ledger import audit_keys
from xinglin.ledger.audit_keys import KeyEntry
from xinglin.ledger.chain import entries, said
from xinglin.ledger.heads import SignedHead, check_heads, read_head, signed_heads
from xinglin.ledger.verification import Head, Line, walk

FIRST = b"xinglin-audit-journal 1\n"
MAX_LINE = 1 << 20
"""Bytes; an entry holds digests and counts, never a document."""
_KEY = b'{"action":"' + audit_keys.ACTION.encode() + b'",'


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of a journal established."""

    entries: int
    """Checked one by one."""
    last: Head
    heads: int
    """Signed heads that it agrees with."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What the check of a journal must know before it walks."""

    heads: tuple[SignedHead, ...]
    keys: tuple[KeyEntry, ...]


def write_journal(connection: Connection, stream: BinaryIO) -> int:
    """Write the whole chain with its signed heads; return the number of entries."""
    stream.write(FIRST)
    for head in signed_heads(connection):
        stream.write(b"head " + orjson.dumps(head.as_json()) + b"\n")
    count = 0
    for entry in entries(connection):
        stream.write(entry.hash.encode() + b" " + said(entry) + b"\n")
        count += 1
    return count


def check_journal(
    path: Path,
    *,
    given: Collection[str],
    first: int = 1,
    last: int | None = None,
    heads: Sequence[SignedHead] = (),
) -> Checked:
    """Check a journal against the public keys that the reader trusts.

    Args:
        path: as :func:`write_journal` wrote it, or whatever has been made of it.
        given: public keys, 64 hexadecimal digits each.
        first: number of the first entry to check one by one; the hashes before it are bound by the heads' roots.
        last: number of the last one; ``None``: to the end.
        heads: others that the reader holds, from outside of the file.

    Raises:
        ChainBrokenError: names the first entry or head that does not fit.
        InvalidInputError: not a journal, or there are no such entries.
        MissingDataError: there is no such file.
    """
    found = outline(path)
    marks = check_heads((*found.heads, *heads), found.keys, given)
    before: list[str] = []
    lines = _lines(path)
    if first > 1:
        for line in lines:
            before.append(line.hash)
            if len(before) == first - 1:
                break
        if len(before) < first - 1:
            raise InvalidInputError(f"{path.name}: expected a range within 1 to {len(before)}, got {first}")
    part = lines if last is None else (line for line in lines if line.seq <= last)
    end = walk(part, first=first, before=before, heads=marks, whole=last is None)
    if last is not None and end.seq < last:
        raise ChainBrokenError(f"entry {end.seq + 1} is missing: the journal ends before {last}")
    return Checked(end.seq - first + 1, end, sum(mark.seq <= end.seq for mark in marks))


def outline(path: Path) -> Outline:
    """Return a journal's signed heads and the keys that it announces, unchecked."""
    heads, keys = [], []
    for kind, content in _content(path):
        if kind == b"head":
            heads.append(read_head(_json(content, path)))
        elif content.startswith(_KEY):
            value = _json(content, path)
            keys.append(audit_keys.key_entry(value["seq"], value["detail"]))
    return Outline(tuple(heads), tuple(keys))


def _lines(path: Path) -> Iterator[Line]:
    loads, sha256 = orjson.loads, hashlib.sha256
    for kind, content in _content(path):
        if kind == b"head":
            continue
        value = loads(content) if content[:1] == b"{" else {}
        try:
            yield Line(
                value["seq"],
                value["previous"],
                value["time"],
                value["action"],
                sha256(content).hexdigest(),
                kind.decode(),
            )
        except (KeyError, TypeError):
            raise InvalidInputError(f"{path.name}: expected an entry, got {content[:60]!r}") from None


def _content(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield the first word and the rest of each line."""
    if not path.is_file():
        raise MissingDataError(f"there is no journal {path}")
    with path.open("rb") as stream:
        if stream.readline(len(FIRST) + 1) != FIRST:
            raise InvalidInputError(
                f"{path.name}: expected a journal of the audit chain, written by audit export"
            )
        number = 1
        while line := stream.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise InputTooLargeError(f"{path.name}, line {number}: longer than {MAX_LINE} bytes")
            kind, blank, content = line.rstrip(b"\n").partition(b" ")
            if not blank or (kind != b"head" and len(kind) != 64):
                raise InvalidInputError(f"{path.name}, line {number}: expected a head or an entry")
            yield kind, content


def _json(content: bytes, path: Path) -> dict[str, Any]:
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise InvalidInputError(f"{path.name}: expected JSON, got {content[:60]!r}")
    return value
