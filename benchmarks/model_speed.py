"""The text model: a whole diagnosis with it, HTTP with and without micro-batching, INT8 against transformers.

Which model: the folder in ``XINGLIN_MODEL``, else the shipped one, else one of random weights at size small (speed
does not depend on the weights; agreement then means little, and the lines say so). ``XINGLIN_LABELLED`` may name
JSON lines ``{"text": ..., "label": ...}``, on which the accuracy of both is compared.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._line import Line, aim, quantile
from benchmarks._load import Load, load, request
from benchmarks._texts import TEXTS
from benchmarks.http_speed import CONNECTIONS, HOST, server

THREADS = (1, 2)
BATCH = 8
NEEDED = 'needs torch and transformers: pip install "xinglin[train]"'


@dataclass(frozen=True, slots=True)
class Model:
    """The checkpoint that is timed."""

    folder: Path
    said: str
    """Which model it is, for the notes."""


def run(quick: bool) -> list[Line]:
    with tempfile.TemporaryDirectory() as home, _model(Path(home), quick) as model:
        return [
            *_diagnosis(model, Path(home), 2 if quick else 25),
            *_http(model, 1.0 if quick else 8.0),
            *_against_transformers(model, (1,) if quick else THREADS, 1 if quick else 12),
            *_accuracy(model),
        ]


@contextmanager
def _model(home: Path, quick: bool) -> Iterator[Model]:
    from xinglin.errors import UnknownNameError
    from xinglin.model.shipped import shipped_folder

    given = os.environ.get("XINGLIN_MODEL")
    if given:
        yield Model(Path(given), f"model {Path(given).name}")
        return
    try:
        folder = shipped_folder()
    except UnknownNameError:
        from tests.text_models import random_checkpoint

        from xinglin.graph.load import starter

        size = "tiny" if quick else "small"
        folder = random_checkpoint(home / "random", list(starter().diseases), size=size)
        yield Model(folder, f"RANDOM weights, size {size}")
        return
    yield Model(folder, f"shipped {folder.name}")


def _diagnosis(model: Model, home: Path, rounds: int) -> list[Line]:
    """The engines in turn on every text, so that both meet the same state of the machine."""
    from xinglin.apps.diagnosis import load_differential
    from xinglin.apps.diagnosis.answer import answer
    from xinglin.apps.diagnosis.facts import gather
    from xinglin.apps.diagnosis.remember import remember_prediction
    from xinglin.apps.diagnosis.render import as_json
    from xinglin.store import open_store

    both = load_differential(model.folder, engine="both")
    engines = {"graph": both.using("graph"), "both": both}
    store = open_store(f"sqlite:///{home / 'speed.db'}")
    times: dict[str, list[float]] = {name: [] for name in engines}
    for round_ in range(-1, rounds):  # round -1 warms up
        for text in TEXTS:
            for name, differential in engines.items():
                started = time.perf_counter()
                case = gather(differential, text)
                rendered = as_json(differential, answer(differential, case))
                remember_prediction(store, case.text, rendered, actor="benchmark")
                if round_ >= 0:
                    times[name].append(1000 * (time.perf_counter() - started))
    store.close()
    lines = []
    for q in (0.5, 0.99):
        graph, joined = (quantile(times[name], q) for name in ("graph", "both"))
        limit = f"{aim(joined.value, 15, 'ms')}; " if q == 0.5 else ""
        lines.append(
            Line(
                *("whole diagnosis, engine both, SQLite ledger", f"p{q * 100:.0f}", joined.value, "ms"),
                *(joined.n, joined.low, joined.high),
                reference=graph.value,
                reference_name="engine graph, same run",
                note=f"{limit}{len(TEXTS)} texts, one thread, {model.said}",
            )
        )
    return lines


def _http(model: Model, seconds: float) -> list[Line]:
    one = _load_of(model, 1, seconds)
    shared = _load_of(model, 16, seconds)
    rates = {name: len(found.latencies) / found.seconds for name, found in (("one", one), ("shared", shared))}
    lines = [
        Line(
            *("POST /api/diagnose, engine both, micro-batching", "requests/s", rates["shared"], "1/s"),
            len(shared.latencies),
            reference=rates["one"],
            reference_name="the same server with --batch 1, same run",
            note=f"{aim(rates['shared'], 200, 'requests/s', at_most=False)}; {CONNECTIONS} keep-alive "
            f"connections, loopback, {shared.seconds:.1f} s, {os.cpu_count()} cores, {model.said}; an INT8 model "
            "runs its texts one by one with either",
        )
    ]
    for q in (0.5, 0.99):
        ours, theirs = (quantile([1000 * x for x in found.latencies], q) for found in (shared, one))
        lines.append(
            Line(
                *("POST /api/diagnose, engine both, micro-batching", f"p{q * 100:.0f}", ours.value, "ms"),
                *(ours.n, ours.low, ours.high),
                reference=theirs.value,
                reference_name="the same server with --batch 1, same run",
                note="client side",
            )
        )
    errors = float(one.errors + shared.errors)
    answered = len(one.latencies) + len(shared.latencies)
    lines.append(
        Line("POST /api/diagnose, engine both", "errors", errors, "requests", answered, note="must be 0")
    )
    return lines


def _load_of(model: Model, batch: int, seconds: float) -> Load:
    options = ["--no-workbench", "--model", str(model.folder), "--engine", "both", "--batch", str(batch)]
    with tempfile.TemporaryDirectory() as home, server(Path(home), options) as (_, port):
        bodies = [json.dumps({"text": text}, ensure_ascii=False).encode() for text in TEXTS]
        posts = [request("POST", "/api/diagnose", f"{HOST}:{port}", body) for body in bodies]
        load(HOST, port, posts, CONNECTIONS, seconds / 8)
        found = load(HOST, port, posts, CONNECTIONS, seconds)
    if not found.latencies:
        raise RuntimeError(f"no request was answered, {found.errors} failed: look at the server's log")
    return found


def _against_transformers(model: Model, threads: Sequence[int], rounds: int) -> list[Line]:
    lines = []
    for count in threads:
        try:
            timed = _timed(model, count, rounds)
        except ModuleNotFoundError:
            return [Line("runtime against transformers fp32", "times faster", None, "x", 0, note=NEEDED)]
        for name in ("batch 1", f"batch {BATCH}"):
            ours, theirs = (quantile(timed[side, name], 0.5) for side in ("ours", "theirs"))
            faster = theirs.value / ours.value
            lines.append(
                Line(
                    *(
                        f"{timed['precision']} runtime, {name}, {count} thread(s)",
                        "p50 a text",
                        ours.value,
                        "ms",
                    ),
                    *(ours.n, ours.low, ours.high),
                    reference=theirs.value,
                    reference_name="transformers fp32 text-classification pipeline, same run",
                    note=f"{faster:.2f} times faster, {aim(faster, 4, 'times', at_most=False)}; {len(TEXTS)} texts, "
                    f"{model.said}",
                )
            )
        if count == threads[0]:
            lines.append(_agreement(timed["agree"], timed["labels"], model))
    return lines


def _timed(model: Model, threads: int, rounds: int) -> dict[Any, Any]:
    """Milliseconds a text of both sides, in turn, at batch 1 and at ``BATCH``; and where their first labels agree."""
    pipeline = _pipeline(model, threads)
    ours = _runtime(model, threads)
    precision = ours.precision.upper()
    runs: dict[tuple[str, str], Callable[[Sequence[str]], Any]] = {
        ("ours", "batch 1"): ours.logits,
        ("theirs", "batch 1"): lambda texts: pipeline(list(texts), batch_size=1),
        ("ours", f"batch {BATCH}"): ours.logits,
        ("theirs", f"batch {BATCH}"): lambda texts: pipeline(list(texts), batch_size=BATCH),
    }
    found: dict[Any, Any] = {key: [] for key in runs}
    for round_ in range(-1, rounds):
        for (side, name), act in runs.items():
            size = 1 if name == "batch 1" else BATCH
            for first in range(0, len(TEXTS), size):
                texts = TEXTS[first : first + size]
                started = time.perf_counter()
                act(texts)
                if round_ >= 0:
                    found[side, name].append(1000 * (time.perf_counter() - started) / len(texts))
    theirs = [item["label"] for item in pipeline(list(TEXTS), batch_size=1)]
    return found | {
        "agree": [a == b for a, b in zip(_first(model, TEXTS), theirs, strict=True)],
        "precision": precision,
        "labels": len(ours.labels),
    }


def _pipeline(model: Model, threads: int) -> Any:
    import torch
    from transformers import pipeline
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    torch.set_num_threads(threads)
    return pipeline("text-classification", model=str(model.folder), device="cpu", truncation=True)


def _runtime(model: Model, threads: int = 1) -> Any:
    from xinglin.model.runtime import TextClassifier

    return TextClassifier.load(model.folder, threads=threads)


def _first(model: Model, texts: Sequence[str]) -> list[str]:
    loaded = _runtime(model)
    return [loaded.labels[place] for place in loaded.logits(texts).argmax(axis=1)]


def _agreement(agree: Sequence[bool], labels: int, model: Model) -> Line:
    from xinglin.measure import proportion

    share = proportion(sum(agree), len(agree))
    return Line(
        *(
            "runtime and transformers fp32",
            "same first label",
            share.value,
            "",
            share.n,
            share.low,
            share.high,
        ),
        note=f"of {labels:,} labels; {model.said}",
    )


def _accuracy(model: Model) -> list[Line]:
    """Accuracy of both on a labelled file, paired."""
    name, figure = "runtime on labelled texts", "top-1 accuracy"
    given = os.environ.get("XINGLIN_LABELLED")
    if not given:
        return [Line(name, figure, None, "", 0, note="XINGLIN_LABELLED names no file of labelled texts")]
    import numpy as np

    from xinglin.measure import paired_accuracy, proportion

    rows = [json.loads(line) for line in Path(given).read_text(encoding="utf-8").splitlines() if line.strip()]
    texts, labels = [row["text"] for row in rows], [row["label"] for row in rows]
    try:
        theirs = [item["label"] for item in _pipeline(model, 1)(texts, batch_size=1)]
    except ModuleNotFoundError:
        return [Line(name, figure, None, "", 0, note=NEEDED)]
    hits, others = (
        np.array([label == truth for label, truth in zip(found, labels, strict=True)])
        for found in (_first(model, texts), theirs)
    )
    share, test = proportion(int(hits.sum()), len(hits)), paired_accuracy(hits, others)
    lost = -100 * test.gain
    return [
        Line(
            *(name, figure, share.value, "", share.n, share.low, share.high),
            reference=float(others.mean()),
            reference_name="transformers fp32 pipeline, same run",
            note=f"points lost {lost:.2f} [{-100 * test.high:.2f}, {-100 * test.low:.2f}], "
            f"{aim(lost, 0.5, 'points')}; {model.said}",
        )
    ]
