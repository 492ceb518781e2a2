"""HL7 version 2 messages (ORU^R01 results, ADT) in files: single, one behind another, or in a batch.

Segments and tables by number as in HL7 v2.5.1, chapters 2, 3, 6 and 7: MSH, PID, PV1, OBR, OBX, NTE, DG1, AL1.
FHS, BHS, BTS, FTS and the frame bytes of MLLP are taken off. A message is a record; its id is the sender's
application, facility and control id (MSH-3, -4, -10), which the standard makes unique together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingExtraError, XinglinError
from xinglin.records.hl7_message import record_from_message
from xinglin.records.lines import encoding_of
from xinglin.records.readers.protocol import AtPath, Item, Unit, files, foreign

SUFFIXES = (".hl7", ".hl7v2", ".oru", ".adt")
MAX_MESSAGE = 16 * 1024 * 1024
MAX_SEGMENTS = 20_000
MAX_PARTS = 200_000
BLOCK = 65_536
_FRAME = b"\x0b\x1c"
_ENVELOPE = (b"FHS", b"BHS", b"BTS", b"FTS")
_BREAK = re.compile(rb"[\r\n]+")


@dataclass(frozen=True, slots=True)
class Hl7Files(AtPath):
    """Files of messages."""

    resumes: ClassVar[bool] = True

    @property
    def settings(self) -> str:
        """Nothing to set."""
        return ""

    def units(self) -> Iterator[Unit]:
        """Yield the files."""
        return files(self.path, SUFFIXES)

    def items(self, unit: Unit, start: int) -> Iterator[Item]:
        """Yield the messages.

        Raises:
            InvalidInputError: no message in the file, or text that is neither UTF-8 nor GB18030.
            MissingExtraError: ``hl7`` is not installed.
        """
        try:
            import hl7
        except ModuleNotFoundError as error:
            raise MissingExtraError("Reading HL7 v2", "records") from error
        encoding, mark = encoding_of(unit.path, BLOCK)
        number = 0
        for number, message in enumerate(_messages(unit.path, mark), start=1):
            if number <= start:
                continue
            place = f"message {number}"
            try:
                yield Item(place, record_from_message(_parsed(hl7, message, encoding)), encoding=encoding)
            except XinglinError as error:
                yield Item(place, problem=str(error), encoding=encoding)
        if number == 0:
            raise InvalidInputError("expected HL7 v2 messages, there is no line that begins with MSH")


def _parsed(hl7: Any, message: list[bytes] | None, encoding: str) -> Any:
    if message is None:
        raise InputTooLargeError(
            f"a message: at most {MAX_MESSAGE // 2**20} MiB and {MAX_SEGMENTS:,} segments"
        )
    if not message[0].startswith(b"MSH"):
        raise InvalidInputError("segments that stand before the first MSH belong to no message")
    try:
        text = b"\r".join(message).decode(encoding)
    except UnicodeDecodeError as error:
        raise InvalidInputError(
            f"expected {encoding.upper()}, byte {error.start} of the message is not"
        ) from None
    if "\0" in text:
        raise InvalidInputError("NUL is not a character of a message")
    if sum(map(text.count, set(text[3:8]))) > MAX_PARTS:
        raise InputTooLargeError(f"a message: at most {MAX_PARTS:,} fields and components")
    try:
        return hl7.parse(text)
    except Exception as error:
        raise foreign(error, "not an HL7 v2 message") from None


def _messages(path: Path, mark: int) -> Iterator[list[bytes] | None]:
    """The segments of each message; ``None`` for one that is too large."""
    message: list[bytes] = []
    size = 0
    for segment in _segments(path, mark):
        if segment.startswith(_ENVELOPE):
            continue
        if segment.startswith(b"MSH"):
            if message:
                yield message if size <= MAX_MESSAGE and len(message) <= MAX_SEGMENTS else None
            message, size = [], 0
        size += len(segment)
        if size <= MAX_MESSAGE and len(message) <= MAX_SEGMENTS:
            message.append(segment)
    if message:
        yield message if size <= MAX_MESSAGE and len(message) <= MAX_SEGMENTS else None


def _segments(path: Path, mark: int) -> Iterator[bytes]:
    """The segments, whatever ends them: CR as the standard says, or LF, or both."""
    rest = b""
    with path.open("rb") as stream:
        stream.seek(mark)
        while block := stream.read(BLOCK):
            parts = _BREAK.split(rest + block)
            rest = parts.pop()
            if len(rest) > MAX_MESSAGE:
                raise InputTooLargeError(f"a segment: at most {MAX_MESSAGE // 2**20} MiB")
            yield from (part for raw in parts if (part := raw.strip(_FRAME)))
    if last := rest.strip(_FRAME):
        yield last
