"""Settings of a stage of a language model's training; what decides the weights is in its digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from xinglin.errors import InvalidInputError

Adapter = Literal["none", "lora", "qlora"]
Stage = Literal["pretrain", "sft", "prefer", "reinforce", "distil", "merge"]
STAGES: tuple[str, ...] = get_args(Stage)


@dataclass(frozen=True, slots=True)
class StageOptions:
    """Settings that every stage has."""

    steps: int = 200
    batch_size: int = 8
    """Rows a step and device; halved, and the accumulation doubled, when the memory is full."""
    accumulate: int = 1
    """Batches whose gradients are added up to one step."""
    learning_rate: float = 3e-4
    warmup: float = 0.05
    """Share of the steps in which the rate rises."""
    weight_decay: float = 0.01
    length: int = 256
    """Tokens of a row."""
    adapter: Adapter = "none"
    """``lora``: low-rank adapters alone are trained; ``qlora``: the same over a base in 4 bits."""
    rank: int = 8
    alpha: int = 16
    beta: float = 0.1
    """DPO and GRPO: how strongly the model is held to where it started."""
    temperature: float = 1.0
    """Distillation: of both models' distributions; GRPO: of sampling."""
    generations: int = 8
    """GRPO: answers a prompt."""
    answer: int = 32
    """GRPO: tokens of an answer."""
    save_every: int = 100
    seed: int = 0
    threads: int | None = None

    def checked(self) -> StageOptions:
        """Return the same, if every value is in its range.

        Raises:
            InvalidInputError: names the setting.
        """
        for name in ("steps", "batch_size", "accumulate", "rank", "alpha", "save_every", "answer"):
            if getattr(self, name) < 1:
                raise InvalidInputError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if self.length < 8:
            raise InvalidInputError(f"length: expected at least 8 tokens, got {self.length}")
        if not 0 < self.learning_rate <= 1:
            raise InvalidInputError(
                f"learning_rate: expected above 0 and at most 1, got {self.learning_rate}"
            )
        if self.adapter not in get_args(Adapter):
            raise InvalidInputError(f"adapter: expected {', '.join(get_args(Adapter))}, got {self.adapter!r}")
        if self.generations < 2:
            raise InvalidInputError(f"generations: expected at least 2, got {self.generations}")
        if self.temperature <= 0:
            raise InvalidInputError(f"temperature: expected above 0, got {self.temperature}")
        return self

    def smaller(self) -> StageOptions:
        """Return settings of half the batch and the same rows a step."""
        half = max(1, self.batch_size // 2)
        return replace(self, batch_size=half, accumulate=self.accumulate * (self.batch_size // half))

    def digest(self, stage: str, model: str, data: Sequence[Mapping[str, Any]]) -> str:
        """Return a SHA-256 of all that decides the weights: a state with another is not resumed."""
        settings = asdict(self)
        settings["rows"] = settings.pop("batch_size") * settings.pop("accumulate")
        for name in ("save_every", "threads"):
            del settings[name]
        body = json.dumps([stage, model, list(data), settings], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(body.encode()).hexdigest()
