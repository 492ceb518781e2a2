"""Fake quantisation put into a plain network, and taken out again with the weights on their grid.

Every ``nn.Linear`` but those of router and head feels its weights and its input in 8 bits; the rows of the token embedding
are rounded too, unless the head shares them. Nothing of the network's own code changes: weights are parametrized, inputs
are met by a hook. Experts of one layer share the grids of their inputs: which of them a token meets is decided in float.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from xinglin.errors import InvalidInputError
from xinglin.model.quantisation import ROW_LEVELS, WEIGHT_LEVELS, Grid, stays_float
from xinglin.train.quantize.experts import apart
from xinglin.train.quantize.fake import FakeActivations, FakeWeights

GRIDS, HOOKS = "activation_grids", "activation_hooks"
"""Names under which the observers hang on the network, so that a saved state holds them, and the hooks that ask them."""
_EXPERT = re.compile(r"\.experts\.\d+\.")


@dataclass(frozen=True, slots=True)
class QuantizeOptions:
    """Settings of quantisation-aware training."""

    momentum: float = 0.05
    """Share of a new batch in the moving averages of least and largest activation; a run is some hundred batches."""
    embedding: bool = True
    """Whether the rows of the token embedding are rounded as well."""

    def as_json(self) -> dict[str, Any]:
        """Return the settings as they stand in a manifest."""
        return asdict(self)


def quantised_linears(model: nn.Module) -> dict[str, nn.Linear]:
    """Return the linear layers that are written in 8 bits, by name."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and not stays_float(name)
    }


def insert(model: nn.Module, options: QuantizeOptions | None = None) -> nn.Module:
    """Put fake quantisation into a network, in place; packed experts are taken apart first.

    Raises:
        InvalidInputError: it is quantised already, or has no linear layer that could be.
    """
    options = options or QuantizeOptions()
    if hasattr(model, GRIDS):
        raise InvalidInputError(
            "the network is quantised already: fold it first, or start from the float one"
        )
    apart(model)
    linears = quantised_linears(model)
    if not linears:
        raise InvalidInputError("expected a network with linear layers outside its head; found none")
    grids, hooks = nn.ModuleDict(), []
    for name, layer in linears.items():
        key = _key(name)
        if key not in grids:
            grids[key] = FakeActivations(options.momentum)
        hooks.append(layer.register_forward_pre_hook(_rounding(grids[key])))
        parametrize.register_parametrization(layer, "weight", FakeWeights(WEIGHT_LEVELS))
    if options.embedding:
        for table in _embeddings(model):
            parametrize.register_parametrization(table, "weight", FakeWeights(ROW_LEVELS))
    model.add_module(GRIDS, grids)
    setattr(model, HOOKS, hooks)
    return model


def fold(model: nn.Module) -> dict[str, Grid]:
    """Take fake quantisation out, in place: weights stay on their grid, the grids of the inputs are returned by layer.

    Experts stay apart; :func:`~xinglin.train.quantize.experts.joined` packs a state dict.

    Raises:
        InvalidInputError: nothing was inserted, or an activation was never seen or never varied.
    """
    grids = getattr(model, GRIDS, None)
    if not isinstance(grids, nn.ModuleDict):
        raise InvalidInputError("expected a network with fake quantisation inserted")
    found = {}
    for name in quantised_linears(model):
        observer = grids[_key(name)]
        if not isinstance(observer, FakeActivations):
            raise InvalidInputError(f"{name}: has no observer of its input")
        found[name] = observer.grid(name)
    for hook in getattr(model, HOOKS):
        hook.remove()
    delattr(model, GRIDS)
    delattr(model, HOOKS)
    for module in list(model.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
    return found


def as_settings(options: QuantizeOptions, grids: Mapping[str, Grid]) -> dict[str, Any]:
    """Return what a manifest says of the quantisation."""
    return {"quantised": "int8", **options.as_json(), "layers": len(grids)}


def _rounding(grid: nn.Module) -> Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor, ...]]:
    def meet(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (grid(inputs[0]), *inputs[1:])

    return meet


def _key(name: str) -> str:
    """Name of a layer's grid; a module's name may hold no dot."""
    return _EXPERT.sub(".experts.all.", f".{name}").strip(".").replace(".", "/")


def _embeddings(model: nn.Module) -> list[nn.Embedding]:
    """Token embeddings whose matrix no other layer shares."""
    owners: dict[int, int] = {}
    for module in model.modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, torch.Tensor):
            owners[id(weight)] = owners.get(id(weight), 0) + 1
    return [
        module
        for module in model.modules()
        if isinstance(module, nn.Embedding) and owners[id(module.weight)] == 1
    ]
