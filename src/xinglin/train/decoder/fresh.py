"""A new small language model: our own tokenizer, random weights, a standard Qwen3 configuration (dense or experts)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xinglin.errors import InvalidInputError
from xinglin.model.saving import saving
from xinglin.train.decoder.tokens import VOCABULARY, train_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True)
class FreshOptions:
    """Sizes; the defaults give 3.6 million parameters, 7.2 MB in float16."""

    width: int = 192
    layers: int = 6
    heads: int = 4
    groups: int = 2
    """Key-value heads."""
    inner: int = 512
    """Width of the feed-forward network; of each expert where there are any."""
    context: int = 512
    vocabulary: int = VOCABULARY
    experts: int = 0
    """0: dense."""
    active: int = 2
    """Experts that a token wakes."""
    seed: int = 0


def fresh_decoder(
    folder: Path,
    texts: Iterable[str] | None = None,
    options: FreshOptions | None = None,
    *,
    tokenizer: PreTrainedTokenizerFast | None = None,
) -> Path:
    """Write a folder with random weights, whole or not at all; it is not sealed, since it has learnt nothing.

    Args:
        folder: where to.
        texts: documents that the tokenizer is trained on; or
        tokenizer: one that is there already.
        options: sizes.

    Raises:
        InvalidInputError: sizes that do not fit, too little text, neither texts nor tokenizer.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM, Qwen3MoeConfig, Qwen3MoeForCausalLM

    chosen = options or FreshOptions()
    if chosen.width % chosen.heads or chosen.heads % chosen.groups:
        raise InvalidInputError(
            f"expected width divisible by heads and heads by groups, got {chosen.width}, {chosen.heads}, {chosen.groups}"
        )
    if tokenizer is None:
        if texts is None:
            raise InvalidInputError("expected texts to train a tokenizer on, or a tokenizer; got neither")
        tokenizer = train_tokenizer(texts, vocabulary=chosen.vocabulary, context=chosen.context)
    common: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": chosen.width,
        "intermediate_size": chosen.inner,
        "num_hidden_layers": chosen.layers,
        "num_attention_heads": chosen.heads,
        "num_key_value_heads": chosen.groups,
        "head_dim": chosen.width // chosen.heads,
        "max_position_embeddings": chosen.context,
        "tie_word_embeddings": True,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": None,
    }
    torch.manual_seed(chosen.seed)
    model: Qwen3ForCausalLM | Qwen3MoeForCausalLM
    if chosen.experts:
        model = Qwen3MoeForCausalLM(
            Qwen3MoeConfig(
                **common,
                num_experts=chosen.experts,
                num_experts_per_tok=chosen.active,
                moe_intermediate_size=chosen.inner,
                decoder_sparse_step=1,
                norm_topk_prob=True,
                router_aux_loss_coef=0.01,
            )
        )
    else:
        model = Qwen3ForCausalLM(Qwen3Config(**common))
    with saving(folder) as new:
        model.save_pretrained(new)
        tokenizer.save_pretrained(new)
    return folder
