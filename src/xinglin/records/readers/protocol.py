"""What a reader is: it lists the units of a source and reads one unit in order, item by item.

A *unit* is what is opened as one: a file, a folder of tables, a query. An *item* is what becomes one record,
or a problem with its place. Items come in the same order whenever the unit is read, so that a run that was
stopped goes on behind the last item it kept.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from xinglin.errors import InvalidInputError, MissingDataError
from xinglin.types import Record

MAX_RECORD = 32 * 1024 * 1024
"""Bytes of one line, document, row or message."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One piece of a source."""

    name: str
    """Path below the source with ``/``, as it stands in the quarantine."""
    path: Path
    stamp: str = ""
    """Size and time of change; a run that was stopped goes on only if they are the same."""


@dataclass(frozen=True, slots=True)
class Item:
    """One record, or one problem, and where it stands in its unit."""

    place: str
    """``line 7``, ``row 12``, ``message 3``; empty for the unit as a whole."""
    record: Record | None = None
    problem: str | None = None
    encoding: str | None = None
    """Of the text it was read from, where that was detected."""


class Reader(Protocol):
    """A source opened as one format. ``items`` raises a ``XinglinError`` when the rest of a unit is lost."""

    @property
    def resumes(self) -> bool:
        """Whether the order of items is certain; if not, a stopped unit is read again from its beginning."""

    @property
    def settings(self) -> str:
        """What of the reader's options shapes the records, as one text."""

    @property
    def source(self) -> str:
        """The source as the store keeps it: no password."""

    def units(self) -> Iterator[Unit]:
        """Yield the units, always in the same order."""

    def items(self, unit: Unit, start: int) -> Iterator[Item]:
        """Yield the items of a unit behind the first ``start``."""


@dataclass(frozen=True, slots=True)
class AtPath:
    """The part that readers of files share: where they read, told as the store keeps it."""

    path: Path

    @property
    def source(self) -> str:
        """The path."""
        return str(self.path.resolve())


def walk(source: Path) -> Iterator[Unit]:
    """Yield every file of a folder, or the one file, in the order of names; hidden files and links are left out.

    Raises:
        MissingDataError: there is no such file or folder.
    """
    if source.is_file():
        yield _unit(source, source.name)
    elif source.is_dir():
        yield from _below(source, "")
    else:
        raise MissingDataError(f"expected a file or a folder, there is none at {source}")


def files(source: Path, suffixes: tuple[str, ...]) -> Iterator[Unit]:
    """Yield the files with one of these endings (lower case); a file that is named itself needs none."""
    for unit in walk(source):
        if source.is_file() or unit.name.lower().endswith(suffixes):
            yield unit


def whole(source: Path, listed: Iterator[Unit]) -> Iterator[Unit]:
    """Yield a source that is read as one unit, stamped by all its files; nothing if it has none."""
    told, empty = hashlib.sha256(), True
    for unit in listed:
        told.update(f"{unit.name}\0{unit.stamp}\0".encode())
        empty = False
    if not empty:
        yield Unit(source.name, source, told.hexdigest())


def foreign(error: Exception, what: str) -> InvalidInputError:
    """Turn a library's error into ours; its message may hold content, so only its kind is told."""
    return InvalidInputError(f"{what} ({type(error).__name__}): the file is damaged or of another format")


def _below(folder: Path, prefix: str) -> Iterator[Unit]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise MissingDataError(f"the folder {folder} cannot be listed: {error.strerror}") from None
    for entry in entries:
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        if entry.is_dir():
            yield from _below(Path(entry.path), f"{prefix}{entry.name}/")
        elif entry.is_file():
            yield _unit(Path(entry.path), prefix + entry.name)


def _unit(path: Path, name: str) -> Unit:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise MissingDataError(f"expected a plain file, {path} is none")
    # A name may hold bytes that are no text: the store takes text only.
    return Unit(name.encode(errors="replace").decode(), path, f"{found.st_size} {found.st_mtime_ns}")
