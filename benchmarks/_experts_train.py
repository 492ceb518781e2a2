"""Training of the benchmark of experts: the same tokens for every arm, kept as they are made and resumed."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks._experts_text import CONTEXT, VOCABULARY, Text

ARMS = ("dense, equal active", "experts", "dense, equal total")
BY_LAYER = "experts, balanced layer by layer"
"""The same mixture with our balancing loss; ``experts`` has the one that ``transformers`` adds to its classes."""
BALANCE = 0.01
"""Weight of the load-balancing loss."""
EXPERTS, PER_TOKEN, SHARED = 8, 2, 1


@dataclass(frozen=True)
class Recipe:
    """What all arms have in common; nothing of it was tuned on the held-out part."""

    width: int = 192
    layers: int = 4
    steps: int = 700
    rows: int = 8
    rate: float = 2e-3
    seed: int = 0
    bfloat16: bool = False
    """Matrices in bfloat16 while training (autocast); weights, moments and scoring stay float32."""


WIDE = Recipe(width=768, layers=6, bfloat16=True)
"""The size at which experts decode faster; its rate is chosen by ``wide_rate``."""
RATES = (5e-4, 1e-3, 2e-3)


def wide_rate(text: Text) -> float:
    """Return the rate that suits the larger dense model: least training loss at the end of a fifth of the steps."""

    def ends(rate: float) -> float:
        _, figures = trained("dense, equal total", replace(WIDE, steps=WIDE.steps // 5, rate=rate), text)
        return float(np.mean([nats for _, nats in figures["curve"][-20:]]))

    return min(RATES, key=ends)


def architecture(arm: str, width: int, layers: int, vocabulary: int = VOCABULARY) -> Any:
    """Return the configuration of an arm: attention and embedding are the same, the feed-forward part differs."""
    from transformers import AutoConfig

    common: dict[str, Any] = {
        **{"vocab_size": vocabulary, "hidden_size": width, "num_hidden_layers": layers, "head_dim": 32},
        **{"num_attention_heads": width // 32, "num_key_value_heads": max(1, width // 64)},
        **{"max_position_embeddings": 1024, "tie_word_embeddings": True},
        **{"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0},
    }
    if arm in ("experts", BY_LAYER):
        # Expert slices as wide as the model: one shared and two of eight awake make the width of the dense one.
        return AutoConfig.for_model(
            "dots1", **common, intermediate_size=(SHARED + PER_TOKEN) * width, moe_intermediate_size=width,
            n_routed_experts=EXPERTS, n_shared_experts=SHARED, num_experts_per_tok=PER_TOKEN, norm_topk_prob=True,
        )  # fmt: skip
    slices = SHARED + (PER_TOKEN if arm == "dense, equal active" else EXPERTS)
    return AutoConfig.for_model("qwen3", **common, intermediate_size=slices * width)


def model_of(arm: str, width: int, layers: int, seed: int, vocabulary: int = VOCABULARY) -> Any:
    """Return an arm with random weights; a mixture on the quick path."""
    from transformers import AutoModelForCausalLM

    from xinglin.model.experts import quicken

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(architecture(arm, width, layers, vocabulary))
    quicken(model)
    return model


class Objective(nn.Module):
    """The language model's loss, with the balancing loss of a mixture."""

    def __init__(self, model: Any, by_layer: bool, bfloat16: bool = False) -> None:
        super().__init__()
        self.model, self.by_layer, self.bfloat16 = model, by_layer, bfloat16
        self.mixture = getattr(model.config, "n_routed_experts", None) is not None

    def forward(self, ids: Tensor) -> dict[str, Tensor]:
        from transformers.models.qwen3_moe.modeling_qwen3_moe import load_balancing_loss_func

        from xinglin.model.experts import balancing_loss

        more = {"output_router_logits": True} if self.mixture else {}
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            made = self.model(ids, labels=ids, use_cache=False, **more)
        found = {"loss": made.loss, "nats": made.loss.detach(), "tokens": torch.tensor(ids.numel())}
        if self.mixture:
            balance = (
                balancing_loss(made.router_logits, self.model.config)
                if self.by_layer
                else load_balancing_loss_func(made.router_logits, EXPERTS, PER_TOKEN)
            )
            found |= {"loss": made.loss + BALANCE * balance, "balance": balance.detach()}
        return found


