"""A state in a file, whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from xinglin.errors import CheckpointError, TrainingError
from xinglin.federate.wire import Layout, State, layout


def save_state(state: Mapping[str, NDArray[Any]], path: Path, note: Mapping[str, str] | None = None) -> None:
    """Write a state as safetensors; a reader sees the old file or the new one, never half of one.

    Args:
        note: texts for the file's header.

    Raises:
        TrainingError: the disk is full or refuses; what was there before is still there.
    """
    from safetensors.numpy import save

    layout(state)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(
        path,
        save({name: np.asarray(state[name], order="C") for name in sorted(state)}, dict(note or {})),
    )


def load_state(path: Path, expected: Layout) -> State:
    """Read a state that ``save_state`` wrote.

    Raises:
        CheckpointError: damaged, or not of this model.
    """
    from safetensors.numpy import load

    try:
        state = load(path.read_bytes())
    except (SafetensorError, ValueError):
        raise CheckpointError(
            f"{path.name} is damaged: delete it, and the job's next round begins afresh"
        ) from None
    if layout(state) != expected:
        raise CheckpointError(
            f"{path.name} is of another model: delete it, or run the job under another name"
        )
    return dict(sorted(state.items()))


def save_json(value: Mapping[str, Any], path: Path) -> None:
    """Write JSON, whole or not at all.

    Raises:
        TrainingError: as ``save_state``.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(path, (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode())


def write_whole(path: Path, data: bytes) -> None:
    """Write a file beside its place and move it there.

    Raises:
        TrainingError: as ``save_state``.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        with new.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(new, path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise TrainingError(
            f"cannot write {path.name} ({len(data)} bytes): {error.strerror}; free some space and run it again"
        ) from error
