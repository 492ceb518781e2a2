"""Reading a text into coded findings: time per 120 characters, beside a plain search for every surface form."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks._line import Line, quantiles
from benchmarks._texts import TEXTS

CHARACTERS = 120


def run(quick: bool) -> list[Line]:
    from xinglin.terms import read, starter_vocabulary

    vocabulary = starter_vocabulary()
    texts = {
        "Chinese": [text for text in TEXTS if not text.isascii()],
        "English": [text for text in TEXTS if text.isascii()],
    }
    forms = sorted(
        {form.lower() for term in vocabulary.findings.values() for form in (term.name, term.en) if form}
    )
    lines = []
    for language, own in texts.items():
        pieces = _pieces(own)
        rounds = 1 if quick else 20
        ours = _times(lambda piece: read(piece, vocabulary), pieces, rounds)
        floor = _times(
            lambda piece: (lower := piece.lower()) and [form for form in forms if form in lower],
            pieces[:3],
            rounds,
        )
        found = sum(len(read(piece, vocabulary).findings) for piece in pieces) / len(pieces)
        lines += quantiles(
            f"terms.read, {language}, {CHARACTERS} characters",
            *(
                ours,
                "ms",
                f"{len(pieces)} pieces, {found:.1f} findings each, with values, negation and header",
            ),
            reference=sorted(floor)[len(floor) // 2],
            reference_name=f"str.find of {len(forms):,} names only, same run",
        )
    return lines


def _pieces(texts: list[str]) -> list[str]:
    """Join the texts and cut them into pieces of 120 characters."""
    joined = "。".join(texts) if not texts[0].isascii() else ". ".join(texts)
    return [joined[i : i + CHARACTERS] for i in range(0, len(joined) - CHARACTERS + 1, CHARACTERS)]


def _times(call: Callable[[str], Any], pieces: list[str], rounds: int) -> list[float]:
    for piece in pieces:
        call(piece)
    samples = []
    for _ in range(rounds):
        for piece in pieces:
            started = time.perf_counter()
            call(piece)
            samples.append(1000 * (time.perf_counter() - started))
    return samples
