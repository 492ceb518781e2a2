"""One model on every runtime: size, time, accuracy and calibration on real questions; speed at size base.

Questions of toyhom with their department: a fifth is scored, a tenth calibrates (static scales, the temperature), the rest
is learnt from. One classifier is trained from the shipped encoder; then once more, shortly, in float and, with the same
settings, for 8 bits (QAT), so that neither has seen more. All rows answer each text in turn, one thread, batch 1.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._edge_browser import lines as browser_lines
from benchmarks._edge_models import Split, exported, folder_of, options, random_base, trained
from benchmarks._edge_rows import Answer, onnx_row, openvino_row, tokens, torch_rows
from benchmarks._kept import Kept
from benchmarks._line import Line, aim, quantile

REFERENCE = "torch fp32"
QAT = "ONNX QAT INT8"
STATIC = "ONNX static INT8, "
ROUNDS = 20
PIECE = 250
"""Texts whose answers are kept together."""
TOKENS = 128


def run(quick: bool) -> list[Line]:
    split = Split(quick)
    if not split.scored:
        why = f"no {split.path.name} at {split.path.parent.name} below the data folder (XINGLIN_DATA)"
        return [Line("edge", "not measured", None, "", 0, note=why)]
    settings = [quick, *(option.as_json() for option in options(quick))]
    digest = sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    kept, place = Kept("edge", settings), folder_of(digest)
    models = {
        which: Path(kept.get(which, lambda which=which: str(trained(which, split, place, quick))))
        for which in ("float", "float on", "qat")
    }
    texts = [text for text, _ in split.calibration]
    files = exported(models["float on"], models["qat"], texts[:256], place / "exports")
    answered = _answered(models, files, split, kept)
    lines = _real(answered, split)
    if not quick:
        base = random_base(place)
        base_files = kept.get("base exports", lambda: _base_files(base, place, texts[:32]))
        pairs = kept.get(
            "base timed", lambda: _base_timed(base, {k: Path(v) for k, v in base_files.items()}, texts)
        )
        lines += _base(pairs, base_files)
    shown = kept.get("browser", lambda: [asdict(line) for line in browser_lines(quick)])
    lines += [*(Line(**line) for line in shown), _package(files)]
    kept.done()
    shutil.rmtree(place)
    return lines


def _rows(models: Mapping[str, Path], files: Mapping[str, Path]) -> dict[str, Answer]:
    folder = models["float on"]
    rows = torch_rows(folder)
    for name, path in files.items():
        rows[name] = onnx_row(path, models["qat"] if name == QAT else folder)
    rows["OpenVINO INT8, QAT"] = openvino_row(files[QAT], models["qat"])
    return rows


def _answered(
    models: Mapping[str, Path], files: Mapping[str, Path], split: Split, kept: Kept
) -> dict[str, dict[str, Any]]:
    """Logits of both held-out parts, and times of the scored one, by row; kept in pieces."""
    rows: dict[str, Answer] = {}

    def opened() -> dict[str, Answer]:
        if not rows:
            rows.update(_rows(models, files))
            for text, _ in split.scored[:3]:
                for act in rows.values():
                    act(text)
        return rows

    def calibrated() -> dict[str, Any]:
        ours = opened()
        return {
            name: [ours[name](text).tolist() for text, _ in split.calibration] for name in (REFERENCE, QAT)
        }

    own = kept.get("calibration", calibrated)
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(split.scored), PIECE):
        part = split.scored[start : start + PIECE]
        piece = kept.get(f"scored {start}", lambda part=part: timed(opened(), [text for text, _ in part]))
        for name, row in piece.items():
            whole = found.setdefault(
                name, {"logits": [], "wall": [], "cpu": [], "calibration": own.get(name)}
            )
            for key in ("logits", "wall", "cpu"):
                whole[key] += row[key]
    for name, row in found.items():
        path = files.get(QAT if name.startswith("OpenVINO") else name, files["ONNX fp32"])
        row["bytes"] = None if name == "torch dynamic INT8" else path.stat().st_size
    return found


def timed(rows: Mapping[str, Answer], texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Let every row answer every text in turn; logits and milliseconds by row."""
    found: dict[str, dict[str, Any]] = {name: {"logits": [], "wall": [], "cpu": []} for name in rows}
    for text in texts:
        for name, act in rows.items():
            wall, cpu = time.perf_counter(), time.process_time()
            logits = act(text)
            found[name]["wall"].append(1000 * (time.perf_counter() - wall))
            found[name]["cpu"].append(1000 * (time.process_time() - cpu))
            found[name]["logits"].append(logits.tolist())
    return found


