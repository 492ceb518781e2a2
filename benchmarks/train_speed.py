"""Training tokens a second: the project's loop against a bare `transformers` loop of the same model.

Same model, same text, same windows and masks, same optimiser and clipping, one thread. The bare loop is what one
would write by hand: no resumable state, no progress, no check of the loss. Both alternate in short rounds, so that
a change of the machine's load meets both; the figure is tokens a CPU second, since wall time on a shared machine says
little.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._line import Line, aim, quantile

ROOT = Path(__file__).resolve().parents[1]
ROUNDS, STEPS = 9, 4


def run(quick: bool) -> list[Line]:
    import torch

    from xinglin.train.options import PretrainOptions

    torch.set_num_threads(1)
    options = PretrainOptions(size="tiny" if quick else "small", steps=STEPS, threads=1, save_every=10_000)
    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data"))
    if not (data / "text").is_dir():
        why = "no folder text below the data folder (XINGLIN_DATA)"
        return [Line("train_speed", "not measured", None, "", 0, note=why)]
    corpus = _corpus(data / "text", quick)
    speeds: dict[str, list[float]] = {"ours": [], "bare": []}
    runs: dict[str, Callable[[int], float]] = {
        "ours": lambda seed: _ours(corpus, replace(options, seed=seed)),
        "bare": lambda seed: _bare(corpus, replace(options, seed=seed)),
    }
    for round_ in range(-1, 2 if quick else ROUNDS):  # round -1 warms up
        order = sorted(runs, reverse=bool(round_ % 2))
        for name in order:
            speed = runs[name](round_ + 1)
            if round_ >= 0:
                speeds[name].append(speed)
    ratios = [ours / bare for ours, bare in zip(speeds["ours"], speeds["bare"], strict=True)]
    ours, bare, ratio = (quantile(values, 0.5) for values in (speeds["ours"], speeds["bare"], ratios))
    name = f"pre-training, {options.size}, {options.batch_size} x {options.length} tokens, one thread"
    return [
        Line(
            name,
            "tokens per CPU second, median",
            ours.value,
            "tokens/s",
            len(ratios),
            ours.low,
            ours.high,
            reference=bare.value,
            reference_name="bare transformers loop, same run",
        ),
        Line(
            name,
            "ours / bare, median of paired rounds",
            ratio.value,
            "",
            len(ratios),
            ratio.low,
            ratio.high,
            note=aim(ratio.value, 0.9, "x", at_most=False),
        ),
    ]


def _corpus(folder: Path, quick: bool) -> Any:
    from xinglin.train.corpus import read_open_set
    from xinglin.train.pretrain import prepare_corpus

    passages, source = read_open_set("huatuo26m", folder)
    texts = [passage.text for passage in passages][: 300 if quick else None]
    return prepare_corpus(texts, [source], vocabulary=1000 if quick else 12_000)


def _ours(corpus: Any, options: Any) -> float:
    """Tokens per CPU second of the loop's steps, the state it writes at the end included."""
    import torch
    from transformers import ModernBertForMaskedLM

    from xinglin.model.sizes import build_config, shape
    from xinglin.train.loop import Plan, train
    from xinglin.train.pretrain import PretrainStep, _drawing

    torch.manual_seed(options.seed)
    model = ModernBertForMaskedLM(build_config(options.size, corpus.tokenizer.get_vocab_size()))
    rate = shape(options.size).learning_rate
    plan = Plan(options.steps, rate, options.warmup, 0.01, options.seed, 10_000, "benchmark", options.threads)
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        trained = train(
            PretrainStep(model, None, 0.0),
            _drawing(corpus.train, None, options),
            plan,
            Path(folder) / "run",
            report=lambda tick: None,
        )
        return trained.tokens / (time.process_time() - started)


def _bare(corpus: Any, options: Any) -> float:
    import torch
    from transformers import ModernBertForMaskedLM

    from xinglin.model.sizes import PAD, build_config, shape
    from xinglin.train.masking import masked_batch

    torch.manual_seed(options.seed)
    model = ModernBertForMaskedLM(build_config(options.size, corpus.tokenizer.get_vocab_size()))
    started, tokens = time.process_time(), 0
    optimiser = torch.optim.AdamW(model.parameters(), lr=shape(options.size).learning_rate, fused=True)
    order = np.random.default_rng(options.seed).permutation(corpus.train.windows(options.length))
    model.train()
    for step in range(options.steps):
        windows = order[step * options.batch_size : (step + 1) * options.batch_size]
        generator = np.random.default_rng(step)
        inputs, labels = (
            torch.from_numpy(array)
            for array in masked_batch(corpus.train, windows, options.length, generator)
        )
        mask = inputs != PAD if bool((inputs == PAD).any()) else None
        loss = model(input_ids=inputs, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        tokens += inputs.numel()
    return tokens / (time.process_time() - started)
