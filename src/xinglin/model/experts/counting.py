"""How many parameters a model has, and how many of them a token meets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xinglin.model.experts.families import number_of_experts

if TYPE_CHECKING:
    from transformers import PreTrainedModel

EXPERTS = ".mlp.experts."


@dataclass(frozen=True, slots=True)
class Parameters:
    """Counts; a matrix that two layers share is counted once, the input embedding included."""

    total: int
    active: int
    """Of one token: of the routed experts, only those it passes."""


def parameters(model: PreTrainedModel) -> Parameters:
    """Count the parameters of a dense model or of a mixture."""
    routed = sum(value.numel() for name, value in model.named_parameters() if EXPERTS in name)
    total = sum(value.numel() for value in model.parameters())
    experts = number_of_experts(model.config)
    asleep = routed * (experts - int(model.config.num_experts_per_tok)) // experts if experts else 0
    return Parameters(total, total - asleep)