def _real(answered: Mapping[str, Any], split: Split) -> list[Line]:
    from scipy.special import softmax

    from xinglin.measure import bootstrap, debiased_ece, fit_temperature, paired_accuracy, proportion

    truth = np.array([target for _, target in split.scored])
    own = np.array([target for _, target in split.calibration])
    n, names = len(truth), split.names
    # Each checkpoint has one temperature, found on the calibration part; an export keeps its source's.
    heat = {name: fit_temperature(np.array(answered[name]["calibration"]), own) for name in (REFERENCE, QAT)}

    def judged(name: str) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        logits = np.array(answered[name]["logits"])
        probability = softmax(logits / heat[QAT if "QAT" in name else REFERENCE], axis=1)
        return probability.argmax(1) == truth, probability.max(1)

    hits_of, sure_of = judged(REFERENCE)
    ece_of = debiased_ece(sure_of, hits_of)
    lines = []
    for name, row in answered.items():
        hits, sure = judged(name)
        ece = debiased_ece(sure, hits)
        share, test = proportion(int(hits.sum()), n), paired_accuracy(hits, hits_of)
        said = f"{len(names)} departments of toyhom; encoder of size small, the shipped one"
        if name == REFERENCE:
            note = said
        else:
            lost = f"points lost {-100 * test.gain:.2f} [{-100 * test.high:.2f}, {-100 * test.low:.2f}], p {test.p:.2g}"
            note = f"{lost}; {aim(-100 * test.gain, 0.3, 'points')}" if name == QAT else lost
        lines.append(
            Line(
                *(name, "accuracy", share.value, "", n, share.low, share.high),
                reference=None if name == REFERENCE else float(hits_of.mean()),
                reference_name=None if name == REFERENCE else f"{REFERENCE}, same run",
                note=note,
            )
        )
        gained = bootstrap(
            lambda index, sure=sure, hits=hits: (
                debiased_ece(sure[index], hits[index]) - debiased_ece(sure_of[index], hits_of[index])
            ),
            n,
            repetitions=300,
        )
        told = f"gained {gained.value:+.4f} [{gained.low:+.4f}, {gained.high:+.4f}], paired"
        lines.append(
            Line(
                *(name, "debiased ECE", ece, "", n),
                reference=None if name == REFERENCE else ece_of,
                reference_name=None if name == REFERENCE else f"{REFERENCE}, same run",
                note="" if name == REFERENCE else f"{told}; {aim(gained.value, 0.005, 'ECE')}",
            )
        )
        size = row["bytes"]
        lines.append(
            Line(
                *(name, "size", None if size is None else size / 1e6, "MB", 1),
                note="not saved as a file" if size is None else "of the model's file alone",
            )
        )
        lines += _times(name, row, answered["transformers pipeline fp32"], "whole text to logits, batch 1")
    return lines


def _times(name: str, row: Mapping[str, Any], reference: Mapping[str, Any], note: str) -> list[Line]:
    """p50, p99 and processor time; each against the pipeline."""
    lines = []
    compared = name != "transformers pipeline fp32"
    for q in (0.5, 0.99):
        figure = quantile(row["wall"], q)
        other = float(np.quantile(reference["wall"], q)) if compared else None
        lines.append(
            Line(
                *(name, f"p{q * 100:.0f}", figure.value, "ms", figure.n, figure.low, figure.high),
                reference=other,
                reference_name="transformers pipeline fp32, same run" if compared else None,
                note=note,
            )
        )
    cpu = np.array(row["cpu"])
    lines.append(
        Line(
            *(name, "processor time", float(cpu.mean()), "s a 1,000 texts", len(cpu)),
            reference=float(np.mean(reference["cpu"])) if compared else None,
            reference_name="transformers pipeline fp32, same run" if compared else None,
        )
    )
    return lines


