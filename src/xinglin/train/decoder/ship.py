"""A trained language model as a sealed checkpoint: weights, tokenizer, card, manifest; whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xinglin.errors import InvalidInputError
from xinglin.model.checkpoint import saving, seal_checkpoint
from xinglin.types import DISCLAIMER, Checkpoint

LIMITS = (
    "研究用语言模型,会编造内容,不得用于问诊或回答病人;对话须经 xinglin chat 的检索与安全检查。"
    "A language model for research: it makes things up. Not for consultations or for patients; in a conversation only "
    "behind the retrieval and safety checks of xinglin chat."
)
SAVED = ("float32", "bfloat16", "float16")
ONE_FILE = "1000GB"
"""Weights go into one file: a sealed checkpoint has one."""


def write_checkpoint(
    model: Any,
    tokenizer: Any,
    out: Path,
    *,
    stage: str,
    data: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    seeds: Sequence[int],
    metrics: Mapping[str, Any],
    parents: Sequence[str] = (),
    dtype: str = "float32",
    weights: Mapping[str, Any] | None = None,
    limits: str = LIMITS,
) -> Checkpoint:
    """Write and seal a model.

    Args:
        model: of ``transformers``, without adapters of PEFT.
        tokenizer: its tokenizer.
        out: folder of the checkpoint; one that is there is replaced.
        stage: what was done last.
        data: what it was trained on, for the manifest.
        settings, seeds, metrics, parents: as in :func:`xinglin.model.checkpoint.seal_checkpoint`.
        dtype: what the weights are saved in.
        weights: the gathered weights, where the model's own are spread over processes.
        limits: what it must not be used for.

    Raises:
        InvalidInputError: an unknown dtype.
        CheckpointError: the parts do not fit one another.
        TrainingError: the disk is full.
    """
    import torch

    if dtype not in SAVED:
        raise InvalidInputError(f"dtype: expected one of {', '.join(SAVED)}, got {dtype!r}")
    kind = getattr(torch, dtype)
    if getattr(model.config, "output_router_logits", False):
        # Trainers ask for a mixture's routing whatever this says; left on, generating from the checkpoint would fail.
        model.config.output_router_logits = False
    if weights is None:
        model = model.to(kind)
    else:
        model.config.dtype = kind
        weights = {name: one.to(kind) if one.is_floating_point() else one for name, one in weights.items()}
    with saving(out) as new:
        model.save_pretrained(new, max_shard_size=ONE_FILE, state_dict=weights)
        tokenizer.save_pretrained(new)
        (new / "README.md").write_text(
            _card(out.name, model, stage, data, settings, metrics, limits), encoding="utf-8"
        )
        made = seal_checkpoint(
            new,
            name=out.name,
            kind="decoder",
            data=data,
            settings={"stage": stage, **settings},
            seeds=seeds,
            metrics=metrics,
            parents=parents,
            limits=limits,
        )
    return Checkpoint(made.id, str(out), made.manifest)


def _card(
    name: str,
    model: Any,
    stage: str,
    data: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    metrics: Mapping[str, Any],
    limits: str,
) -> str:
    lines = [
        f"# {name}",
        "",
        f"语言模型,最后一步 · a language model, last stage: {stage}",
        "",
        f"> {DISCLAIMER['zh']} {DISCLAIMER['en']}",
        "",
        f"> {limits}",
        "",
        "```python",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        f'tokenizer = AutoTokenizer.from_pretrained("{name}")',
        f'model = AutoModelForCausalLM.from_pretrained("{name}")',
        "```",
        "",
        f"{type(model).__name__} of plain `transformers`, {model.num_parameters():,} parameters; no code of ours is needed.",
        "Digests, settings and parents: `manifest.json`.",
        "",
        "## 数据 Data",
        "",
        "| set | records | licence |",
        "|---|---|---|",
        *(f"| {row['name']} | {row['records']:,} | {row['licence']} |" for row in data),
        "",
        "## 结果 Results",
        "",
        "| figure | value |",
        "|---|---|",
        *(f"| {key} | {json.dumps(value, ensure_ascii=False)} |" for key, value in metrics.items()),
        "",
        "## 设置 Settings",
        "",
        f"`{json.dumps(dict(settings), ensure_ascii=False)}`",
    ]
    return "\n".join(lines) + "\n"
