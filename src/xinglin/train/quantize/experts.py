"""Experts taken apart: the packed weights of a mixture as plain linear layers, and back.

``transformers`` keeps all experts of a layer in two tensors of three dimensions. A grid for each output channel, and an ONNX
graph whose matrices have names, want them one by one. The numbers are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from xinglin.errors import InvalidInputError


class Expert(nn.Module):
    """One gated feed-forward layer."""

    def __init__(self, gate_up: Tensor, down: Tensor, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.gate_up, self.down = _linear(gate_up), _linear(down)
        self.activation = activation

    def forward(self, hidden: Tensor) -> Tensor:
        """Return (tokens, width) of (tokens, width)."""
        gate, up = self.gate_up(hidden).chunk(2, dim=-1)
        found: Tensor = self.down(self.activation(gate) * up)
        return found


class ExpertsApart(nn.Module):
    """All experts of a layer, with the call of ``Qwen3MoeExperts``."""

    def __init__(self, packed: Any) -> None:
        super().__init__()
        self.experts = nn.ModuleList(
            Expert(gate_up, down, packed.act_fn)
            for gate_up, down in zip(packed.gate_up_proj, packed.down_proj, strict=True)
        )

    def forward(self, hidden_states: Tensor, top_k_index: Tensor, top_k_weights: Tensor) -> Tensor:
        """Return the weighted sum of the chosen experts, (tokens, width)."""
        total = torch.zeros_like(hidden_states)
        for place, expert in enumerate(self.experts):
            share = (top_k_weights * (top_k_index == place)).sum(-1, keepdim=True)
            if torch.compiler.is_exporting():  # a graph of fixed nodes: every token goes through every expert
                total = total + expert(hidden_states) * share
            else:
                chosen = share[:, 0].nonzero()[:, 0]
                total = total.index_add(0, chosen, expert(hidden_states[chosen]) * share[chosen])
        return total


def apart(model: nn.Module) -> nn.Module:
    """Replace packed experts in place by linear layers; a model without experts is left as it is."""
    for name, module in list(model.named_modules()):
        packed = getattr(module, "gate_up_proj", None)
        if isinstance(packed, nn.Parameter) and packed.ndim == 3:
            if getattr(module, "gate_up_proj_bias", None) is not None:
                raise InvalidInputError(f"{name}: experts with biases are not quantised here")
            _put(model, name, ExpertsApart(module))
    return model


def joined(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict of :func:`apart` in the names and shapes of ``transformers``."""
    found: dict[str, Tensor] = {}
    stacks: dict[str, list[tuple[int, Tensor]]] = {}
    for name, tensor in tensors.items():
        base, _, rest = name.rpartition(".experts.")
        parts = rest.split(".")
        if len(parts) == 3 and parts[1] in ("gate_up", "down") and parts[0].isdigit():
            stacks.setdefault(f"{base}.{parts[1]}_proj", []).append((int(parts[0]), tensor))
        else:
            found[name] = tensor
    for name, items in stacks.items():
        found[name] = torch.stack([tensor for _, tensor in sorted(items, key=lambda item: item[0])])
    return found


def _linear(weight: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight = nn.Parameter(weight.detach().clone())
    return layer


def _put(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, module)
