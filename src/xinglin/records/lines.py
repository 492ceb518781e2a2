"""The lines of a file, plain or gzipped, as bytes of bounded length."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.records.encoding import detect

MAX_EXPANSION = 100
"""Times its size that a gzipped file may grow beyond the first GiB; text stays far below, a bomb reaches 1,000."""
_GIB = 2**30
GZIP = b"\x1f\x8b"


def lines(path: Path, longest: int) -> Iterator[bytes | None]:
    """Yield the lines without their ends (``\\n`` or ``\\r\\n``); ``None`` stands for one that is too long.

    Args:
        path: a file, gzipped if its first bytes say so.
        longest: bytes of a line.

    Raises:
        InvalidInputError: the gzip stream is damaged; lines before the damage have been yielded.
        InputTooLargeError: it expands without measure.
    """
    size = path.stat().st_size
    with path.open("rb") as plain:
        zipped = plain.read(2) == GZIP
        plain.seek(0)
        stream: IO[bytes] = gzip.GzipFile(fileobj=plain) if zipped else plain  # type: ignore[assignment]
        read = 0
        try:
            while line := stream.readline(longest + 2):
                read += len(line)
                if len(line) > longest and not line.endswith(b"\n"):
                    while (rest := stream.readline(longest)) and not rest.endswith(b"\n"):
                        read = _bounded(read + len(rest), size, zipped)
                    yield None
                    continue
                _bounded(read, size, zipped)
                yield line[:-2] if line.endswith(b"\r\n") else line[:-1] if line.endswith(b"\n") else line
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InvalidInputError(
                f"the gzip stream is damaged after {read} bytes ({type(error).__name__}): fetch the file again"
            ) from None


def encoding_of(path: Path, longest: int) -> tuple[str, int]:
    """Return the encoding of a file of lines and the length of its mark; damage further on is not looked at.

    Raises:
        InvalidInputError: neither UTF-8 nor GB18030.
    """

    def readable() -> Iterator[bytes]:
        try:
            yield from (line for line in lines(path, longest) if line is not None)
        except InvalidInputError:
            return

    return detect(readable())


def _bounded(read: int, size: int, zipped: bool) -> int:
    if zipped and read > max(_GIB, MAX_EXPANSION * size):
        raise InputTooLargeError(f"gzip: {size} bytes expand to more than {read}: refused as a bomb")
    return read
