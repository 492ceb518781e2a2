"""One run over a changing number of processes: who takes which part of a batch, and what a lost worker looks like.

A run's batch is cut into **shards**, their number fixed for the whole run; a shard's examples and random numbers
follow from (seed, step, shard) alone. Each process takes the shards ``index, index + processes, ...`` one after the
other and adds up their gradients, so that a run which shrinks from two workers to one goes on with the same batches
and the same order, only slower. What may differ is the order in which floating-point sums are taken.

``torchrun`` (torch elastic) watches the workers, meets again with those that are left and starts the command anew;
the loop then goes on from the last saved state.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import distributed

from xinglin.errors import ConfigurationError, TrainingError
from xinglin.model.saving import heal
from xinglin.train.options import MOST_SHARDS

STATE = "state.json"
_LOST = ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer", "Broken pipe")
"""Backends report a lost peer as a plain RuntimeError, whose text alone tells it."""


def world() -> int:
    """Return the number of processes that the launcher (``torchrun``, ``accelerate launch``) started; 1 without one.

    Raises:
        ConfigurationError: ``WORLD_SIZE`` is no number above 0.
    """
    given = os.environ.get("WORLD_SIZE", "1")
    if not given.isdecimal() or int(given) < 1:
        raise ConfigurationError(f"WORLD_SIZE: expected the number of processes, got {given[:40]!r}")
    return int(given)


def fixed_shards(asked: int | None, state: Path | None) -> int:
    """Return into how many shards a run cuts its batch: as asked, else as it did before, else one a process.

    Args:
        asked: number of shards; ``None``: not said.
        state: folder of the resumable state. A damaged one is left for the loop to name.
    """
    if asked is not None:
        return asked
    if state is not None:
        heal(state)
        saved = _saved(state, "shards")
        if isinstance(saved, int) and 0 < saved <= MOST_SHARDS:
            return saved
    return world()


def _saved(state: Path, key: str) -> object:
    """Return a value of the saved state; ``None`` where there is none that can be read."""
    try:
        found: object = json.loads((state / STATE).read_text(encoding="utf-8"))[key]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found


def own_shards(shards: int, process: int, processes: int) -> list[int]:
    """Return the shards of one process; empty where there are more processes than shards."""
    return list(range(process, shards, processes))


def require_same(accelerator: Accelerator, step: int, digest: str, folder: Path) -> None:
    """Check that all processes would go on from the same step of the same run.

    Raises:
        TrainingError: they would not: hosts without a shared folder, or with other data.
    """
    if accelerator.num_processes == 1:
        return
    mine = torch.tensor([step, int(digest[:12], 16)], dtype=torch.int64, device=accelerator.device)
    seen = accelerator.gather(mine).reshape(-1, 2)
    if bool((seen[:, 1] != seen[0, 1]).any()):
        raise TrainingError(
            "the processes hold different settings or data: give every host the same files and the same command"
        )
    if bool((seen[:, 0] != seen[0, 0]).any()):
        steps = ", ".join(str(int(value)) for value in seen[:, 0])
        raise TrainingError(
            f"{folder}: the processes see states of different steps ({steps}): "
            "put --out on a file system that all hosts share"
        )


def writer_of(state: Path) -> str | None:
    """Return who wrote the saved state last; ``None`` where there is none that can be read."""
    found = _saved(state, "writer")
    return found if isinstance(found, str) else None


def require_turn(state: Path, known: Collection[str | None]) -> None:
    """Check before saving that nobody else has saved meanwhile: a host cut off from the others may live on.

    Args:
        state: folder of the resumable state.
        known: who wrote the state that this run took up, and this run itself.

    Raises:
        TrainingError: another group of workers has taken the run over.
    """
    if writer_of(state) not in known:
        raise TrainingError(
            f"{state}: another group of workers writes this run; this one stops. Start a run once, "
            "and give hosts time to answer (rendezvous: keep_alive_interval, keep_alive_max_attempt)"
        )


@contextmanager
def lost_worker_named(folder: Path) -> Iterator[None]:
    """Turn a backend's error about a peer that has gone into one that says what happens next.

    Raises:
        TrainingError: another process was lost.
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, distributed.DistError) and not any(word in str(error) for word in _LOST):
            raise
        raise TrainingError(
            f"another worker was lost. The last saved state is intact in {folder}: torchrun --max-restarts goes on "
            "from it by itself with the workers that are left; without it, give the same command again"
        ) from error


def require_one_process(door: str) -> None:
    """Check that a door which writes as it goes was not started by a launcher of several processes.

    Raises:
        ConfigurationError: it was.
    """
    if world() > 1:
        raise ConfigurationError(
            f"{door} runs as one process; got {world()}: start it without torchrun. Its steps, train encoder and "
            "train diagnosis, run on many"
        )
