"""The chain as a file that an auditor takes home: one line a signed head, one line an entry.

After the first line come the heads, each ``head`` and its JSON, then the entries in order, each its hash, a blank and
the canonical JSON that was hashed: ``sha256sum`` over what follows the blank gives the hash. The check needs this
file and a public key; no store, no network.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from sqlalchemy import Connection

from xinglin.errors import ChainBrokenError, InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.ledger import audit_keys
from xinglin.ledger.audit_keys import KeyEntry
from xinglin.ledger.chain import entries, said
from xinglin.ledger.heads import SignedHead, check_heads, read_head, signed_heads
from xinglin.ledger.stretches import EACH, Task, check
from xinglin.ledger.walk import Head, Line

FIRST = b"xinglin-audit-journal 1\n"
MAX_LINE = 1 << 20
"""Bytes; an entry holds digests and counts, never a document."""
LEAST = 180_000_000
"""Bytes from which the start of more processes pays."""
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
    processes: int = 1,
) -> Checked:
    """Check a journal against the public keys that the reader trusts.

    Args:
        path: as :func:`write_journal` wrote it, or whatever has been made of it.
        given: public keys, 64 hexadecimal digits each.
        first: number of the first entry to check one by one; the hashes before it are bound by the heads' roots.
        last: number of the last one; ``None``: to the end.
        heads: others that the reader holds, from outside of the file.
        processes: how many check a whole journal at once where it is long enough; as in ``verification.verify``.

    Raises:
        ChainBrokenError: names the first entry or head that does not fit.
        InvalidInputError: not a journal, or there are no such entries.
        MissingDataError: there is no such file.
    """
    found = outline(path)
    marks = check_heads((*found.heads, *heads), found.keys, given)
    before: list[str] = []
    if first > 1:
        for line in islice(_lines(path), first - 1):
            before.append(line[5])
        if len(before) < first - 1:
            raise InvalidInputError(f"{path.name}: expected a range within 1 to {len(before)}, got {first}")

    def part() -> Iterator[Line]:
        lines = islice(_lines(path), first - 1, None)
        return lines if last is None else (line for line in lines if line[0] <= last)

    end = check(
        part,
        _stretches(path, processes) if first == 1 and last is None else [],
        before=before,
        heads=marks,
        whole=last is None,
        processes=processes,
    )
    if last is not None and end.seq < last:
        raise ChainBrokenError(f"entry {end.seq + 1} is missing: the journal ends before {last}")
    met = sum(mark.seq <= end.seq for mark in marks)
    return Checked(end.seq - first + 1, Head(end.seq, end.hash), met)


def outline(path: Path) -> Outline:
    """Return a journal's signed heads and the keys that it announces, unchecked.

    They are searched for, not read for: a chain of millions announces a handful.

    Raises:
        InvalidInputError, MissingDataError: as :func:`check_journal`.
    """
    heads, keys = [], []
    with _open(path) as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        for content in _found(whole, b"\nhead ", 1, 6):
            heads.append(read_head(_json(content, path)))
        for content in _found(whole, b" " + _KEY, -64, 1):
            value = _json(content, path)
            if not {"seq", "detail"} <= value.keys():
                raise InvalidInputError(f"{path.name}: expected an entry, got {content[:60]!r}")
            keys.append(audit_keys.key_entry(value["seq"], value["detail"]))
    return Outline(tuple(heads), tuple(keys))


def _found(whole: mmap.mmap, mark: bytes, start: int, skip: int) -> Iterator[bytes]:
    """Yield the rest of each line that begins ``start`` bytes after the mark, ``skip`` bytes after the mark."""
    place = whole.find(mark)
    while place >= 0:
        begin, end = place + start, whole.find(b"\n", place + 1)
        if begin > 0 and whole[begin - 1 : begin] == b"\n" and whole.find(b"\n", begin, place) < 0:
            yield whole[place + skip : end if end >= 0 else len(whole)]
        place = whole.find(mark, place + 1)


def _stretches(path: Path, processes: int) -> list[Task]:
    """Return how to read a journal in stretches: from one end of a line to another."""
    size = path.stat().st_size
    if processes < 2 or size < LEAST:
        return []
    bounds = [0]
    with path.open("rb") as stream:
        for number in range(1, EACH * processes):
            stream.seek(size * number // (EACH * processes))
            stream.readline()
            bounds.append(stream.tell())
    return [
        Task(_lines, (path, start, end)) for start, end in pairwise(sorted({*bounds, size})) if start < end
    ]


def _lines(path: Path, start: int = 0, end: int | None = None) -> Iterator[Line]:
    loads, sha256 = orjson.loads, hashlib.sha256
    for kind, content in _content(path, start, end):
        if kind == b"head":
            continue
        try:
            value = loads(content)
            line = (value["seq"], value["previous"], value["time"], value["action"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise InvalidInputError(f"{path.name}: expected an entry, got {content[:60]!r}") from None
        yield *line, sha256(content).hexdigest(), kind.decode("ascii", "replace")


def _content(path: Path, start: int, end: int | None) -> Iterator[tuple[bytes, bytes]]:
    """Yield the first word and the rest of each line between two places of the file."""
    with _open(path) as stream:
        stream.seek(max(start, len(FIRST)))
        left = path.stat().st_size - stream.tell() if end is None else end - stream.tell()
        while left > 0 and (line := stream.readline(MAX_LINE + 1)):
            left -= len(line)
            if len(line) > MAX_LINE:
                raise InputTooLargeError(f"{path.name}: a line is longer than {MAX_LINE} bytes")
            kind, blank, content = line.rstrip(b"\n").partition(b" ")
            if not blank or (kind != b"head" and len(kind) != 64):
                raise InvalidInputError(f"{path.name}: expected a head or an entry, got {line[:60]!r}")
            yield kind, content


def _open(path: Path) -> BinaryIO:
    """Open a journal behind its first line."""
    if not path.is_file():
        raise MissingDataError(f"there is no journal {path}")
    stream = path.open("rb")
    if stream.readline(len(FIRST) + 1) != FIRST:
        stream.close()
        raise InvalidInputError(
            f"{path.name}: expected a journal of the audit chain, written by audit export"
        )
    return stream


def _json(content: bytes, path: Path) -> dict[str, Any]:
    if len(content) > MAX_LINE:
        raise InputTooLargeError(f"{path.name}: a line is longer than {MAX_LINE} bytes")
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise InvalidInputError(f"{path.name}: expected JSON, got {content[:60]!r}")
    return value
