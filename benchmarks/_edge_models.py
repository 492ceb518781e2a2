"""The department classifier of the edge's table: trained in float, on in float and for 8 bits, exported every way."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xinglin.train.options import FineTuneOptions

ROOT = Path(__file__).resolve().parents[1]
SET = "text/toyhom_internal_medicine_dialogue/dev.jsonl.gz"
LENGTH = 128
METHODS = ("minmax", "percentile", "entropy")
Labelled = list[tuple[str, int]]


class Split:
    """The set in three parts that share no question: learnt from, calibrated on, scored."""

    def __init__(self, quick: bool) -> None:
        from xinglin.graph.importers import read_lines
        from xinglin.train.corpus import reported, settling

        self.learnt: Labelled = []
        self.calibration: Labelled = []
        self.scored: Labelled = []
        data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data"))
        self.path = data / SET
        if not self.path.is_file():
            return
        rows = [(str(row["ask"]).strip(), str(row["department"])) for _, row in read_lines(self.path)]
        self.names = tuple(sorted({label for _, label in rows}))
        place = {name: i for i, name in enumerate(self.names)}
        seen: set[str] = set()
        for text, label in rows:
            if not text or text in seen:
                continue
            seen.add(text)
            part = self.scored if reported(text) else self.calibration if settling(text) else self.learnt
            part.append((text, place[label]))
        if quick:
            self.learnt, self.calibration, self.scored = (
                part[:48] for part in (self.learnt, self.calibration, self.scored)
            )


def folder_of(digest: str) -> Path:
    """Where the models of a run are kept until it is done."""
    base = os.environ.get("XINGLIN_BENCH_STATE") or os.path.join(tempfile.gettempdir(), "xinglin-benchmarks")
    place = Path(base) / f"edge-models-{digest}"
    place.mkdir(parents=True, exist_ok=True)
    return place


def options(quick: bool) -> tuple[FineTuneOptions, FineTuneOptions]:
    """Settings of the first training, and of the short one after it, in float and for 8 bits alike."""
    from xinglin.train.options import FineTuneOptions

    first = FineTuneOptions(
        epochs=0.1 if quick else 1.0, learning_rate=5e-4, max_length=LENGTH, threads=1, save_every=25
    )
    return first, replace(first, epochs=0.1 if quick else 0.5, learning_rate=1e-4, head="kept", seed=1)


def trained(which: str, split: Split, place: Path, quick: bool) -> Path:
    """Return the folder of ``float`` (first), ``float on`` or ``qat``, trained if it is not there."""
    from xinglin.errors import CheckpointError
    from xinglin.model.checkpoint import verify_checkpoint
    from xinglin.model.shipped import shipped_folder
    from xinglin.train.finetune import fine_tune
    from xinglin.train.quantize import fine_tune_quantised

    out = place / which.replace(" ", "-")
    try:
        verify_checkpoint(out)
        return out
    except CheckpointError:
        shutil.rmtree(out, ignore_errors=True)
    first, second = options(quick)
    texts, targets = [text for text, _ in split.learnt], [target for _, target in split.learnt]
    said: dict[str, Any] = {"name": which.replace(" ", "-"), "data": (), "metrics": {}}
    if which == "qat":
        start = trained("float", split, place, quick)
        fine_tune_quantised(start, texts, targets, split.names, second, out, **said)
        return out
    start = shipped_folder() if which == "float" else trained("float", split, place, quick)
    found = fine_tune(
        start,
        texts,
        targets,
        split.names,
        first if which == "float" else second,
        state=place / f".{which.replace(' ', '-')}.run",
    )
    found.save(out, **said)
    return out


def exported(model: Path, qat: Path | None, calibration: list[str], place: Path) -> dict[str, Path]:
    """Write every export that is not there; returns the files by row."""
    import onnx

    from xinglin.release.export.dynamic import write_int8
    from xinglin.release.export.graphs import float_graph
    from xinglin.release.export.probe_sets import text_feeds
    from xinglin.release.export.static import write_static

    place.mkdir(exist_ok=True)
    files = {"ONNX fp32": place / "fp32.onnx", "ONNX dynamic INT8": place / "dynamic.onnx"}
    if not files["ONNX fp32"].is_file():
        _saved(float_graph(model), files["ONNX fp32"])
    if not files["ONNX dynamic INT8"].is_file():
        write_int8(model, files["ONNX fp32"], place / "new.onnx")
        os.replace(place / "new.onnx", files["ONNX dynamic INT8"])
    feeds = text_feeds(model, calibration)
    for method in METHODS:
        path = files[f"ONNX static INT8, {method}"] = place / f"static-{method}.onnx"
        if not path.is_file():
            _saved(write_static(onnx.load(str(files["ONNX fp32"])), model, feeds, method), path)
    if qat is not None:
        path = files["ONNX QAT INT8"] = place / "qat.onnx"
        if not path.is_file():
            _saved(float_graph(qat), place / "qat-float.onnx")
            write_int8(qat, place / "qat-float.onnx", place / "new.onnx")
            os.replace(place / "new.onnx", path)
    return files


def _saved(model: Any, path: Path) -> None:
    import onnx

    new = path.with_suffix(".new")
    onnx.save(model, str(new))
    os.replace(new, path)


def random_base(place: Path) -> Path:
    """Return a classifier of size base with random weights: speed does not depend on them."""
    from xinglin.errors import CheckpointError
    from xinglin.model.checkpoint import verify_checkpoint

    out = place / "base"
    try:
        verify_checkpoint(out)
    except CheckpointError:
        from tests.text_models import random_checkpoint

        shutil.rmtree(out, ignore_errors=True)
        random_checkpoint(out, [f"科{i}" for i in range(11)], size="base", exported=False)
    return out
