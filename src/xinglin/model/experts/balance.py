"""The load-balancing loss, layer by layer, for every class of mixture alike.

``qwen3_moe``, ``qwen2_moe`` and ``mixtral`` add a loss of their own where ``output_router_logits`` is set, which
upcycling sets; ``dots1`` returns the router's logits and leaves the loss to the trainer. The loss of ``transformers``
sums the choices of all layers before it multiplies: an expert idle in one layer and overrun in another looks even. On
our own small mixture it stood at its best value while the last layer left experts idle; ours is the mean of the layers'
own losses and evens every layer, at a slightly worse loss of the language model (``docs/results/experts-balance.md``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xinglin.errors import InvalidInputError
from xinglin.model.experts.families import number_of_experts

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PretrainedConfig


def balancing_loss(
    logits: tuple[Tensor, ...] | None, config: PretrainedConfig, mask: Tensor | None = None
) -> Tensor:
    """Return the auxiliary loss of the Switch transformer (Fedus et al. 2021, arXiv 2101.03961, equations 4 to 6).

    Of a layer: experts times the sum over experts of (choices a token) x (mean probability); ``num_experts_per_tok``
    when all experts are used alike, more when not. The probability is the softmax of the logits, also for routers that
    score by a sigmoid: the choice is the same, as both rise with the logit.

    Args:
        logits: ``router_logits`` of a forward pass with ``output_router_logits=True``, one tensor a layer.
        config: of the mixture.
        mask: batch x tokens, 1 where a token counts.

    Returns:
        The mean over layers.

    Raises:
        InvalidInputError: the pass returned no router logits.
    """
    import torch
    from transformers.models.qwen3_moe.modeling_qwen3_moe import load_balancing_loss_func

    if not logits:
        raise InvalidInputError("no router logits: call a mixture of experts with output_router_logits=True")
    experts, chosen = number_of_experts(config), int(config.num_experts_per_tok)
    losses = [load_balancing_loss_func((layer,), experts, chosen, mask) for layer in logits]
    return torch.stack([torch.as_tensor(loss) for loss in losses]).mean()
