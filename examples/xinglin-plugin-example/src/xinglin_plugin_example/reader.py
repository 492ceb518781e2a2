"""Cards: a text file of blocks divided by blank lines; ``id:`` and ``subject:`` first, the note below.

id: 7
subject: p3
胸痛3天,伴出汗。
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from xinglin.errors import InputTooLargeError
from xinglin.records.encoding import decode
from xinglin.records.readers.protocol import Item, Unit, files
from xinglin.types import Record

MAX_FILE = 8 * 1024 * 1024


@dataclass(frozen=True)
class Cards:
    """A file of cards, or a folder of such files (``.cards``, ``.txt``)."""

    path: Path
    xinglin_api: ClassVar[int] = 1
    resumes: ClassVar[bool] = True
    settings: ClassVar[str] = ""

    @property
    def source(self) -> str:
        """The path, as the store keeps it."""
        return str(self.path.resolve())

    def units(self) -> Iterator[Unit]:
        """Yield the files in the order of their names."""
        return files(self.path, (".cards", ".txt"))

    def items(self, unit: Unit, start: int) -> Iterator[Item]:
        """Yield each card as a record, or as a problem that goes to the quarantine."""
        if unit.path.stat().st_size > MAX_FILE:
            raise InputTooLargeError(f"expected at most {MAX_FILE} bytes of cards")
        text, encoding = decode(unit.path.read_bytes())
        blocks = [block for block in text.replace("\r\n", "\n").split("\n\n") if block.strip()]
        for number, block in enumerate(blocks[start:], start + 1):
            yield _card(block.strip("\n"), f"card {number}", encoding)


def _card(block: str, place: str, encoding: str) -> Item:
    head: dict[str, str] = {}
    lines = block.split("\n")
    while lines and lines[0].partition(":")[0] in ("id", "subject"):
        key, _, value = lines.pop(0).partition(":")
        head[key] = value.strip()
    note = "\n".join(lines).strip()
    if not head.get("id") or not note:
        return Item(place, problem="expected an id and a note", encoding=encoding)
    return Item(place, Record(head["id"], head.get("subject") or None, note), encoding=encoding)
