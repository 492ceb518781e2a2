"""Studies that are open in the workbench: in memory only, each for the user who brought it, within bounds."""

from __future__ import annotations

import secrets
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from xinglin.apps.imaging.grey import PRESETS, Window, own_window
from xinglin.apps.imaging.marks import Mark
from xinglin.apps.imaging.orient import standing
from xinglin.apps.imaging.remember import first, told
from xinglin.apps.imaging.resample import upright
from xinglin.apps.imaging.search import Searcher
from xinglin.errors import BusyError, InvalidInputError, UnknownNameError
from xinglin.records.volumes.scan import Scan
from xinglin.records.volumes.unpack import Placing
from xinglin.serve.workbench.imaging_search import Search
from xinglin.store import Store

MOST = 4
"""Studies of one user; the one longest unseen makes room."""
MAX_BYTES = 3 * 1024**3
"""Of all studies of all users."""
LIFETIME = 2 * 3600.0
"""Seconds unseen after which a study is closed."""
MAX_UPLOAD = 2 * 1024**3
"""Bytes of all files of one upload."""


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
    heat: Scan | None
    """The detector's map, 0 to 1, on its own grid along the scan's axes; ``None`` if there is none."""
    detected: bool
    """Whether a detector looked at it: no marks without one says nothing."""
    own: Window
    seen: float = field(default_factory=time.monotonic)
    search: Search | None = None
    """The last search that was asked for."""

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

    def __init__(self, searcher: Searcher | None = None, store: Store | None = None) -> None:
        self.searcher = searcher
        """Searches a CT; ``None`` while no detector is loaded."""
        self._store = store
        """Whose ledger notes every search; without one there is none to note it in."""
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        """One search at a time: each takes the processors that it can get."""
        self._studies: OrderedDict[str, Study] = OrderedDict()
        self._uploads: dict[str, Upload] = {}

    def open(
        self,
        user: str,
        name: str,
        scan: Scan,
        marks: Sequence[Mark] | None = None,
        heat: Scan | None = None,
    ) -> Study:
        """Put a scan on a user's desk.

        Args:
            user: who may see it.
            name: what to call it.
            scan: as it was read; a tilted one is made upright.
            marks: what a detector found; ``None``: none has looked at it yet (:meth:`search`).
            heat: the detector's map, 0 to 1, in the scan's frame.

        Raises:
            InvalidInputError: a mark or a map of another frame of reference.
            BusyError: the open studies of all users fill the memory set aside for them.
        """
        frames = {mark.point.frame for mark in marks or ()} | ({heat.frame} if heat is not None else set())
        if frames - {scan.frame}:
            raise InvalidInputError("a finding of another frame of reference than the scan")
        shown = standing(upright(scan))
        study = Study(
            secrets.token_urlsafe(16),
            user,
            name,
            shown,
            tuple(sorted(marks or (), key=lambda mark: -(mark.score or 0.0))),
            None if heat is None else standing(heat),
            marks is not None,
            own_window(shown),
        )
        with self._lock:
            self._expire()
            own = [key for key, held in self._studies.items() if held.user == user]
            for key in own[: max(0, len(own) - MOST + 1)]:
                self._drop(key)
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
            self._drop(study.key)

    def search(self, key: str, user: str) -> Search:
        """Begin a search of a study, or return the one that runs.

        Raises:
            UnknownNameError: the study is not open, or not this user's.
            InvalidInputError: no detector is loaded, or the study is no CT.
        """
        study, searcher = self.get(key, user), self.searcher
        if searcher is None or study.scan.modality != "CT":
            raise InvalidInputError(
                "没有加载检测模型,或不是 CT。No detector is loaded, or the study is no CT: nothing was searched"
            )
        with self._lock:
            if study.search is None or study.search.over:
                study.search = Search(study.scan, searcher, partial(self._found, study, searcher), self._turn)
            return study.search

    def _found(self, study: Study, searcher: Searcher, marks: Sequence[Mark], heat: Scan | None) -> None:
        if self._store is not None:
            with self._store.write() as connection:
                name, detail = study.scan.series or study.scan.frame, told(searcher.algorithm, len(marks))
                first(connection, "imaging.find", name, actor=study.user, detail=detail)
        study.marks, study.heat, study.detected = tuple(marks), heat, True

    def stop(self) -> None:
        """End all searches: the service stops."""
        with self._lock:
            running = [study.search for study in self._studies.values() if study.search is not None]
        for search in running:
            search.cancel()
        for search in running:
            search.wait(5.0)

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
            self._drop(key)

    def _drop(self, key: str) -> None:
        study = self._studies.pop(key, None)
        if study is not None and study.search is not None:
            study.search.cancel()
