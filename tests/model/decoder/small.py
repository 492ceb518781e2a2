"""Tiny random language models of every architecture that is trained, with one tokenizer and one chat template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ARCHITECTURES = ("qwen3", "llama", "mistral", "gemma3", "qwen3-moe")
LETTERS = "高血压有什么症状头痛发热咳嗽晕。,?:是否对错甲乙丙丁戊请医生您好多休息就诊肺炎感冒"
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""ChatML, as Qwen's models speak it."""


def small_tokenizer() -> Any:
    """A character tokenizer whose end of turn is ``<|im_end|>``."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(set(LETTERS + "\n" + "".join(chr(code) for code in range(32, 127))))
    special = ["<pad>", "<|im_end|>", "<unk>", "<|im_start|>"]
    raw = Tokenizer(
        models.WordLevel({token: n for n, token in enumerate([*special, *letters])}, unk_token="<unk>")
    )
    raw.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    raw.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token="<pad>",
        eos_token="<|im_end|>",
        unk_token="<unk>",
        extra_special_tokens=["<|im_start|>"],
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def small_decoder(folder: Path, kind: str = "qwen3", *, seed: int = 0, width: int = 32) -> Path:
    """Write a model folder of random weights; 128 positions."""
    import torch
    import transformers as t

    tokenizer = small_tokenizer()
    size: dict[str, Any] = {
        "vocab_size": len(tokenizer), "hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 128,
        "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None, "tie_word_embeddings": True,
    }  # fmt: skip
    experts = {
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": width,
        "decoder_sparse_step": 1,
    }
    torch.manual_seed(seed)
    model: Any
    match kind:
        case "qwen3":
            model = t.Qwen3ForCausalLM(t.Qwen3Config(**size))
        case "llama":
            model = t.LlamaForCausalLM(t.LlamaConfig(**size))
        case "mistral":
            model = t.MistralForCausalLM(t.MistralConfig(**size, sliding_window=None))
        case "gemma3":
            model = t.Gemma3ForCausalLM(
                t.Gemma3TextConfig(**size, sliding_window=64, query_pre_attn_scalar=16)
            )
        case "qwen3-moe":
            model = t.Qwen3MoeForCausalLM(t.Qwen3MoeConfig(**size, **experts))
        case _:
            raise ValueError(kind)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    return folder