def _base_files(base: Path, place: Path, texts: Sequence[str]) -> dict[str, str]:
    import onnx

    from xinglin.release.export.dynamic import write_int8
    from xinglin.release.export.graphs import float_graph
    from xinglin.release.export.probe_sets import text_feeds
    from xinglin.release.export.static import write_static

    folder = place / "base-exports"
    folder.mkdir(exist_ok=True)
    files = {"ONNX fp32": folder / "fp32.onnx", "ONNX dynamic INT8": folder / "dynamic.onnx"}
    graph = float_graph(base)
    onnx.save(graph, str(files["ONNX fp32"]))
    write_int8(base, files["ONNX fp32"], files["ONNX dynamic INT8"])
    files["ONNX static INT8"] = folder / "static.onnx"
    onnx.save(write_static(graph, base, text_feeds(base, texts)), str(files["ONNX static INT8"]))
    return {name: str(path) for name, path in files.items()}


def _base_timed(base: Path, files: Mapping[str, Path], texts: Sequence[str]) -> dict[str, Any]:
    """Times at 128 tokens, all rows in turn; a QAT export is the same graph as the static one, with other numbers in it."""
    rows = torch_rows(base) | {name: onnx_row(path, base) for name, path in files.items()}
    rows["OpenVINO INT8"] = openvino_row(files["ONNX static INT8"], base)
    text = "".join(texts)[: 8 * TOKENS]
    if tokens(base)(text).shape[1] != TOKENS:
        raise RuntimeError("the text of the speed rows is shorter than it should be")
    timed(rows, [text] * 2)
    return timed(rows, [text] * ROUNDS)


def _base(pairs: Mapping[str, Any], files: Mapping[str, str]) -> list[Line]:
    """Speed at size base, with the ratio of pairs that were timed next to each other."""
    lines = []
    for name, row in pairs.items():
        lines += _times(
            f"base, {name}",
            row,
            pairs["transformers pipeline fp32"],
            f"{TOKENS} tokens, random weights, one thread",
        )
        if name in files:
            size = Path(files[name]).stat().st_size if Path(files[name]).is_file() else None
            mega = None if size is None else size / 1e6
            lines.append(
                Line(f"base, {name}", "size", mega, "MB", 1, note="with a vocabulary of 400 tokens only")
            )
    for name in ("ONNX dynamic INT8", "ONNX static INT8", "OpenVINO INT8"):
        for other, limit in (("ONNX fp32", 2.4), ("transformers pipeline fp32", 4.0)):
            for clock, said in (("cpu", "processor time"), ("wall", "wall clock")):
                ratio = np.array(pairs[other][clock]) / np.array(pairs[name][clock])
                figure = quantile(ratio, 0.5)
                lines.append(
                    Line(
                        *(f"base, {name} against {other}", f"times faster, {said}", figure.value, "x"),
                        *(figure.n, figure.low, figure.high),
                        note=f"median over pairs; {aim(figure.value, limit, 'times', at_most=False)}",
                    )
                )
    return lines


def _package(files: Mapping[str, Path]) -> Line:
    """What a clinic needs beside a runtime: the 8-bit model, its words, the data pack."""
    from xinglin.apps.diagnosis import load_differential
    from xinglin.apps.diagnosis.pack import write_pack
    from xinglin.model.shipped import shipped_folder

    words = ("tokenizer.json", "config.json", "calibration.json")
    pack = files[QAT].parent / "pack.json"
    write_pack(load_differential().pack, pack)
    parts = {
        "8-bit model": files[QAT].stat().st_size,
        "words and classes": sum((shipped_folder() / name).stat().st_size for name in words),
        "data pack": pack.stat().st_size,
    }
    told = ", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in parts.items())
    note = f"{told}; the browser's folder above holds the shipped INT8 model, the pack and the web runtime"
    return Line(
        "model and data of one clinic, without a runtime",
        "size",
        sum(parts.values()) / 1e6,
        "MB",
        1,
        note=note,
    )
