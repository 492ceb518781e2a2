"""Studies that are open in the workbench: in memory only, each for the user who brought it, within bounds."""

from __future__ import annotations

import secrets
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.imaging.grey import PRESETS, Window, own_window
from xinglin.apps.imaging.marks import Mark
from xinglin.apps.imaging.orient import standing
from xinglin.apps.imaging.resample import upright
from xinglin.errors import BusyError, InvalidInputError, UnknownNameError
from xinglin.records.volumes.scan import Scan
from xinglin.records.volumes.unpack import Placing

MOST = 4
"""Studies of one user; the one longest unseen makes room."""
MAX_BYTES = 3 * 1024**3
"""Of all studies of all users."""
LIFETIME = 2 * 3600.0
"""Seconds unseen after which a study is closed."""
MAX_UPLOAD = 2 * 1024**3
"""Bytes of all files of one upload."""
Detector = Callable[[Scan], Sequence[Mark]]


@dataclass(eq=False)
class Study:
    """One scan on a desk, in patient order and with perpendicular axes."""

    key: str
    user: str
    name: str
    """What the user calls it: a file's name, or the number of a series."""
    scan: Scan
    marks: tuple[Mark, ...]
    """Best first."""
    heat: NDArray[np.float32] | None
    """(z, y, x) of the scan's own grid, 0 to 1; ``None`` if there is none."""
    detected: bool
    """Whether a detector looked at it: no marks without one says nothing."""
    own: Window
    seen: float = field(default_factory=time.monotonic)

    @property
    def window(self) -> Window:
        """The window it opens with."""
        return PRESETS["lung"][1] if self.scan.modality == "CT" else self.own


@dataclass(eq=False)
class Upload:
    """Files on their way in: in a folder that goes when they have been read, or with the process."""

    user: str
    folder: tempfile.TemporaryDirectory[str]
    placing: Placing
    bytes: int = 0


class Studies:
    """What is open, and what is being brought in; safe to use from several threads."""

    def __init__(self, detector: Detector | None = None) -> None:
        self.detector = detector
        """Marks a scan; ``None`` while no detector is loaded."""
        self._lock = threading.Lock()
        self._studies: OrderedDict[str, Study] = OrderedDict()
        self._uploads: dict[str, Upload] = {}

    def open(
        self, user: str, name: str, scan: Scan, marks: Sequence[Mark] | None = None, heat: Any = None
    ) -> Study:
        """Put a scan on a user's desk.

        Args:
            user: who may see it.
            name: what to call it.
            scan: as it was read; a tilted one is made upright.
            marks: what a detector found; ``None`` asks the loaded one, if it is a CT.
            heat: the detector's map on the scan's own grid (z, y, x), 0 to 1; only for a scan that is upright as read.

        Raises:
            InvalidInputError: a mark of another frame of reference, or a map of another shape.
            BusyError: the open studies of all users fill the memory set aside for them.
        """
        if marks is None and self.detector is not None and scan.modality == "CT":
            marks = self.detector(scan)
        if any(mark.point.frame != scan.frame for mark in marks or ()):
            raise InvalidInputError("a finding of another frame of reference than the scan")
        if heat is not None and (heat.shape != scan.array.shape or not scan.orthogonal):
            raise InvalidInputError("the map is not on the scan's own grid")
        shown = standing(upright(scan))
        if heat is not None:
            heat = standing(Scan(np.asarray(heat, np.float32), scan.affine, None, scan.frame)).array
        ranked = sorted(marks or (), key=lambda mark: -(mark.score or 0.0))
        study = Study(
            secrets.token_urlsafe(16),
            user,
            name,
            shown,
            tuple(ranked),
            heat,
            marks is not None,
            own_window(shown),
        )
        with self._lock:
            self._expire()
            own = [key for key, held in self._studies.items() if held.user == user]
            for key in own[: max(0, len(own) - MOST + 1)]:
                del self._studies[key]
            taken = sum(held.scan.array.nbytes for held in self._studies.values())
            if taken + shown.array.nbytes > MAX_BYTES:
                raise BusyError(
                    "the open studies fill the memory set aside for them: close one, or try later"
                )
            self._studies[study.key] = study
        return study

    def get(self, key: str, user: str) -> Study:
        """Return an open study.

        Raises:
            UnknownNameError: it is not open, or not this user's.
        """
        with self._lock:
            self._expire()
            study = self._studies.get(key)
            if study is None or study.user != user:
                raise UnknownNameError(
                    "影像已关闭,请重新打开。This study is not open any more: open it again."
                )
            study.seen = time.monotonic()
            self._studies.move_to_end(key)
            return study

    def of(self, user: str) -> list[Study]:
        """Return a user's open studies, the last seen first."""
        with self._lock:
            self._expire()
            return [study for study in reversed(self._studies.values()) if study.user == user]

    def close(self, key: str, user: str) -> None:
        """Close a study; nothing of it is kept."""
        study = self.get(key, user)
        with self._lock:
            self._studies.pop(study.key, None)

    def begin(self, user: str) -> str:
        """Begin an upload and return its key; an upload of the same user that was not finished is dropped."""
        with self._lock:
            for key in [key for key, held in self._uploads.items() if held.user == user][:-3]:
                self._uploads.pop(key).folder.cleanup()
            key = secrets.token_urlsafe(16)
            folder = tempfile.TemporaryDirectory(prefix="xinglin-imaging-")
            self._uploads[key] = Upload(user, folder, Placing(Path(folder.name)))
            return key

    def upload(self, key: str, user: str) -> Upload:
        """Return an upload that was begun.

        Raises:
            UnknownNameError: it was not, or by another user.
        """
        with self._lock:
            held = self._uploads.get(key)
        if held is None or held.user != user:
            raise UnknownNameError("no such upload: reload the page")
        return held

    def end(self, key: str, user: str) -> None:
        """Delete the files of an upload."""
        held = self.upload(key, user)
        with self._lock:
            self._uploads.pop(key, None)
        held.folder.cleanup()

    def _expire(self) -> None:
        old = time.monotonic() - LIFETIME
        for key in [key for key, study in self._studies.items() if study.seen < old]:
            del self._studies[key]
