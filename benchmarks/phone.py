"""The phone: the shipped text classifier as ExecuTorch .pte, 32 and 8 bits, beside ONNX Runtime; size, p50, p99, difference.

Run by ExecuTorch's own runtime on this processor, not on a phone. Texts are the sample texts of the exports, in turn on
every side, one thread. Needs executorch (docs/devices.md says how); without it the lines say so.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._line import Line, quantile
from xinglin.errors import MissingExtraError
from xinglin.model.runtime import INT8, TextClassifier
from xinglin.model.shipped import shipped_folder

Answers = Callable[[dict[str, NDArray[np.int64]]], NDArray[np.float32]]
NAMES = {"fp32": "ExecuTorch, 32 bits", "int8": "ExecuTorch, INT8"}


def run(quick: bool) -> list[Line]:
    from xinglin.release.export.executorch import FILE, export, runner

    folder = shipped_folder()
    kinds = ("fp32",) if quick else ("fp32", "int8")
    with tempfile.TemporaryDirectory() as place:
        sides: dict[str, tuple[Answers, int]] = {}
        for kind in kinds:
            out = Path(place) / kind
            out.mkdir()
            try:
                export(folder, out, kind=kind)
                sides[NAMES[kind]] = (runner(out)[0], (out / FILE).stat().st_size)
            except MissingExtraError as error:
                return [Line("ExecuTorch", "p50", None, "ms", 0, note=str(error))]
        return _measured(folder, sides, 5 if quick else 200)


def _measured(folder: Path, sides: dict[str, tuple[Answers, int]], count: int) -> list[Line]:
    import torch

    from xinglin.release.export.probe_sets import text_feeds
    from xinglin.release.export.report import sample_texts
    from xinglin.release.export.source import open_source

    torch.set_num_threads(1)
    source = open_source(folder)
    feeds: list[Any] = list(text_feeds(folder, sample_texts(count)))
    classifier = TextClassifier.load(folder, precision="int8")
    session = classifier._session

    def onnx(feed: dict[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = session.run(["logits"], dict(feed))[0]
        return found

    sides = {"ONNX Runtime, INT8": (onnx, (folder / INT8).stat().st_size)} | sides
    times: dict[str, list[float]] = {name: [] for name in sides}
    answers: dict[str, list[NDArray[np.float32]]] = {name: [] for name in sides}
    right = [source.run(feed) for feed in feeds]
    for answer, _ in sides.values():
        answer(feeds[0])
    for feed in feeds:
        for name, (answer, _) in sides.items():
            started = time.perf_counter()
            answers[name].append(answer(feed))
            times[name].append(1000 * (time.perf_counter() - started))
    expected = np.concatenate(right)
    lines = []
    for name, (_, size) in sides.items():
        found = np.concatenate(answers[name])
        same = float((found.argmax(1) == expected.argmax(1)).mean())
        n = len(expected)
        lines.append(Line(name, "size", size / 1e6, "MB", 1))
        for q in (0.5, 0.99):
            figure = quantile(times[name], q)
            lines.append(Line(name, f"p{q * 100:.0f}", figure.value, "ms", n, figure.low, figure.high))
        delta = float(np.abs(found - expected).max())
        note = f"spread of torch's logits {expected.std():.2f}"
        lines.append(Line(name, "largest difference of a logit to torch", delta, "", n, note=note))
        lines.append(Line(name, "same first label as torch", same, "share", n))
    return lines
