"""Texts of requests that run at the same time go through the text model together.

One worker thread takes what waits and runs it as one batch; while it runs, the next batch gathers. It waits for
more only when a batch was shared a moment ago, and then at most ``WINDOW`` seconds, so that a lone request is never
held back. A batch is of texts of like length: a short one beside a long one would be padded to its length, and all
would wait for that (measured: docs/results/realtime.md). The oldest text leads, so none waits for ever. The queue
is bounded: beyond it a request is refused at once (503) instead of waiting for ever.

An INT8 model takes its texts one by one, since its scales would couple them (see :mod:`xinglin.model.runtime`): there
a batch is one text, and each answer goes out as soon as it is ready while the next text runs.

A :class:`Batcher` is a text model itself: the API, CDS Hooks and the workbench all ask it where they would ask the
model, from any thread.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.diagnosis.join import TextModel
from xinglin.errors import BusyError

Row = NDArray[np.float32]

WINDOW = 0.002
"""Seconds for which a batch is kept open while requests come together."""
RECENT = 0.02
"""Seconds after a shared batch for which more requests are taken to be on their way."""
LARGEST = 16
"""Most texts of one batch."""
BUCKETS = (24, 48, 96, 192)
"""Characters at which a new bucket of length begins; the last one is open."""
WAITING = 256
"""Most texts that wait."""
PATIENCE = 60.0
"""Seconds for which a thread waits for its logits: beyond any batch, so only a dead worker reaches it."""


def alike(waiting: Sequence[str], largest: int) -> list[int]:
    """Return places in the queue, oldest first, of the next batch: the oldest text and those of its bucket of length."""
    if not waiting:
        return []
    bucket = bisect_right(BUCKETS, len(waiting[0]))
    same = (i for i, text in enumerate(waiting) if bisect_right(BUCKETS, len(text)) == bucket)
    return list(islice(same, largest))


class Batcher:
    """A text model behind a queue; safe to call from any thread, and to close twice."""

    def __init__(
        self, model: TextModel, *, window: float = WINDOW, largest: int = LARGEST, waiting: int = WAITING
    ) -> None:
        self.model = model
        self.window, self.waiting = window, waiting
        self.largest = 1 if getattr(model, "precision", None) == "int8" else largest
        """Most texts of one run."""
        self.batches = 0
        """Batches run so far."""
        self.texts = 0
        """Texts run so far."""
        self._queue: deque[tuple[str, Future[Row]]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._worker: threading.Thread | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Disease names, one a logit."""
        return self.model.labels

    @property
    def id(self) -> str:
        """The checkpoint's id."""
        return self.model.id

    @property
    def manifest(self) -> dict[str, Any]:
        """The checkpoint's manifest."""
        return self.model.manifest

    @property
    def calibration(self) -> dict[str, Any] | None:
        """Content of ``calibration.json``."""
        return self.model.calibration

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row of logits a text; waits for them.

        Raises:
            BusyError: too many texts wait, or the service is stopping.
        """
        waiting = [self.submit(text) for text in texts]
        return np.array([item.result(PATIENCE) for item in waiting], np.float32).reshape(len(texts), -1)

    def submit(self, text: str) -> Future[Row]:
        """Put a text in the queue; the future gives its logits, or what the model raised for it.

        Raises:
            BusyError: too many texts wait, or the service is stopping.
        """
        future: Future[Row] = Future()
        with self._changed:
            if self._closed:
                raise BusyError("the service is stopping: ask again when it is back")
            if len(self._queue) >= self.waiting:
                raise BusyError(f"{self.waiting} texts wait for the text model: ask again in a moment")
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="xinglin-text-model", daemon=True)
                self._worker.start()
            self._queue.append((text, future))
            self._changed.notify()
        return future

    def close(self) -> None:
        """Take no more texts, finish those that wait, and stop the worker."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._worker is not None:
            self._worker.join()

    def _work(self) -> None:
        together = float("-inf")  # when a batch was last shared
        while batch := self._next(together):
            self._run([item for item in batch if item[1].set_running_or_notify_cancel()])
            if len(batch) > 1:
                together = time.monotonic()

    def _next(self, together: float) -> list[tuple[str, Future[Row]]]:
        """Wait for texts; an empty list means that the worker may stop."""
        with self._changed:
            while not self._queue and not self._closed:
                self._changed.wait()
            opened = time.monotonic()
            if opened - together < RECENT:
                while len(self._queue) < self.largest and not self._closed:
                    left = opened + self.window - time.monotonic()
                    if left <= 0:
                        break
                    self._changed.wait(left)
            places = set(alike([text for text, _ in self._queue], self.largest))
            items = list(self._queue)
            self._queue = deque(item for place, item in enumerate(items) if place not in places)
            return [item for place, item in enumerate(items) if place in places]

    def _run(self, batch: list[tuple[str, Future[Row]]]) -> None:
        if not batch:
            return
        self.batches += 1
        self.texts += len(batch)
        try:
            rows = self.model.logits([text for text, _ in batch])
        except Exception as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            for (
                item
            ) in batch:  # one of them cannot be read: each is asked alone, so that only its own request fails
                self._run([item])
            return
        for (_, future), row in zip(batch, rows, strict=True):
            future.set_result(row)
