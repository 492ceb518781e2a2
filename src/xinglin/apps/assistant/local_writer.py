"""A causal language model of ``transformers`` from a folder: requests that come together are decoded together.

One worker thread owns the model. It takes what waits, up to ``largest`` requests, and decodes them as one left-padded
batch, each row with its own temperature, seed, length and stop strings; a row that ends or is cancelled costs nothing
more than its place. Requests that come meanwhile make the next batch (static batching; continuous batching is vLLM's, by
URL). Out of memory, the batch is halved and done again, and the answer says so.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xinglin.apps.assistant.writer import Sampling
from xinglin.errors import BusyError, InputTooLargeError
from xinglin.model.decoder.chat import prompt_text
from xinglin.model.decoder.opening import context_of, open_decoder

LARGEST = 8
"""Most requests of one batch."""
WAITING = 64
"""Most requests that wait."""
PATIENCE = 600.0
"""Seconds for the next piece: beyond any batch, so only a dead worker reaches it."""
SMALLER = "显存不足,批量已减为{size} Out of memory: the batch was reduced to {size}."


@dataclass(eq=False)
class _Job:
    ids: list[int]
    sampling: Sampling
    pieces: queue.SimpleQueue[str | Exception | None] = field(default_factory=queue.SimpleQueue)
    cancelled: bool = False
    text: str = ""
    """What was decoded so far."""
    sent: int = 0
    """Characters of it that were handed out."""
    made: list[int] = field(default_factory=list)


class LocalWriter:
    """A causal language model; safe to share between threads, and to close twice."""

    def __init__(
        self, model: Any, tokenizer: Any, name: str, *, largest: int = LARGEST, waiting: int = WAITING
    ) -> None:
        self._model, self._tokenizer, self.name = model, tokenizer, name
        self.largest, self.waiting = largest, waiting
        self.batches: list[int] = []
        """Size of each batch run so far."""
        self._queue: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._notes: list[str] = []
        self._closed = False
        self._worker: threading.Thread | None = None

    @staticmethod
    def load(folder: Path, *, device: str = "cpu", largest: int = LARGEST) -> LocalWriter:
        """Load a model folder; no code of the folder is run and no pickle read.

        Raises:
            MissingExtraError: torch or transformers is not installed.
            MissingDataError, CheckpointError: as :func:`xinglin.model.decoder.open_decoder`.
        """
        opened = open_decoder(folder, device=device)
        return LocalWriter(opened.model, opened.tokenizer, folder.name, largest=largest)

    @property
    def context(self) -> int:
        """Tokens that the model can see."""
        return context_of(self._model)

    def write(self, messages: Sequence[Mapping[str, str]], sampling: Sampling) -> Iterator[str]:
        """Yield a draft in pieces; closing the iterator takes the request out of its batch.

        Raises:
            InputTooLargeError: prompt and wanted tokens do not fit the context.
            BusyError: too many requests wait, or the model is closed.
        """
        job = _Job(self._ids(messages), sampling.bounded())
        room = self.context - len(job.ids)
        if room < 16:
            raise InputTooLargeError(
                f"the conversation and its evidence take {len(job.ids)} tokens; the model sees {self.context}: "
                "对话过长,请缩短 shorten the conversation"
            )
        with self._changed:
            if self._closed:
                raise BusyError("the model is stopping: ask again when it is back")
            if len(self._queue) >= self.waiting:
                raise BusyError(f"{self.waiting} requests wait for the model: ask again in a moment")
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="xinglin-writer", daemon=True)
                self._worker.start()
            self._queue.append(job)
            self._changed.notify()
        return self._pieces(job)

    def notes(self) -> tuple[str, ...]:
        """Return what happened since last asked."""
        with self._changed:
            said, self._notes = tuple(dict.fromkeys(self._notes)), []
        return said

    def close(self) -> None:
        """Take no more requests, finish those that wait, and stop the worker."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._worker is not None:
            self._worker.join()

    def _pieces(self, job: _Job) -> Iterator[str]:
        try:
            while True:
                try:
                    piece = job.pieces.get(timeout=PATIENCE)
                except queue.Empty:
                    raise BusyError("the model does not answer") from None
                if piece is None:
                    return
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            job.cancelled = True

    def _ids(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        text = prompt_text(self._tokenizer, messages)
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _work(self) -> None:
        while batch := self._next():
            self._run(batch)

    def _next(self) -> list[_Job]:
        """Wait for requests; an empty list means that the worker may stop."""
        with self._changed:
            while not self._queue and not self._closed:
                self._changed.wait()
            return [self._queue.popleft() for _ in range(min(len(self._queue), self.largest))]

    def _run(self, batch: list[_Job]) -> None:
        import torch

        from xinglin.apps.assistant.decoding import decode

        batch = [job for job in batch if not job.cancelled]
        if not batch:
            return
        self.batches.append(len(batch))
        try:
            with torch.inference_mode():
                decode(self._model, self._tokenizer, batch, self.context)
        except torch.OutOfMemoryError:
            self._smaller(batch)
        except Exception as error:  # whatever the model raised is the requests' answer, not the worker's end
            for job in batch:
                job.pieces.put(BusyError(f"the model failed ({type(error).__name__})"))
        else:
            for job in batch:
                job.pieces.put(None)

    def _smaller(self, batch: list[_Job]) -> None:
        """Do a batch again in halves; what was already handed out is not handed out twice."""
        if len(batch) == 1:
            batch[0].pieces.put(
                BusyError("out of memory for a single request: shorten it, or use a smaller model")
            )
            return
        half = (len(batch) + 1) // 2
        with self._changed:
            self.largest = min(self.largest, half)
            self._notes.append(SMALLER.format(size=self.largest))
        for job in batch:
            job.made, job.text = [], ""
        self._run(batch[:half])
        self._run(batch[half:])
