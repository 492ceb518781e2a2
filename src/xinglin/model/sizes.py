"""One dial: the shape of the encoder by size. A standard ModernBERT of ``transformers``, nothing of ours in it.

ModernBERT (Warner et al. 2024, arXiv 2412.13663): rotary positions, gated feed-forward layers, alternating local
and global attention. Why not BERT: docs/decisions/0006. Where we differ: mean pooling for the head, a window of 64
tokens, heads 64 wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from xinglin.errors import ConfigurationError

if TYPE_CHECKING:
    from transformers import ModernBertConfig

Size = Literal["tiny", "small", "base"]
PAD, CLS, SEP, MASK, UNK = range(5)
"""Ids of the special tokens, the same in every tokenizer of ours."""
MAX_POSITIONS = 512
"""Longest input in tokens; longer texts are read in windows."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Widths of one size."""

    layers: int
    width: int
    """Hidden size."""
    inner: int
    """Width of the gated feed-forward layer, for each of its two halves."""
    heads: int
    learning_rate: float
    """Peak rate of AdamW in pre-training."""


SHAPES: dict[str, Shape] = {
    "tiny": Shape(2, 128, 256, 2, 2e-3),
    "small": Shape(4, 256, 512, 4, 1e-3),
    "base": Shape(12, 768, 1152, 12, 4e-4),
}


def shape(size: str) -> Shape:
    """Return the widths of a size.

    Raises:
        ConfigurationError: no such size.
    """
    if size not in SHAPES:
        raise ConfigurationError(f"size: expected one of {', '.join(get_args(Size))}, got {size!r}")
    return SHAPES[size]


def build_config(size: str, vocabulary: int, labels: Sequence[str] | None = None) -> ModernBertConfig:
    """Return the ``transformers`` configuration of a size.

    Args:
        size: ``tiny``, ``small`` or ``base``.
        vocabulary: number of tokens.
        labels: names of the classes for a classifier; ``None`` for an encoder.

    Raises:
        ConfigurationError: no such size.
    """
    from transformers import ModernBertConfig

    form = shape(size)
    named: dict[str, Any] = {}
    if labels is not None:
        named = {"id2label": dict(enumerate(labels)), "label2id": {name: i for i, name in enumerate(labels)}}
    return ModernBertConfig(
        vocab_size=vocabulary,
        hidden_size=form.width,
        intermediate_size=form.inner,
        num_hidden_layers=form.layers,
        num_attention_heads=form.heads,
        max_position_embeddings=MAX_POSITIONS,
        layer_types=["full_attention" if i % 2 == 0 else "sliding_attention" for i in range(form.layers)],
        local_attention=64,
        pad_token_id=PAD,
        cls_token_id=CLS,
        bos_token_id=CLS,
        sep_token_id=SEP,
        eos_token_id=SEP,
        classifier_pooling="mean",
        classifier_dropout=0.1,
        embedding_dropout=0.0,
        sparse_prediction=True,
        **named,
    )
