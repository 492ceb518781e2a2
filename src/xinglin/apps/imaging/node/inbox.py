"""Images on the disk until their series is complete: one folder a series, named by a digest, one file an image.

The folder is the state: a node that was killed finds what it had received, and counts the idle time anew.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from xinglin.apps.imaging.node.options import NodeOptions
from xinglin.errors import BusyError, InputTooLargeError, InvalidInputError, MissingExtraError
from xinglin.records.volumes.headers import silent, text_of


@dataclass(slots=True)
class Waiting:
    """A series that is being received."""

    sizes: dict[str, int]
    """Bytes of each file."""
    last: float
    """Monotonic time of the last image."""


@dataclass(eq=False)
class Inbox:
    """The images that were received and not yet worked on. Safe to share between threads."""

    options: NodeOptions
    _waiting: dict[str, Waiting] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        for folder in (self.folder, self.work, self.outbox, self.done):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for stopped in self.work.iterdir():  # by a run that ended in the middle of it
            (self.folder / stopped.name).mkdir(exist_ok=True, mode=0o700)
            for path in stopped.iterdir():
                os.replace(path, self.folder / stopped.name / path.name)
            stopped.rmdir()
        for held in self.folder.iterdir():
            for half in held.glob(".*"):
                half.unlink()
            sizes = {path.name: path.stat().st_size for path in held.glob("*.dcm")}
            self._waiting[held.name] = Waiting(sizes, time.monotonic())

    @property
    def folder(self) -> Path:
        """Of received series."""
        return self.options.spool / "inbox"

    @property
    def work(self) -> Path:
        """Of the series being worked on: what comes meanwhile does not touch it."""
        return self.options.spool / "work"

    @property
    def outbox(self) -> Path:
        """Of results not yet sent."""
        return self.options.spool / "outbox"

    @property
    def done(self) -> Path:
        """Of one small file a series that was worked on: how many images it had."""
        return self.options.spool / "done"

    def keep(self, content: bytes) -> str:
        """Write one image, a whole DICOM file, to the disk.

        Returns:
            The key of its series.

        Raises:
            InvalidInputError: it is no DICOM file, is cut short, or names no series or image.
            InputTooLargeError: larger than a file, or the series than a series, may be.
            BusyError: too many series wait, or the spool is full.
        """
        if len(content) > self.options.max_file:
            raise InputTooLargeError(f"an image: at most {self.options.max_file} bytes")
        series, image = _names(content)
        key, name = _digest(series), f"{_digest(image)}.dcm"
        with self._turn:
            waiting = self._waiting.get(key)
            if waiting is None and len(self._waiting) >= self.options.max_series:
                raise BusyError(f"{self.options.max_series} series wait already")
            if (
                waiting is not None
                and len(waiting.sizes) >= self.options.max_images
                and name not in waiting.sizes
            ):
                raise InputTooLargeError(f"a series: at most {self.options.max_images} images")
            if self.used() + len(content) > self.options.quota:
                raise BusyError("the spool is full")
            if waiting is None:
                waiting = self._waiting[key] = Waiting({}, 0.0)
            waiting.sizes[name] = len(content)
            waiting.last = time.monotonic()
            folder = self.folder / key
            folder.mkdir(exist_ok=True, mode=0o700)
            half = folder / f".{name}"
            half.write_bytes(content)
            os.replace(half, folder / name)
        return key

    def complete(self) -> list[str]:
        """Return the keys of the series to which nothing came for the idle time, oldest first."""
        now = time.monotonic()
        with self._turn:
            ready = [
                (one.last, key) for key, one in self._waiting.items() if now - one.last >= self.options.idle
            ]
        return [key for _, key in sorted(ready)]

    def take(self, key: str) -> tuple[Path, int]:
        """Move a series out of the way of what still comes; returns its folder and how many images it has."""
        with self._turn:
            taken = self._waiting.pop(key)
            os.replace(self.folder / key, self.work / key)
        return self.work / key, len(taken.sizes)

    def drop(self, key: str, count: int | None = None) -> None:
        """Delete a series that was worked on; with a count, note that it was."""
        if count is not None:
            (self.done / key).write_text(str(count))
        shutil.rmtree(self.work / key)

    def earlier(self, key: str) -> int:
        """Return how many images this series had when it was worked on before; 0 if it never was."""
        noted = self.done / key
        return int(noted.read_text()) if noted.is_file() else 0

    def used(self) -> int:
        """Return the bytes of the spool."""
        waiting = sum(sum(one.sizes.values()) for one in self._waiting.values())
        return waiting + _bytes(self.work) + _bytes(self.outbox)


def _bytes(folder: Path) -> int:
    """Of the files two levels below; what another thread takes away meanwhile no longer counts."""
    total = 0
    for path in folder.glob("*/*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def _names(content: bytes) -> tuple[str, str]:
    try:
        import pydicom
    except ModuleNotFoundError as error:
        raise MissingExtraError("A DICOM node", "imaging") from error
    try:
        with silent():
            whole: Any = pydicom.dcmread(BytesIO(content))
            cut = (
                "PixelData" in whole
                and not whole.file_meta.TransferSyntaxUID.is_encapsulated
                and (len(whole.PixelData) < _expected(whole))
            )
    except Exception as error:
        raise InvalidInputError(f"an image cannot be read ({type(error).__name__}): cut short?") from None
    series, image = text_of(whole, "SeriesInstanceUID"), text_of(whole, "SOPInstanceUID")
    if series is None or image is None:
        raise InvalidInputError("an image lacks (0020,000E) SeriesInstanceUID or (0008,0018) SOPInstanceUID")
    if cut:
        raise InvalidInputError("an image's (7FE0,0010) PixelData is shorter than its header says: cut short")
    return series, image


def _expected(header: Any) -> int:
    bits = (
        int(header.Rows)
        * int(header.Columns)
        * int(header.get("SamplesPerPixel", 1))
        * int(header.BitsAllocated)
    )
    return bits * int(header.get("NumberOfFrames") or 1) // 8


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:40]
