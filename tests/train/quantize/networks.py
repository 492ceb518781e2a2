"""Tiny networks of every kind that is trained for 8 bits, with random weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def encoder() -> tuple[nn.Module, dict[str, Any]]:
    from transformers import ModernBertForSequenceClassification

    from xinglin.model.sizes import build_config

    ids = torch.randint(5, 60, (3, 9))
    model = ModernBertForSequenceClassification(build_config("tiny", 64, ["a", "b", "c"]))
    return model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def experts() -> tuple[nn.Module, dict[str, Any]]:
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

    config = Qwen3MoeConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        moe_intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        num_experts=4,
        num_experts_per_tok=2,
        norm_topk_prob=True,
        max_position_embeddings=64,
        tie_word_embeddings=True,
    )
    return Qwen3MoeForCausalLM(config), {"input_ids": torch.randint(5, 60, (3, 9))}


def molecules() -> tuple[nn.Module, dict[str, Any]]:
    """The decoder of molecules, as ``transformers`` reads its files."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from xinglin.model.molecule.decoder import DecoderSize

    size = DecoderSize(vocabulary=40, width=32, inner=48, layers=2, heads=2, positions=32)
    config = LlamaConfig(**{key: value for key, value in size.config().items() if key != "dtype"})
    return LlamaForCausalLM(config), {"input_ids": torch.randint(3, 40, (3, 9))}


def vision() -> tuple[nn.Module, dict[str, Any]]:
    from xinglin.model.vision.vit import TubeletInstances, VitSize

    return TubeletInstances(VitSize(32, 2, 2), attention=True), {"images": torch.randn(2, 1, 20, 32, 32)}


NETWORKS = {"encoder": encoder, "experts": experts, "molecules": molecules, "vision": vision}


def answer(model: nn.Module, given: dict[str, Any]) -> torch.Tensor:
    found = model(**given)
    logits: torch.Tensor = found if isinstance(found, torch.Tensor) else found.logits
    return logits
