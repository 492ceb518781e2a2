"""The quick path of experts on a CPU: one grouped matrix product for all experts, no loop over them.

``transformers`` lets an experts' layer be computed by a registered function; its own are a loop over experts
(``eager``), a product over copied weights (``batched_mm``: one copy a token, ruinous on a CPU) and ``grouped_mm``, made
for graphics cards: its histogram, inverse permutation and extra copies cost more than the products of a small layer.
Ours keeps the grouped product (``torch.nn.functional.grouped_mm``, a loop in C++ over the experts in use) and does the
rest in five cheap steps. A single token, the case of decoding, needs no sorting at all: its few experts are read where
they lie, as views.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xinglin.errors import MissingExtraError

try:
    import torch
    from torch import Tensor
    from torch.nn.functional import linear
except ImportError as error:
    raise MissingExtraError("专家混合 a mixture of experts", "train") from error

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NAME = "xinglin_grouped"
ALIGNED = 16
"""Bytes to which every row of a grouped product must be aligned."""


def grouped_experts(self: Any, hidden_states: Tensor, top_k_index: Tensor, top_k_weights: Tensor) -> Tensor:
    """Compute a layer of experts; equals the loop over experts up to rounding. Signature of ``transformers``.

    Args:
        self: the layer: ``gate_up_proj`` (experts x 2 inner x width), ``down_proj`` (experts x width x inner).
        hidden_states: tokens x width.
        top_k_index: tokens x chosen, the experts.
        top_k_weights: tokens x chosen.
    """
    if hidden_states.shape[0] == 1:
        return _one_token(self, hidden_states, top_k_index, top_k_weights)
    chosen = top_k_index.shape[1]
    experts, order = top_k_index.reshape(-1).sort()
    tokens = order // chosen
    every = torch.arange(self.num_experts, device=experts.device)
    ends = torch.searchsorted(experts, every, right=True, out_int32=True)
    product = torch.nn.functional.grouped_mm
    inner = product(hidden_states[tokens], self.gate_up_proj.transpose(1, 2), offs=ends)
    # Weighted before the second product, which is narrower there, and in place of a third pass over its result.
    inner = self._apply_gate(inner) * top_k_weights.reshape(-1, 1)[order]
    outer = product(inner, self.down_proj.transpose(1, 2), offs=ends)
    return torch.zeros_like(hidden_states).index_add_(0, tokens, outer)


def _one_token(self: Any, hidden_states: Tensor, top_k_index: Tensor, top_k_weights: Tensor) -> Tensor:
    """The chosen experts of a single token: their weights are read once, nothing is copied."""
    total = torch.zeros_like(hidden_states)
    for expert, weight in zip(top_k_index[0].tolist(), top_k_weights[0].unbind(), strict=True):
        inner = self._apply_gate(linear(hidden_states, self.gate_up_proj[expert])) * weight
        total = total + linear(inner, self.down_proj[expert])
    return total


def quicken(model: PreTrainedModel) -> str:
    """Make a mixture of experts use the quick path and return the name of the path it has now.

    The grouped product of torch wants rows of a multiple of 16 bytes; a model of other widths keeps ``eager``, the
    loop, and so does one that is not on a CPU, where ``transformers`` has better paths.
    """
    from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

    layers = [
        module
        for module in model.modules()
        if hasattr(module, "gate_up_proj") and hasattr(module, "num_experts")
    ]
    fits = model.device.type == "cpu" and bool(layers)
    for layer in layers:
        for matrix in (layer.gate_up_proj, layer.down_proj):
            fits = fits and matrix.shape[-1] * matrix.element_size() % ALIGNED == 0
    if not fits:
        return str(model.config._experts_implementation)
    ALL_EXPERTS_FUNCTIONS.register(NAME, grouped_experts)
    model.set_experts_implementation(NAME)
    return NAME
