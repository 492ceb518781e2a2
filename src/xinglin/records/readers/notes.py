"""Plain notes: a folder of ``.txt`` files, a record each; the file's name without its ending is the record's id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.records.encoding import decode
from xinglin.records.readers.protocol import AtPath, Item, Unit, files
from xinglin.types import Record

MAX_NOTE = 8 * 1024 * 1024
"""Bytes of one note."""


@dataclass(frozen=True, slots=True)
class Notes(AtPath):
    """Files of text."""

    resumes: ClassVar[bool] = True

    @property
    def settings(self) -> str:
        """Nothing to set."""
        return ""

    def units(self) -> Iterator[Unit]:
        """Yield the files."""
        return files(self.path, (".txt",))

    def items(self, unit: Unit, start: int) -> Iterator[Item]:
        """Yield the one record of a file."""
        if start:
            return
        if unit.path.stat().st_size > MAX_NOTE:
            raise InputTooLargeError(f"expected at most {MAX_NOTE // 2**20} MiB in a note")
        text, encoding = decode(unit.path.read_bytes())
        text = text.replace("\r\n", "\n").strip()
        if not text:
            raise InvalidInputError("expected a note, the file is empty")
        name = unit.name[:-4] if unit.name.lower().endswith(".txt") else unit.name
        yield Item("", Record(id=name, text=text), encoding=encoding)