def state_folder() -> Path:
    """Where unfinished and finished trainings lie: XINGLIN_BENCH_STATE, else the system's temporary files."""
    base = os.environ.get("XINGLIN_BENCH_STATE") or os.path.join(tempfile.gettempdir(), "xinglin-benchmarks")
    return Path(base) / "experts"


def trained(arm: str, recipe: Recipe, text: Text) -> tuple[Any, dict[str, Any]]:
    """Return a trained arm and its figures; a finished one is loaded, an interrupted one goes on where it stopped."""
    from safetensors.torch import load_model, save_model

    from xinglin.train.loop import Plan, train

    said = json.dumps([arm, asdict(recipe), text.digest, BALANCE], sort_keys=True)
    digest = sha256(said.encode()).hexdigest()
    home = state_folder() / digest[:16]
    model = model_of(arm, recipe.width, recipe.layers, recipe.seed)
    done = home / "done.json"
    if done.is_file():
        load_model(model, str(home / "model.safetensors"))
        return model.eval(), json.loads(done.read_text(encoding="utf-8"))
    plan = Plan(
        steps=recipe.steps, learning_rate=recipe.rate, warmup=0.05, weight_decay=0.1, seed=recipe.seed,
        save_every=max(1, recipe.steps // 7), digest=digest, threads=1,
    )  # fmt: skip

    def draw(step: int, shard: int, shards: int) -> Mapping[str, Tensor]:
        """Windows of the corpus that depend on seed and step alone: every arm sees the same."""
        made = np.random.default_rng([recipe.seed, step])
        starts = made.integers(0, len(text.train) - CONTEXT, recipe.rows)
        return {"ids": torch.from_numpy(text.train[starts[:, None] + np.arange(CONTEXT)].astype(np.int64))}

    before = time.process_time()
    run = train(Objective(model, arm == BY_LAYER, recipe.bfloat16), draw, plan, home / "state")
    figures = {
        "tokens": run.tokens,
        "processor_seconds": time.process_time() - before if not run.resumed_at else None,
        "balance": float(np.mean([row["balance"] for row in run.history[-50:]]))
        if "balance" in run.history[-1]
        else None,
        "curve": [[row["step"], row["nats"]] for row in run.history],
    }
    save_model(model, str(home / "model.safetensors"))
    done.write_text(json.dumps(figures), encoding="utf-8")
    return model.eval(), figures


def document_nats(model: Any, documents: tuple[NDArray[np.uint16], ...]) -> NDArray[np.float64]:
    """Return, for every document, its negative log-likelihood in nats and the tokens that were predicted."""
    order = sorted(range(len(documents)), key=lambda place: len(documents[place]))
    found = np.zeros((len(documents), 2))
    for first in range(0, len(order), 32):
        places = order[first : first + 32]
        longest = max(len(documents[place]) for place in places)
        ids = torch.zeros(len(places), longest, dtype=torch.int64)
        mask = torch.zeros(len(places), longest, dtype=torch.int64)
        for row, place in enumerate(places):
            ids[row, : len(documents[place])] = torch.from_numpy(documents[place].astype(np.int64))
            mask[row, : len(documents[place])] = 1
        with torch.inference_mode():
            logits = model(ids, attention_mask=mask, use_cache=False).logits[:, :-1]
            nats = nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
        nats = nats * mask[:, 1:]
        found[places] = torch.stack([nats.sum(1), mask[:, 1:].sum(1)], dim=1).double().numpy()
    return found
