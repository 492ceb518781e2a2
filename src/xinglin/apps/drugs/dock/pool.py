"""Docking on all cores: a process a core, each with the receptor's maps, and a clock beside every ligand."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Protocol, Self

from xinglin.apps.drugs.dock.engine import Answer
from xinglin.apps.drugs.dock.ligand import LigandForm
from xinglin.apps.drugs.dock.options import DockOptions
from xinglin.apps.drugs.dock.worker import serve
from xinglin.apps.drugs.target.target import Target
from xinglin.errors import DockingError

START = 300.0
"""Seconds that a worker may take to load and compute its maps."""


class Dockers(Protocol):
    """Whatever docks many ligands: processes of this machine, or of many."""

    def run(self, forms: Sequence[LigandForm], /) -> Iterator[tuple[int, Answer]]:
        """Yield (index, answer) in the order in which ligands are done."""
        ...  # pragma: no cover


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    since: float
    job: int | None = None
    ready: bool = False


class Pool:
    """Processes that dock into one target; use it in a ``with`` statement.

    Args:
        target: receptor and box.
        options: of docking.
        workers: processes; ``None``: one a core that this process may use.
    """

    def __init__(self, target: Target, options: DockOptions, workers: int | None = None) -> None:
        self._target, self._options = target, options
        self._count = workers or len(os.sched_getaffinity(0))
        self._workers: list[_Worker] = []
        self._context = multiprocessing.get_context("spawn")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers:
            self._end(worker)
        self._workers.clear()

    def run(self, forms: Sequence[LigandForm], /) -> Iterator[tuple[int, Answer]]:
        """Yield (index, answer) in the order in which ligands are done.

        Raises:
            DockingError: no worker can be started, e.g. since Vina refuses the receptor.
        """
        waiting = deque(range(len(forms)))
        left = len(forms)
        self._drop_stale()
        while left:
            while len(self._workers) < min(self._count, left):
                self._workers.append(self._start())
            self._hand_out(waiting, forms)
            for worker, answer in self._answers():
                if worker.job is not None:
                    job, worker.job = worker.job, None
                    left -= 1
                    yield job, answer

    def _hand_out(self, waiting: deque[int], forms: Sequence[LigandForm]) -> None:
        """Give each idle worker a ligand; one that died meanwhile gets none and the ligand waits on."""
        for worker in [worker for worker in self._workers if worker.ready and worker.job is None]:
            if not waiting:
                return
            try:
                worker.pipe.send(forms[waiting[0]])
            except OSError:
                self._end(worker)
                self._workers.remove(worker)
                continue
            worker.job, worker.since = waiting.popleft(), time.monotonic()

    def _drop_stale(self) -> None:
        """End workers that are dead, or still at a ligand of a run that was interrupted: its answer is not ours."""
        for worker in self._workers:
            if worker.job is not None or not worker.process.is_alive():
                self._end(worker)
        self._workers = [
            worker for worker in self._workers if worker.job is None and worker.process.is_alive()
        ]

    def _answers(self) -> Iterator[tuple[_Worker, Answer]]:
        """Wait until a worker answers, dies or runs out of time."""
        now = time.monotonic()
        busy = [worker for worker in self._workers if worker.job is not None or not worker.ready]
        nearest = min((self._deadline(worker) for worker in busy), default=now)
        spoken = set(wait([worker.pipe for worker in busy], timeout=max(0.0, nearest - now)))
        for worker in busy:
            if worker.pipe in spoken:
                yield from self._heard(worker)
            elif time.monotonic() >= self._deadline(worker):
                self._end(worker)
                self._workers.remove(worker)
                if not worker.ready:
                    raise DockingError(
                        f"a docking process was not ready after {START:g} s: is the machine overloaded?"
                    )
                yield (
                    worker,
                    Answer(
                        None, None, self._options.timeout, (), f"given up after {self._options.timeout:g} s"
                    ),
                )

    def _heard(self, worker: _Worker) -> Iterator[tuple[_Worker, Answer]]:
        try:
            said = worker.pipe.recv()
        except (EOFError, OSError):
            self._end(worker)
            self._workers.remove(worker)
            code = worker.process.exitcode
            if not worker.ready:
                raise DockingError(
                    f"a docking process ended with code {code} while it started: is the receptor a rigid PDBQT?"
                ) from None
            spent = time.monotonic() - worker.since
            yield worker, Answer(None, None, spent, (), f"the docking process ended with code {code}")
            return
        if isinstance(said, DockingError):
            raise said
        if isinstance(said, Exception):
            raise DockingError(f"a docking process could not start: {said}")
        if said == "ready":
            worker.ready = True
        else:
            yield worker, said

    def _deadline(self, worker: _Worker) -> float:
        return worker.since + (self._options.timeout if worker.ready else START)

    def _start(self) -> _Worker:
        here, there = self._context.Pipe()
        arguments = (there, self._target.receptor, self._target.box, self._options)
        process = self._context.Process(target=serve, args=arguments, daemon=True)
        process.start()
        there.close()
        return _Worker(process, here, time.monotonic())

    @staticmethod
    def _end(worker: _Worker) -> None:
        worker.pipe.close()
        with suppress(ValueError):
            worker.process.kill()
            worker.process.join(10)
