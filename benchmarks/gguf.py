"""Decoders in 4 bits: a GGUF file in llama.cpp beside transformers in 32 bits; size, perplexity, agreement, tokens.

``XINGLIN_DECODER`` names the folder of a decoder (Llama, Qwen3 or Qwen3-MoE) and ``XINGLIN_LLAMA_CPP`` a folder with
node-llama-cpp; without either the line says so. Texts: questions of patients (toyhom, development part), 64 tokens of each.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks._line import Line
from benchmarks.realtime import texts_asked
from xinglin.errors import XinglinError
from xinglin.measure import bootstrap, proportion

LONGEST = 64
Logits = Callable[[list[int]], NDArray[np.float32]]


def run(quick: bool) -> list[Line]:
    given = os.environ.get("XINGLIN_DECODER")
    if not given:
        return [_absent("no decoder: set XINGLIN_DECODER to a folder")]
    import torch

    from xinglin.model.decoder.opening import open_decoder
    from xinglin.release.export.gguf import FILE, KINDS, export
    from xinglin.release.export.llama_cpp import LlamaCpp

    torch.set_num_threads(1)
    decoder = open_decoder(Path(given))
    size = int(decoder.model.config.vocab_size)
    texts = texts_asked(3 if quick else 150)
    texts = [text for text in texts if len(text) > 8]
    rows = [decoder.tokenizer(text, add_special_tokens=False)["input_ids"][:LONGEST] for text in texts]

    def source(ids: list[int]) -> NDArray[np.float32]:
        with torch.no_grad():
            found: NDArray[np.float32] = decoder.model(torch.tensor([ids])).logits[0].numpy()
        return found

    right = [source(row) for row in rows]
    base = [_losses(logits, row) for logits, row in zip(right, rows, strict=True)]
    weights = sum(path.stat().st_size for path in decoder.folder.glob("*.safetensors"))
    note = (
        f"decoder {decoder.folder.name}, id {decoder.id[:12]}, {decoder.model.num_parameters():,} parameters"
    )
    lines = [_perplexity("transformers, 32 bits", base, None, note)]
    with tempfile.TemporaryDirectory() as place:
        for kind in ("Q4_0",) if quick else KINDS:
            (path,) = export(decoder.folder, Path(place), kind=kind)
            try:
                model = LlamaCpp(path)
            except XinglinError as error:
                return [*lines, _absent(str(error))]
            name = f"{FILE}, {kind}, llama.cpp {model.version}"
            found = [model.logits(row, size) for row in rows]
            tokens = sum(model.tokens(text)[:LONGEST] == row for text, row in zip(texts, rows, strict=True))
            model.close()
            lines.append(
                Line(
                    *(name, "size", path.stat().st_size / 1e6, "MB", 1),
                    reference=weights / 1e6,
                    reference_name="model.safetensors",
                )
            )
            lines.append(
                _perplexity(
                    name, [_losses(logits, row) for logits, row in zip(found, rows, strict=True)], base
                )
            )
            same = np.concatenate(
                [one.argmax(1) == other.argmax(1) for one, other in zip(found, right, strict=True)]
            )
            agreed = proportion(int(same.sum()), same.size)
            lines.append(
                Line(name, "same next token", agreed.value, "share", agreed.n, agreed.low, agreed.high)
            )
            lines.append(Line(name, "texts with the same tokens", tokens / len(rows), "share", len(rows)))
    return lines


def _losses(logits: NDArray[np.float32], ids: list[int]) -> NDArray[np.float64]:
    """Negative log likelihood of each token after the first."""
    rows = logits[:-1].astype(np.float64)
    top = rows.max(1, keepdims=True)
    spread = top[:, 0] + np.log(np.exp(rows - top).sum(1))
    found: NDArray[np.float64] = spread - rows[np.arange(len(rows)), ids[1:]]
    return found


def _perplexity(
    name: str,
    losses: list[NDArray[np.float64]],
    base: list[NDArray[np.float64]] | None,
    note: str = "",
) -> Line:
    def over(chosen: NDArray[np.int64]) -> float:
        return float(np.exp(np.concatenate([losses[i] for i in chosen]).mean()))

    figure = bootstrap(over, len(losses), repetitions=300)
    reference = None if base is None else float(np.exp(np.concatenate(base).mean()))
    named = None if base is None else "transformers, 32 bits"
    return Line(
        *(name, "perplexity", figure.value, "", figure.n, figure.low, figure.high),
        reference=reference,
        reference_name=named,
        note=note,
    )


def _absent(note: str) -> Line:
    return Line("GGUF in llama.cpp", "perplexity", None, "", 0, note=note)
