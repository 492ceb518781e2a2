"""Tiny random dense models of each architecture that can be upcycled."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

ARCHITECTURES = ("qwen3", "qwen2", "llama", "mistral")
SIZES: dict[str, Any] = {
    **{"vocab_size": 97, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64},
    **{"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "initializer_range": 0.2},
}


def dense(architecture: str, seed: int = 0, **more: Any) -> PreTrainedModel:
    """A dense model whose weights are large enough that a wrong slice shows."""
    torch.manual_seed(seed)
    window = {"sliding_window": None} if architecture == "mistral" else {}
    config = AutoConfig.for_model(architecture, **(SIZES | window | more))
    return AutoModelForCausalLM.from_config(config).eval()


def tokens(seed: int = 0, rows: int = 3, length: int = 17) -> torch.Tensor:
    return torch.randint(3, 97, (rows, length), generator=torch.Generator().manual_seed(seed))
