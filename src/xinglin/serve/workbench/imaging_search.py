"""One search of a study by the detector: a thread of its own, one at a time, with progress, and it can be ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Literal

from xinglin.apps.imaging.marks import Mark
from xinglin.apps.imaging.measured import measure
from xinglin.apps.imaging.search import Searcher
from xinglin.errors import XinglinError
from xinglin.records.volumes.scan import Scan

log = logging.getLogger("xinglin.serve")
State = Literal["waiting", "running", "done", "cancelled", "failed"]
Finished = Callable[[Sequence[Mark], Scan | None], None]
"""Called in the search's thread with the marks, best first, and the detector's map."""


class _EndedError(Exception):
    """Ends a search from within."""


class Search:
    """A search that was asked for; read its fields from any thread."""

    def __init__(self, scan: Scan, searcher: Searcher, finished: Finished, turn: threading.Lock) -> None:
        self.state: State = "waiting"
        """``waiting`` while another search of this service runs."""
        self.done, self.total = 0, 0
        """Windows."""
        self.problem: str | None = None
        """Why it failed."""
        self._scan, self._searcher, self._finished, self._turn = scan, searcher, finished, turn
        self._ended = threading.Event()
        # A daemon: a service that is stopped does not wait for what nobody will see.
        self._thread = threading.Thread(target=self._run, name="imaging-search", daemon=True)
        self._thread.start()

    @property
    def over(self) -> bool:
        """Whether it has ended, well or not."""
        return self.state not in ("waiting", "running")

    def cancel(self) -> None:
        """Ask it to end; it does at the next window."""
        self._ended.set()

    def wait(self, seconds: float) -> None:
        """Wait until it has ended, at most so long."""
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._turn.acquire(timeout=0.2):
            if self._ended.is_set():
                self.state = "cancelled"
                return
        try:
            self.state = "running"
            self._report(0, 0)
            found = self._searcher.search(self._scan, self._report)
            nodules = measure(self._scan, found.candidates)
            self._report(self.total, self.total)
            self._finished([Mark(one.point, one.score, one.diameter) for one in nodules], found.heat)
            self.state = "done"
        except _EndedError:
            self.state = "cancelled"
        except XinglinError as error:
            self.problem, self.state = str(error), "failed"
        except Exception as error:
            # The message may hold patient data: log the kind only.
            log.error("unexpected %s in a search", type(error).__name__)
            self.problem, self.state = type(error).__name__, "failed"
        finally:
            self._turn.release()

    def _report(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        if self._ended.is_set():
            raise _EndedError
