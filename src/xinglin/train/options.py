"""What can be set in a training run. Attribute docstrings are the help of the commands."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from xinglin.errors import ConfigurationError
from xinglin.model.sizes import shape

MOST_SHARDS = 65_536
KnowledgeLoss = Literal["contrastive", "kepler"]


@dataclass(frozen=True, slots=True)
class PretrainOptions:
    """Settings of pre-training."""

    size: str = "small"
    """tiny, small or base."""
    steps: int = 2000
    """Optimiser steps."""
    batch_size: int = 32
    """Rows of text a step and shard."""
    length: int = 128
    """Tokens a row."""
    learning_rate: float | None = None
    """Peak learning rate; empty: the size's own."""
    warmup: float = 0.05
    """Share of the steps over which the rate rises."""
    weight_decay: float = 0.01
    """Decoupled weight decay of AdamW."""
    vocabulary: int = 16_000
    """Tokens of the vocabulary."""
    objective: KnowledgeLoss = "contrastive"
    """Objective that encodes the graph."""
    knowledge_weight: float = 0.5
    """Weight of the graph's loss beside the language model's."""
    knowledge_every: int = 2
    """The graph's loss is taken on every so many steps."""
    seed: int = 0
    """Seed of every random draw."""
    threads: int | None = None
    """CPU threads; empty: as torch chooses."""
    save_every: int = 200
    """Steps between two resumable states."""
    shards: int | None = None
    """Parts of the batch of one step, kept when workers come or go; empty: one a process at the first start."""

    def __post_init__(self) -> None:
        shape(self.size)
        if self.objective not in get_args(KnowledgeLoss):
            raise ConfigurationError(
                f"objective: expected one of {', '.join(get_args(KnowledgeLoss))}, got {self.objective!r}"
            )
        _positive(self, "steps", "batch_size", "knowledge_every", "save_every")
        if not 8 <= self.length <= 512:
            raise ConfigurationError(f"length: expected 8 to 512 tokens, got {self.length}")

    def as_json(self) -> dict[str, Any]:
        """Return the settings as they stand in a manifest."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class FineTuneOptions:
    """Settings of fine-tuning a classifier."""

    epochs: float = 4.0
    """Passes over the examples."""
    batch_size: int = 32
    """Examples a step and shard."""
    learning_rate: float = 3e-4
    """Peak learning rate of the encoder."""
    head_rate: float = 5.0
    """How much faster a fresh head learns than the encoder."""
    max_length: int = 128
    """Tokens an example is cut to."""
    weight_decay: float = 0.01
    """Decoupled weight decay of AdamW."""
    label_smoothing: float = 0.05
    """Share of each target spread over all classes."""
    token_dropout: float = 0.1
    """Share of the tokens hidden at random, against over-fitting."""
    warmup: float = 0.1
    """Share of the steps over which the rate rises."""
    head: Literal["fresh", "kept"] = "fresh"
    """fresh: a new head for these classes; kept: go on with the checkpoint's."""
    seed: int = 0
    """Seed of every random draw."""
    threads: int | None = None
    """CPU threads; empty: as torch chooses."""
    save_every: int = 200
    """Steps between two resumable states."""
    shards: int | None = None
    """Parts of the batch of one step, kept when workers come or go; empty: one a process at the first start."""

    def __post_init__(self) -> None:
        _positive(self, "epochs", "batch_size", "learning_rate", "max_length", "save_every")
        if self.head not in ("fresh", "kept"):
            raise ConfigurationError(f"head: expected fresh or kept, got {self.head!r}")
        for name in ("label_smoothing", "token_dropout"):
            value = getattr(self, name)
            if not 0.0 <= value < 1.0:
                raise ConfigurationError(f"{name}: expected a share in [0, 1), got {value}")

    def as_json(self) -> dict[str, Any]:
        """Return the settings as they stand in a manifest."""
        return asdict(self)


def _positive(options: Any, *names: str) -> None:
    if options.shards is not None and not 0 < options.shards <= MOST_SHARDS:
        raise ConfigurationError(f"shards: expected 1 to {MOST_SHARDS}, got {options.shards}")
    for name in names:
        if getattr(options, name) <= 0:
            raise ConfigurationError(f"{name}: expected more than 0, got {getattr(options, name)}")
