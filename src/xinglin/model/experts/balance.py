"""The load-balancing loss, for every class of mixture alike.

``qwen3_moe``, ``qwen2_moe`` and ``mixtral`` add it themselves where ``output_router_logits`` is set, which upcycling
sets; ``dots1`` returns the router's logits and leaves the loss to the trainer. This is the trainer's part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xinglin.errors import InvalidInputError
from xinglin.model.experts.families import number_of_experts

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PretrainedConfig


def balancing_loss(
    logits: tuple[Tensor, ...] | None, config: PretrainedConfig, mask: Tensor | None = None
) -> Tensor:
    """Return the auxiliary loss of the Switch transformer (Fedus et al. 2021, arXiv 2101.03961, equations 4 to 6).

    Over all layers: experts times the sum over experts of (share of choices) x (mean probability); ``per_token`` when
    all experts are used alike, more when not. The probability is the softmax of the logits, also for routers that
    score by a sigmoid: the choice is the same, as both rise with the logit.

    Args:
        logits: ``router_logits`` of a forward pass with ``output_router_logits=True``, one tensor a layer.
        config: of the mixture.
        mask: batch x tokens, 1 where a token counts.

    Raises:
        InvalidInputError: the pass returned no router logits.
    """
    from transformers.models.qwen3_moe.modeling_qwen3_moe import load_balancing_loss_func

    if not logits:
        raise InvalidInputError("no router logits: call a mixture of experts with output_router_logits=True")
    gathered: Any = tuple(logits)  # declared there as a tuple of one
    loss = load_balancing_loss_func(
        gathered, number_of_experts(config), int(config.num_experts_per_tok), mask
    )
    if isinstance(loss, int):
        raise InvalidInputError("router logits: expected one tensor a layer")
    return loss
