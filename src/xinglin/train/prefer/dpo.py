"""Direct preference optimisation through TRL: Rafailov et al., NeurIPS 2023, arXiv 2305.18290.

The reference is the model that the run starts from: a second copy of it, or, with adapters, the base with them switched off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xinglin.errors import MissingExtraError
from xinglin.model.decoder import open_decoder, prompt_text
from xinglin.train.decoder.adapters import adapter_config, open_base
from xinglin.train.decoder.options import StageOptions
from xinglin.train.decoder.run import Ran, arguments, run
from xinglin.train.loop import Report

try:
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer
except ImportError as error:
    raise MissingExtraError("xinglin train assistant --stage prefer", "assistant") from error


def preference_rows(rows: Sequence[Mapping[str, Any]], tokenizer: Any) -> Dataset:
    """Return pairs as TRL reads them: messages where the tokenizer has a chat template, else texts.

    Args:
        rows: ``prompt`` (messages), ``chosen`` and ``rejected`` (texts).
        tokenizer: the model's.
    """
    if getattr(tokenizer, "chat_template", None):
        return Dataset.from_list(
            [
                {
                    "prompt": list(row["prompt"]),
                    "chosen": [{"role": "assistant", "content": row["chosen"]}],
                    "rejected": [{"role": "assistant", "content": row["rejected"]}],
                }
                for row in rows
            ]
        )
    return Dataset.from_list(
        [
            {
                "prompt": prompt_text(tokenizer, row["prompt"]),
                "chosen": f" {row['chosen']}",
                "rejected": f" {row['rejected']}",
            }
            for row in rows
        ]
    )


def prefer(
    folder: Path,
    rows: Sequence[Mapping[str, Any]],
    options: StageOptions,
    state: Path,
    digest: str,
    report: Report | None = None,
) -> Ran:
    """Train a model folder on pairs; ``options.beta`` holds it to where it started.

    ``history`` has TRL's ``rewards/margins`` and ``rewards/accuracies`` of every step.

    Raises:
        As :func:`xinglin.train.decoder.run.run` and :func:`xinglin.train.decoder.adapters.open_base`.
    """

    def make(chosen: StageOptions) -> DPOTrainer:
        opened = open_base(folder, chosen.adapter)
        settings = DPOConfig(**arguments(chosen, state), max_length=chosen.length, beta=chosen.beta)
        return DPOTrainer(
            model=opened.model,
            ref_model=open_decoder(folder).model if chosen.adapter == "none" else None,
            args=settings,
            train_dataset=preference_rows(rows, opened.tokenizer),
            processing_class=opened.tokenizer,
            peft_config=adapter_config(chosen),
        )

    return run(make, options, state, digest, report)
