"""Real time: micro-batching, length buckets and early exit under Poisson arrivals; p50, p99, CPU seconds a thousand cases.

Each answer is computed for real and takes the CPU time of its thread; arrivals and waiting run on a clock of their own,
with one server. So other jobs of a shared machine do not stretch the queue; they still make the same work dearer by a
fifth from one minute to the next. Hence every policy is run in turn, three times over, and one helps only if it saves CPU
in each of the three rounds (which chance alone does once in eight). The texts are questions of patients
(toyhom, development part) in the order of a seeded draw, the same for every policy. ``XINGLIN_MODEL`` may name a folder
with ``model.onnx`` beside ``model.int8.onnx``; without it the lines in 32 bits are left out and say so.
"""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._early_exit import early_exit
from benchmarks._line import Line, quantile
from xinglin.apps.diagnosis import load_differential
from xinglin.apps.diagnosis.answer import answer
from xinglin.apps.diagnosis.facts import gather
from xinglin.apps.diagnosis.render import as_json
from xinglin.model.runtime import FP32, TextClassifier
from xinglin.model.shipped import shipped_folder
from xinglin.serve.batching import LARGEST, alike

DATA = Path(os.environ.get("XINGLIN_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
ASKED = "text/toyhom_internal_medicine_dialogue/dev.jsonl.gz"
LOADS = (0.5, 0.9)
"""Arrivals as a share of what one server answers one by one."""
ROUNDS = 3
SEED = 12

Serve = Callable[[Sequence[str]], Any]
Choose = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True)
class Policy:
    """How waiting texts are taken."""

    name: str
    choose: Choose
    """Places in the queue (oldest first) of the next batch."""


def oldest(waiting: Sequence[str]) -> list[int]:
    """One by one."""
    return [0]


def together(waiting: Sequence[str]) -> list[int]:
    """All that wait, up to the largest batch."""
    return list(range(min(len(waiting), LARGEST)))


def bucketed(waiting: Sequence[str]) -> list[int]:
    """The oldest and those of its bucket of length, as the server takes them."""
    return alike(waiting, LARGEST)


ONE, BATCH, BUCKET = (
    Policy("one by one", oldest),
    Policy("micro-batch", together),
    Policy("buckets", bucketed),
)


@dataclass(frozen=True, slots=True)
class Served:
    """What a run of all arrivals gave."""

    waited: list[float]
    """Milliseconds from arrival to answer."""
    cpu: float
    """Seconds."""
    largest: int


def run(quick: bool) -> list[Line]:
    texts = texts_asked(24 if quick else 250)
    given = os.environ.get("XINGLIN_MODEL")
    folder = Path(given) if given else shipped_folder()
    small = TextClassifier.load(folder, precision="int8")
    lines = [*_coupled(small, texts)]
    # Told that it is in 32 bits, the runtime pads and batches an 8-bit model as well: what batching would give.
    batched = replace(small, precision="fp32")
    jobs: list[tuple[str, list[tuple[Policy, Serve]]]] = [
        ("text model, INT8", [(ONE, small.logits), (BATCH, batched.logits), (BUCKET, batched.logits)])
    ]
    if (folder / FP32).is_file():
        wide = TextClassifier.load(folder, precision="fp32")
        jobs.append(("text model, 32 bits", [(p, wide.logits) for p in (ONE, BATCH, BUCKET)]))
    else:
        note = f"no {FP32} beside the INT8 file: set XINGLIN_MODEL to an export"
        lines.append(Line("text model, 32 bits", "p50", None, "ms", 0, note=note))
    whole = _diagnosis(folder)
    jobs.append(("whole diagnosis, engine both, INT8", [(ONE, whole(small)), (BATCH, whole(batched))]))
    for name, pairs in jobs:
        lines += _compared(name, pairs, texts)
    return lines + early_exit(folder, quick)


def texts_asked(count: int) -> list[str]:
    """Return questions of patients in a seeded order; the authored texts where the data are absent."""
    path = DATA / ASKED
    if not path.is_file():
        from benchmarks._texts import TEXTS

        return [TEXTS[i % len(TEXTS)] for i in range(count)]
    with gzip.open(path, "rt", encoding="utf-8") as file:
        asked = list(dict.fromkeys(str(json.loads(line)["ask"]) for line in file))
    asked = [text for text in asked if text.strip()]
    chosen = np.random.default_rng(SEED).choice(len(asked), size=min(count, len(asked)), replace=False)
    return [asked[int(i)] for i in chosen]


def _diagnosis(folder: Path) -> Callable[[TextClassifier], Serve]:
    differential = load_differential(folder, engine="both")

    def of(model: TextClassifier) -> Serve:
        def serve(texts: Sequence[str]) -> None:
            cases = [gather(differential, text) for text in texts]
            for case, row in zip(cases, model.logits([case.text for case in cases]), strict=True):
                as_json(differential, answer(differential, case, logits=row))

        return serve

    return of


def serve_all(policy: Policy, serve: Serve, texts: Sequence[str], arrivals: Sequence[float]) -> Served:
    """Let one server answer every text; its own CPU time is what passes on the clock while it works."""
    now, cpu, next_, largest = 0.0, 0.0, 0, 0
    queue: list[int] = []
    waited = [0.0] * len(texts)
    while next_ < len(texts) or queue:
        if not queue:
            now = max(now, arrivals[next_])
        while next_ < len(texts) and arrivals[next_] <= now:
            queue.append(next_)
            next_ += 1
        places = policy.choose([texts[i] for i in queue])
        batch = [queue[place] for place in places]
        queue = [item for place, item in enumerate(queue) if place not in set(places)]
        started = time.thread_time()
        serve([texts[i] for i in batch])
        spent = time.thread_time() - started
        now, cpu, largest = now + spent, cpu + spent, max(largest, len(batch))
        for i in batch:
            waited[i] = 1000 * (now - arrivals[i])
    return Served(waited, cpu, largest)


def _compared(name: str, pairs: Sequence[tuple[Policy, Serve]], texts: Sequence[str]) -> list[Line]:
    for _, serve in pairs:
        serve(texts[:8])
    alone = pairs[0][1]
    started = time.thread_time()
    for text in texts:
        alone([text])
    mean = (time.thread_time() - started) / len(texts)
    lines = []
    for load in LOADS:
        gaps = np.random.default_rng(SEED).exponential(mean / load, size=len(texts))
        arrivals = np.cumsum(gaps).tolist()
        found: dict[str, list[Served]] = {policy.name: [] for policy, _ in pairs}
        for _ in range(ROUNDS):
            for policy, serve in pairs:
                found[policy.name].append(serve_all(policy, serve, texts, arrivals))
        for policy, _ in pairs:
            rounds, base = found[policy.name], found[ONE.name]
            lines += _lines(f"{name}, {policy.name}, load {load:g}", rounds, base, policy is ONE)
    return lines


def _lines(name: str, found: list[Served], base: list[Served], first: bool) -> list[Line]:
    lines = []
    other: dict[str, Any] = {} if first else {"reference_name": "one by one, same arrivals"}
    waited, waited_base = ([ms for item in side for ms in item.waited] for side in (found, base))
    n = len(waited)
    for q in (0.5, 0.99):
        figure, reference = (quantile(side, q) for side in (waited, waited_base))
        said = f"largest batch {max(item.largest for item in found)}"
        lines.append(
            Line(
                *(name, f"p{q * 100:.0f}", figure.value, "ms", n, figure.low, figure.high),
                reference=None if first else reference.value,
                note=said,
                **other,
            )
        )
    cpu, cpu_base = ([1000 * item.cpu / len(item.waited) for item in side] for side in (found, base))
    helps = all(one < other for one, other in zip(cpu, cpu_base, strict=True))
    verdict = f"saves CPU in {'every round' if helps else 'NOT every round: no help'}"
    lines.append(
        Line(
            *(name, "CPU a thousand cases", float(np.median(cpu)), "s", n, min(cpu), max(cpu)),
            reference=None if first else float(np.median(cpu_base)),
            note=f"median, least and most of {ROUNDS} rounds" if first else verdict,
            **other,
        )
    )
    return lines


def _coupled(small: TextClassifier, texts: Sequence[str]) -> list[Line]:
    """What a batch would cost an INT8 model: the scales of a whole run couple its texts."""
    alone = small.logits(texts)
    batch = replace(small, precision="fp32").logits(texts)
    same = float((alone.argmax(1) == batch.argmax(1)).mean())
    share = float(np.abs(alone - batch).max() / alone.std())
    return [
        Line(
            *("INT8, answers in a batch and alone", "same first label", same, "share", len(texts)),
            note=f"largest difference of a logit {share:.3f} of their spread: why INT8 is run one by one",
        )
    ]
