"""A data set of the catalogue brought to this machine: from a folder, or from an address that the user gives.

Every byte is counted and hashed on its way. A file has its name only when it is whole and its SHA-256 is right; until
then it is ``.NAME.part``, from which the next try goes on. Nothing is asked of any host that the user did not name,
and a redirect to another host is refused.
"""

from __future__ import annotations

import hashlib
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlsplit

from xinglin.errors import InvalidInputError, MissingDataError, StoreError, XinglinError
from xinglin.records.catalogue import DataSet
from xinglin.records.manifest import ManifestFile

TIMEOUT = 60.0
"""Seconds that a connection may be silent."""
_BLOCK = 256 * 1024
_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")

Progress = Callable[[int], None]


def get_data_set(
    wanted: DataSet, mirror: str, into: Path, *, progress: Progress | None = None
) -> tuple[Path, int]:
    """Bring a set here; what is here already and whole is kept.

    Args:
        wanted: a set of the catalogue.
        mirror: a folder, or an http(s) address, that holds the sets by their ``folder``.
        into: where to put it: ``into/FOLDER/FILES``.
        progress: told of each number of bytes that is done.

    Returns:
        The set's folder and the number of files that were brought.

    Raises:
        MissingDataError: the mirror has not all of it; names the file.
        InvalidInputError: an address that is not http(s), a redirect to another host, a size or SHA-256 that is not
            the catalogue's; what came is deleted.
        StoreError: the connection broke, or the disk refuses; what came is kept for the next try.
    """
    told = progress or (lambda count: None)
    folder = into / wanted.folder
    brought = 0
    for file in wanted.files:
        target = folder.joinpath(*file.path.split("/"))
        if target.is_file() and not target.is_symlink() and _holds(target, file):
            told(file.bytes)
            continue
        _bring(file, f"{wanted.folder}/{file.path}", mirror, target, told)
        brought += 1
    return folder, brought


def is_address(mirror: str) -> bool:
    """Whether a mirror is an address and not a folder."""
    return "://" in mirror


def _holds(path: Path, file: ManifestFile) -> bool:
    if path.stat().st_size != file.bytes:
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256


def _bring(file: ManifestFile, place: str, mirror: str, target: Path, told: Progress) -> None:
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if part.is_symlink() or (part.exists() and part.stat().st_size > file.bytes):
            part.unlink()
        with part.open("ab+") as out:
            out.seek(0)
            digest = hashlib.file_digest(out, "sha256")
            done = out.tell()
            told(done)
            if done < file.bytes or not file.bytes:
                with _source(mirror, place, done) as (stream, start):
                    if start != done:
                        out.truncate(0)
                        digest, done = hashlib.sha256(), 0
                    done = _copy(stream, out, digest, done, file, told)
            out.flush()
            os.fsync(out.fileno())
        if done < file.bytes:
            raise StoreError(
                f"{file.path}: expected {file.bytes} bytes, the mirror stopped after {done}: try again"
            )
        if digest.hexdigest() != file.sha256:
            part.unlink()
            raise InvalidInputError(
                f"{file.path}: expected SHA-256 {file.sha256}, got {digest.hexdigest()}: the mirror holds another file"
            )
        os.replace(part, target)
    except XinglinError:
        raise
    except OSError as error:
        raise StoreError(f"{target}: {error.strerror or error}") from None


def _copy(
    stream: IO[bytes], out: IO[bytes], digest: Any, done: int, file: ManifestFile, told: Progress
) -> int:
    """Copy until the end, never past the size of the catalogue."""
    while True:
        try:
            block = stream.read(_BLOCK)
        except (OSError, HTTPException) as error:
            raise StoreError(
                f"{file.path}: the connection broke after {done} bytes ({error}): try again"
            ) from None
        if not block:
            return done
        if done + len(block) > file.bytes:
            out.truncate(0)
            raise InvalidInputError(
                f"{file.path}: expected {file.bytes} bytes, the mirror sends more: another file"
            )
        out.write(block)
        digest.update(block)
        done += len(block)
        told(len(block))


@contextmanager
def _source(mirror: str, place: str, start: int) -> Iterator[tuple[IO[bytes], int]]:
    """Open a file of the mirror from byte ``start``; yields the stream and where it truly starts."""
    if is_address(mirror):
        with _answer(mirror, place, start) as opened:
            yield opened
        return
    path = Path(mirror).joinpath(*place.split("/"))
    if not path.is_file():
        raise MissingDataError(f"{place} is not in the mirror {mirror}")
    with path.open("rb") as stream:
        stream.seek(start)
        yield stream, start


@contextmanager
def _answer(mirror: str, place: str, start: int) -> Iterator[tuple[IO[bytes], int]]:
    address = f"{mirror.rstrip('/')}/{quote(place)}"
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInputError(
            f"mirror: expected a folder or an http(s) address, got scheme {parts.scheme!r}"
        )
    request = urllib.request.Request(
        address, headers={"Accept-Encoding": "identity", "User-Agent": "xinglin"}
    )
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        answer = urllib.request.build_opener(_SameHost).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 404:
            raise MissingDataError(f"{place} is not in the mirror {mirror}") from None
        raise StoreError(f"{place}: the mirror answers {error.code} {error.reason}") from None
    except (OSError, HTTPException) as error:
        raise StoreError(
            f"the mirror {mirror} cannot be reached: {getattr(error, 'reason', error)}"
        ) from None
    with answer:
        said = _RANGE.fullmatch(answer.headers.get("Content-Range", "")) if answer.status == 206 else None
        if answer.status == 206 and (said is None or int(said.group(1)) != start):
            raise StoreError(f"{place}: the mirror sends another range than the one asked for")
        yield answer, start if said else 0


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows a redirect within the host that the user named, and no other."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Refuse to leave the host, or to leave https."""
        here, there = urlsplit(req.full_url), urlsplit(newurl)
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            raise InvalidInputError(
                f"the mirror redirects to another host ({there.netloc}): give its address yourself"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)
