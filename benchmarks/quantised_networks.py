"""Networks other than the text encoder in 8 bits: the decoder of molecules and a small language model, dense or of experts.

Arms on the same held-out texts: float; rounded after training (scales observed on training texts, nothing learnt); trained
for 8 bits; and float trained on for as many steps, so that what training itself brings is not credited to the rounding.
Step count and learning rate were set once, before any held-out figure was seen. Set ``XINGLIN_QUANTISED_DECODER`` to the
folder of a language model (docs/assistant-training.md); without it the shipped ``assistant-tiny`` is taken.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks._line import Line
from xinglin.measure import bootstrap
from xinglin.model.shipped import shipped_folder
from xinglin.train.quantize import fold, insert

ROOT = Path(__file__).resolve().parents[1]
STEPS, OBSERVED, RATE = 150, 40, 1e-4
LENGTH = 128
"""Tokens of a block of text."""
Batches = Callable[[int], torch.Tensor]
"""Step to ids (rows, length), padded with -1."""


def run(quick: bool) -> list[Line]:
    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data"))
    if not data.is_dir():
        return [Line("8 bits", "nats", None, "", 0, note="no data: set XINGLIN_DATA to the data folder")]
    folder = os.environ.get("XINGLIN_QUANTISED_DECODER")
    decoder = Path(folder) if folder else shipped_folder("assistant-tiny")
    return [*_molecules(data, quick), *_texts(data, decoder, quick)]


def _molecules(data: Path, quick: bool) -> list[Line]:
    from xinglin.model.molecule.tokens import PAD, Tokens
    from xinglin.train.molecules.smiles import drawing, read_corpus

    folder = shipped_folder("molecules-prior")
    corpus, tokens = read_corpus(data / "molecules" / "zinc250k" / "zinc250k.smi.xz"), Tokens.load(folder)
    pick = drawing(corpus.train, tokens, 64, 128, 0, 0.0)
    held = tokens.encode(corpus.held_out[: 40 if quick else 2_000])
    return _arms("decoder of molecules", folder, lambda step: _padded(pick(step), PAD), held, quick)


def _texts(data: Path, folder: Path, quick: bool) -> list[Line]:
    from xinglin.model.decoder import open_decoder
    from xinglin.train.decoder.corpus import documents

    tokenizer = open_decoder(folder).tokenizer

    def blocks(texts: Iterator[str]) -> Iterator[list[int]]:
        for text in texts:
            ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
            yield from (ids[at : at + LENGTH] for at in range(0, len(ids) - 8, LENGTH))

    wanted = (STEPS + OBSERVED) * 8
    learnt = list(islice(blocks(documents(data)), 60 if quick else wanted))
    np.random.default_rng(0).shuffle(learnt)
    held = list(islice(blocks(documents(data, "held_out")), 20 if quick else 300))
    name = f"{open_decoder(folder).model.config.model_type} language model ({folder.name})"
    return _arms(
        name,
        folder,
        lambda step: _padded([learnt[(8 * step + i) % len(learnt)] for i in range(8)]),
        held,
        quick,
    )


def _arms(name: str, folder: Path, batches: Batches, held: list[list[int]], quick: bool) -> list[Line]:
    steps, observed = (2, 2) if quick else (STEPS, OBSERVED)
    found = {"float": _nats(_open(folder), held)}
    model = insert(_open(folder))
    _observe(model, batches, observed)
    fold(model)
    found["rounded afterwards"] = _nats(model, held)
    for arm, quantised in (("trained for 8 bits", True), ("float, trained on as long", False)):
        model = _open(folder)
        if quantised:
            insert(model)
            _observe(model, batches, observed)
        _learn(model, batches, steps)
        if quantised:
            layers = len(fold(model))
        found[arm] = _nats(model, held)
    lines = []
    for arm, nats in found.items():
        figure = bootstrap(partial(_mean, nats), len(nats))
        lost = bootstrap(partial(_mean, nats - found["float"]), len(nats))
        note = (
            ""
            if arm == "float"
            else f"over float {lost.value:+.4f} [{lost.low:+.4f}, {lost.high:+.4f}], paired"
        )
        if arm == "trained for 8 bits":
            note += f"; {layers} layers; {steps} steps"
        lines.append(
            Line(f"{name}, {arm}", "held out, nats a token", figure.value, "", len(nats), figure.low, figure.high, note=note)
        )  # fmt: skip
    return lines


def _open(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    model.config.output_router_logits = False
    return model.eval()


def _padded(rows: list[list[int]], pad: int | None = None) -> torch.Tensor:
    kept = [[one for one in row if one != pad] for row in rows]
    ids = torch.full((len(kept), max(map(len, kept))), -1)
    for place, row in enumerate(kept):
        ids[place, : len(row)] = torch.tensor(row)
    return ids


def _loss(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """Nats of each row (rows,), mean over its tokens after the first; causality makes a mask needless."""
    logits = model(input_ids=ids.clamp(min=0)).logits[:, :-1]
    wanted = ids[:, 1:]
    nats = torch.nn.functional.cross_entropy(
        logits.transpose(1, 2), wanted.clamp(min=0), reduction="none"
    ) * (wanted >= 0)
    return nats.sum(1) / (wanted >= 0).sum(1)


def _observe(model: Any, batches: Batches, steps: int) -> None:
    model.train()
    with torch.no_grad():
        for step in range(steps):
            model(input_ids=batches(step).clamp(min=0))
    model.eval()


def _learn(model: Any, batches: Batches, steps: int) -> None:
    model.train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    for step in range(steps):
        loss = _loss(model, batches(OBSERVED + step)).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
    model.eval()


@torch.inference_mode()
def _nats(model: Any, held: list[list[int]]) -> NDArray[np.float64]:
    model.eval()
    order = sorted(range(len(held)), key=lambda place: len(held[place]))
    found = np.zeros(len(held))
    for start in range(0, len(order), 32):
        part = order[start : start + 32]
        found[part] = _loss(model, _padded([held[place] for place in part])).double().numpy()
    return found


def _mean(values: NDArray[np.float64], index: NDArray[np.int64]) -> float:
    return float(values[index].mean())
