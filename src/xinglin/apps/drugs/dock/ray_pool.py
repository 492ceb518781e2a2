"""Docking on many machines: the same engine in Ray actors, one a core of the cluster (Moritz et al. 2018)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from xinglin.apps.drugs.dock.engine import Answer, Engine
from xinglin.apps.drugs.dock.ligand import LigandForm
from xinglin.apps.drugs.dock.options import DockOptions
from xinglin.apps.drugs.target.target import Target
from xinglin.errors import DockingError, MissingExtraError

GRACE = 300.0
"""Seconds that an actor may take to start and compute its maps, on top of a ligand's time."""


class RayPool:
    """Actors that dock into one target; use it in a ``with`` statement.

    Args:
        target: receptor and box.
        options: of docking.
        address: of a Ray cluster, ``auto`` for the one this machine belongs to, ``local`` for one on this machine.
        workers: actors; ``None``: one a CPU of the cluster.
    """

    def __init__(
        self, target: Target, options: DockOptions, address: str = "auto", workers: int | None = None
    ) -> None:
        try:
            import ray
        except ImportError as error:
            raise MissingExtraError("xinglin drugs dock --ray", "drugs") from error
        self._ray, self._options = ray, options
        try:
            ray.init(address=address, log_to_driver=False, configure_logging=False, include_dashboard=False
                     if address == "local" else None)  # fmt: skip
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise DockingError(f"no Ray cluster at {address}: {str(error).splitlines()[0][:160]}") from error
        cluster: Any = ray
        self._receptor, self._box = ray.put(target.receptor), target.box
        self._count = workers or max(1, int(cluster.cluster_resources().get("CPU", 1)))
        self._actors: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ray.shutdown()

    def run(self, forms: Sequence[LigandForm], /) -> Iterator[tuple[int, Answer]]:
        """Yield (index, answer) in the order in which ligands are done; an actor that dies is replaced.

        Raises:
            DockingError: Vina refuses the receptor.
        """
        waiting = deque(range(len(forms)))
        idle = [*self._actors]
        while len(self._actors) < min(self._count, len(forms)):
            idle.append(self._start())
        running: dict[Any, tuple[Any, int, float]] = {}
        while waiting or running:
            while waiting and idle:
                actor, index = idle.pop(), waiting.popleft()
                running[actor.dock.remote(forms[index])] = (actor, index, time.monotonic())
            nearest = min(since for _, _, since in running.values()) + self._options.timeout + GRACE
            done, _ = self._ray.wait(list(running), timeout=max(0.1, nearest - time.monotonic()))
            for reference in done:
                actor, index, since = running.pop(reference)
                try:
                    answer = self._ray.get(reference)
                    idle.append(actor)
                except self._ray.exceptions.RayTaskError as error:
                    raise DockingError(str(error.cause)) from error
                except self._ray.exceptions.RayActorError as error:
                    self._actors.remove(actor)
                    idle.append(self._start())
                    said = f"the docking process ended: {str(error).splitlines()[0][:120]}"
                    answer = Answer(None, None, time.monotonic() - since, (), said)
                yield index, answer
            for reference, (actor, index, since) in list(running.items()):
                if time.monotonic() - since > self._options.timeout + GRACE:
                    del running[reference]
                    self._ray.kill(actor)
                    self._actors.remove(actor)
                    idle.append(self._start())
                    yield (
                        index,
                        Answer(
                            None,
                            None,
                            time.monotonic() - since,
                            (),
                            f"given up after {self._options.timeout:g} s",
                        ),
                    )

    def _start(self) -> Any:
        actor = self._ray.remote(num_cpus=1)(Engine).remote(self._receptor, self._box, self._options)
        self._actors.append(actor)
        return actor
