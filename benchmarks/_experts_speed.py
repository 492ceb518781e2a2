"""Speed of the arms on one thread: a decoded token, a prompt, a batch; the ways of computing a layer of experts.

Processor seconds, not the clock's: on a shared machine a thread waits for its turn, and that is not the model's doing.
What the arms meet is the same: each round measures all of them one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks._line import quantile
from xinglin.measure import Figure, bootstrap

PROMPT, DECODED, BATCH = 64, 8, 8


@dataclass(frozen=True)
class Task:
    """One thing that is timed, and how many tokens it makes."""

    name: str
    act: Callable[[Any], None]
    tokens: int


def tasks(vocabulary: int) -> list[Task]:
    """Decode after a prompt at batch 1, read a prompt, decode a batch."""
    made = torch.Generator().manual_seed(0)
    one = torch.randint(3, vocabulary, (1, PROMPT), generator=made)
    many = torch.randint(3, vocabulary, (BATCH, PROMPT // 4), generator=made)
    return [
        Task("decode, batch 1", lambda state: _decode(*state, one[:, :1]), DECODED),
        Task("prompt of 64 tokens", lambda state: _prefill(state[0], one), PROMPT),
        Task(f"decode, batch {BATCH}", lambda state: _decode(*state, many[:, :1]), DECODED * BATCH),
    ]


def timed(
    models: Mapping[str, Any], vocabulary: int, rounds: int
) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Return (task, arm) -> milliseconds of the processor for a token, one a round."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    made = torch.Generator().manual_seed(1)
    found: dict[tuple[str, str], list[float]] = {}
    try:
        with torch.inference_mode():
            for round_ in range(-1, rounds):  # round -1 warms up
                for task in tasks(vocabulary):
                    rows = BATCH if task.name.endswith(str(BATCH)) else 1
                    context = torch.randint(3, vocabulary, (rows, PROMPT // 4), generator=made)
                    for arm, model in models.items():
                        cache = model(context, use_cache=True).past_key_values
                        started = time.process_time()
                        task.act((model, cache))
                        spent = 1000 * (time.process_time() - started) / task.tokens
                        if round_ >= 0:
                            found.setdefault((task.name, arm), []).append(spent)
    finally:
        torch.set_num_threads(threads)
    return {key: np.array(values) for key, values in found.items()}


def times_faster(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> Figure:
    """Return how many times faster ours is: the median over rounds of their ratio, with its bootstrap interval."""
    ratio = theirs / ours
    return bootstrap(lambda index: float(np.median(ratio[index])), len(ratio))


def paths(width: int, inner: int, tokens: int, rounds: int) -> dict[str, Figure]:
    """Return the milliseconds of one layer of eight experts, two awake, by the way it is computed."""
    from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS
    from transformers.models.qwen3_moe.configuration_qwen3_moe import Qwen3MoeConfig
    from transformers.models.qwen3_moe.modeling_qwen3_moe import Qwen3MoeExperts

    from xinglin.model.experts.grouped import NAME, grouped_experts

    ALL_EXPERTS_FUNCTIONS.register(NAME, grouped_experts)
    torch.manual_seed(0)
    config = Qwen3MoeConfig(hidden_size=width, moe_intermediate_size=inner, num_experts=8)
    layer = Qwen3MoeExperts(config)
    for matrix in layer.parameters():
        torch.nn.init.normal_(matrix, std=0.02)
    ways = ["eager", "grouped_mm", NAME, *(["batched_mm"] if tokens <= 8 else [])]
    spent: dict[str, list[float]] = {way: [] for way in ways}
    with torch.inference_mode():
        for round_ in range(-1, rounds):
            hidden = torch.randn(tokens, width)
            weights, index = torch.softmax(torch.randn(tokens, 8), dim=-1).topk(2)
            for way in ways:
                config._experts_implementation = way
                started = time.process_time()
                layer(hidden, index, weights)
                if round_ >= 0:
                    spent[way].append(1000 * (time.process_time() - started))
    return {way: quantile(values, 0.5) for way, values in spent.items()}


def _prefill(model: Any, ids: torch.Tensor) -> None:
    model(ids, use_cache=True, logits_to_keep=1)


def _decode(model: Any, cache: Any, ids: torch.Tensor) -> None:
    """Greedy decoding of ``DECODED`` tokens a row."""
    for _ in range(DECODED):
        made = model(ids, past_key_values=cache, use_cache=True)
        ids = made.logits[:, -1:].argmax(dim=-1)
