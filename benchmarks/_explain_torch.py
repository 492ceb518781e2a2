"""Models as log-probabilities of texts, for the benchmarks of explanations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import log_softmax

from xinglin.explain.game import Score


def log_softmax_of(model: Any) -> Score:
    """Anything with ``logits(texts)``."""
    return lambda texts: log_softmax(np.asarray(model.logits(list(texts)), np.float64), axis=1)


def pipeline_score(folder: Path, batch: int) -> Score:
    """The fp32 ``transformers`` pipeline as its documentation has it: all classes, raw scores."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True
    )
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    classify = pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu")
    place = {label: i for i, label in model.config.id2label.items()}

    def score(texts: Sequence[str]) -> Any:
        answers = classify(
            list(texts),
            top_k=None,
            function_to_apply="none",
            batch_size=batch,
            truncation=True,
            max_length=256,
        )
        logits = np.empty((len(texts), len(place)))
        for row, answer in enumerate(answers):
            for item in answer:
                logits[row, place[item["label"]]] = item["score"]
        return log_softmax(logits, axis=1)

    return score
