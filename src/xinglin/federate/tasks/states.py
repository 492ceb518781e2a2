"""A torch module's weights as a state and back; what comes from outside is checked before it is used."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import nn

from xinglin.errors import InvalidInputError
from xinglin.federate.tasks.protocol import State


def weights_of(module: nn.Module, names: Iterable[str]) -> State:
    """Return copies of the named parameters and buffers, ordered by name."""
    found = module.state_dict()
    return {
        name: found[name]
        .detach()
        .cpu()
        .numpy()
        .astype(np.int64 if not found[name].is_floating_point() else np.float32)
        for name in sorted(names)
    }


def load_weights(module: nn.Module, state: State) -> None:
    """Write a state that ``check_state`` has passed into a module."""
    with torch.no_grad():
        found = module.state_dict()
        for name, array in state.items():
            found[name].copy_(torch.from_numpy(np.array(array)))


def check_state(state: State, expected: State) -> None:
    """Refuse a state that is not of this model.

    Raises:
        InvalidInputError: a name too many or too few, another shape or type, or a number that is not finite.
    """
    if set(state) != set(expected):
        odd = sorted(set(state) ^ set(expected))
        raise InvalidInputError(
            f"state: expected {len(expected)} arrays of this task, got {len(state)}; they differ in {odd[0]!r}: "
            "do all sites run the same version and job?"
        )
    for name, array in state.items():
        like = expected[name]
        if array.shape != like.shape or array.dtype != like.dtype:
            raise InvalidInputError(
                f"state {name!r}: expected {like.dtype} {like.shape}, got {array.dtype} {array.shape}"
            )
        if not np.isfinite(array).all():
            raise InvalidInputError(
                f"state {name!r}: holds numbers that are not finite: leave this update out"
            )
