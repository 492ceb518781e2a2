"""BERT against ModernBERT as the encoder: masked language modelling at equal size and equal CPU time.

Both see the same text, tokens, windows and masks, with the loss on the masked positions alone, on one thread;
each is given the better of its learning rates. The figure is the loss on documents that neither was trained on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._line import Line

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 150.0
LENGTH, ROWS = 128, 32
RATES = {"BERT": (5e-4, 1e-3), "ModernBERT": (1e-3, 2e-3)}


def run(quick: bool) -> list[Line]:
    import torch

    torch.set_num_threads(1)
    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data"))
    if not (data / "text").is_dir():
        why = "no folder text below the data folder (XINGLIN_DATA)"
        return [Line("architecture", "not measured", None, "", 0, note=why)]
    corpus = _corpus(data / "text", quick)
    seconds = 2.0 if quick else SECONDS
    best: dict[str, tuple[float, float, int, int]] = {}
    for name, rates in RATES.items():
        for rate in rates[:1] if quick else rates:
            loss, steps, size = _trained(name, rate, corpus, seconds)
            if name not in best or loss < best[name][0]:
                best[name] = (loss, rate, steps, size)
    reference = best["BERT"][0]
    return [
        Line(
            f"{name}, {size / 1e6:.2f} M parameters",
            "validation loss, nats a masked token",
            loss,
            "nats",
            steps * ROWS * LENGTH,
            reference=reference,
            reference_name="BERT, same run",
            note=f"{steps} steps in {seconds:.0f} s of CPU at a learning rate of {rate}; n counts training tokens",
        )
        for name, (loss, rate, steps, size) in best.items()
    ]


def _corpus(folder: Path, quick: bool) -> Any:
    from xinglin.train.corpus import read_open_set
    from xinglin.train.pretrain import prepare_corpus

    texts, sources = [], []
    for name in ("toyhom",) if quick else ("toyhom", "huatuo26m", "cmexam", "bencao"):
        passages, source = read_open_set(name, folder)
        texts += [passage.text for passage in passages][: 200 if quick else None]
        sources.append(source)
    return prepare_corpus(texts, sources, vocabulary=1000 if quick else 12_000)


def _trained(name: str, rate: float, corpus: Any, seconds: float) -> tuple[float, int, int]:
    import torch

    from xinglin.train.loop import schedule
    from xinglin.train.masking import masked_batch

    torch.manual_seed(0)
    model, losses = _model(name, corpus.tokenizer.get_vocab_size())
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    count, step = corpus.train.windows(LENGTH), 0
    order = np.random.default_rng(0).permutation(count)
    started, estimate = time.process_time(), 10**9
    while step < estimate:
        windows = [int(order[(step * ROWS + i) % count]) for i in range(ROWS)]
        inputs, labels = masked_batch(corpus.train, windows, LENGTH, np.random.default_rng((0, step)))
        for group in optimiser.param_groups:
            group["lr"] = rate * schedule(step, min(estimate, 10_000), 0.05)
        loss = losses(torch.from_numpy(inputs), torch.from_numpy(labels))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        step += 1
        if step == 5:  # the schedule needs an end: as many steps as the time will allow
            estimate = max(6, int(seconds / ((time.process_time() - started) / step)))
    model.eval()
    generator, total, asked = np.random.default_rng(1), 0.0, 0
    with torch.no_grad():
        for first in range(0, min(corpus.validation.windows(LENGTH), 128), ROWS):
            last = min(first + ROWS, corpus.validation.windows(LENGTH))
            inputs, labels = masked_batch(corpus.validation, range(first, last), LENGTH, generator)
            many = int((labels >= 0).sum())
            total += float(losses(torch.from_numpy(inputs), torch.from_numpy(labels))) * many
            asked += many
    return total / asked, step, sum(p.numel() for p in model.parameters())


def _model(name: str, vocabulary: int) -> tuple[Any, Callable[[Any, Any], Any]]:
    from torch.nn import functional
    from transformers import BertConfig, BertForMaskedLM, ModernBertForMaskedLM

    from xinglin.model.sizes import build_config

    if name == "ModernBERT":
        model = ModernBertForMaskedLM(build_config("small", vocabulary))
        return model, lambda ids, labels: model(input_ids=ids, attention_mask=ids != 0, labels=labels).loss
    bert = BertForMaskedLM(
        BertConfig(
            vocab_size=vocabulary,
            hidden_size=256,
            num_hidden_layers=4,
            num_attention_heads=4,
            intermediate_size=768,  # two matrices of 768 weigh what ModernBERT's three of 512 do
            max_position_embeddings=512,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    )

    def losses(ids: Any, labels: Any) -> Any:
        hidden = bert.bert(input_ids=ids, attention_mask=ids != 0).last_hidden_state
        return functional.cross_entropy(bert.cls(hidden[labels >= 0]), labels[labels >= 0])

    return bert, losses
