"""``xinglin train align``: cubes and ratings in, a sealed model of images and words out, ready for ONNX Runtime."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xinglin.model.align.export import export_towers
from xinglin.model.align.networks import Aligned, write_towers
from xinglin.model.align.runtime import LungWords
from xinglin.model.checkpoint import reseal_checkpoint, saving, seal_checkpoint
from xinglin.model.runtime import CALIBRATION
from xinglin.model.shipped import shipped_folder
from xinglin.model.tokenizer import save_tokenizer
from xinglin.model.vision.images import hounsfield, scaled
from xinglin.model.vision.networks import read_network
from xinglin.train.align.cubes import Cubes, read_rated
from xinglin.train.align.measured import DEPTHS, attributes, retrieval, windows_of
from xinglin.train.align.recipe import AlignOptions, train_words
from xinglin.train.loop import Report, Trained
from xinglin.types import DISCLAIMER, Checkpoint

if TYPE_CHECKING:
    from tokenizers import Tokenizer

NAME, DETECTOR = "lung-words", "lung-nodules"
LICENCE = "Apache-2.0 (cubes); LIDC-IDRI images CC BY 3.0; ratings MIT"
LIMITS = (
    "训练文字由模板按医师评分拼成,并非放射科医师所写;输出为得分,不是概率,只用于排序与指示位置,不能据此判断良恶性。"
    "The sentences of training were put together by templates from radiologists' ratings, written by none; output is a "
    "score, no probability: it orders and points, and must not decide whether a nodule is malignant."
)


def train_align(
    data: Path,
    out: Path,
    options: AlignOptions | None = None,
    *,
    detector: Path | None = None,
    threads: int | None = 1,
    report: Report | None = None,
) -> Checkpoint:
    """Train and write a checkpoint to ``out``, whole or not at all; the same call resumes an interrupted run.

    Args:
        data: the folder luna16-nodule-cubes.
        out: folder of the checkpoint; one of the same name is replaced.
        options: settings; by default those of the shipped model.
        detector: whose trunk the image tower begins with; ``None``: the detector that comes with the package.
        threads: CPU threads.
        report: called after every step.

    Raises:
        InvalidInputError, MissingDataError: the data are not as they should be.
        CheckpointError: no such detector.
        TrainingError: the loss is not finite, the disk is full, or the state is of other settings.
    """
    chosen = options or AlignOptions()
    start = detector or shipped_folder(DETECTOR)
    begun, _ = read_network(start)
    cubes, valid = read_rated(data, "fit"), read_rated(data, "valid")
    state = out.parent / f".{out.name}.training"
    model, tokenizer, trained = train_words(cubes, begun, chosen, state, threads=threads, report=report)
    made = write_words(model, tokenizer, out, chosen, cubes, valid, trained)
    shutil.rmtree(state, ignore_errors=True)
    return made


def write_words(
    model: Aligned,
    tokenizer: Tokenizer,
    out: Path,
    options: AlignOptions,
    cubes: Cubes,
    valid: Cubes,
    trained: Trained,
) -> Checkpoint:
    """Write, export, measure and seal trained towers."""
    about: dict[str, Any] = {
        "name": NAME,
        "kind": "aligned",
        "data": [
            {
                "name": "luna16-nodule-cubes with LIDC ratings (training scans, one in ten of them left out)",
                "sha256": cubes.digest,
                "records": len(cubes),
                "licence": LICENCE,
                "weak": False,
            }
        ],
        "settings": {
            **asdict(options),
            "texts": "templated from ratings, Chinese and English",
            "steps": len(trained.history),
            "wall_seconds": round(trained.seconds),
        },
        "seeds": [options.seed],
        "limits": LIMITS,
    }
    learnt = {
        "method": "siglip",
        "scale": float(model.scale.detach().exp()),
        "bias": float(model.bias.detach()),
    }
    with saving(out) as new:
        write_towers(model, new)
        save_tokenizer(tokenizer, new)
        (new / CALIBRATION).write_text(json.dumps(learnt, indent=2) + "\n", encoding="utf-8")
        sealed = seal_checkpoint(new, metrics={}, **about)
        samples = np.stack([cubes.empty[0], windows_of(cubes)[0]])
        export_towers(model.eval(), new, sealed.id, scaled(hounsfield(samples)))
        reseal_checkpoint(new)
        metrics = _measured(LungWords.load(new), valid)
        _card(new, len(cubes), metrics, about["settings"])
        made = seal_checkpoint(new, metrics=metrics, **about)
    return Checkpoint(made.id, str(out), made.manifest)


def _measured(words: LungWords, valid: Cubes) -> dict[str, Any]:
    """Figures on the validation scans, in words that training never saw; of an attribute that all of them share, none."""
    metrics: dict[str, Any] = {}
    for one in attributes(words, valid):
        if len(np.unique(one.labels)) < 2:
            continue
        figure = one.figure()
        metrics[f"valid_auroc_{one.key}"] = figure.as_json() | {
            "n": figure.n,
            "positive": int(one.labels.sum()),
        }
    found = retrieval(words, valid)
    for depth in DEPTHS:
        for reports in (True, False):
            figure = found.figure(depth, reports=reports, alike=False)
            name = f"valid_{'report' if reports else 'window'}_recall_at_{depth}"
            chance = round(found.chance(depth, reports=reports, alike=False), 6)
            metrics[name] = figure.as_json() | {"n": figure.n, "chance": chance}
    return metrics


def _card(folder: Path, records: int, metrics: dict[str, Any], settings: dict[str, Any]) -> None:
    rows = [
        f"| {name} | {value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}] | {value['n']} | "
        f"{value.get('chance', 0.5):.3f} |"
        for name, value in metrics.items()
    ]
    lines = [
        f"# {NAME}",
        "",
        "肺结节的图像与文字对齐(图像塔取自检测模型,文字塔为小型 BERT) · images of lung nodules and words in one space",
        "(trunk of the detector; a small BERT)",
        "",
        f"> {DISCLAIMER['zh']} {DISCLAIMER['en']}",
        "",
        f"> {LIMITS}",
        "",
        "```sh",
        'xinglin imaging ask PATH --text "毛刺结节"',
        "```",
        "",
        "`model.onnx` takes `images` (n, 1, z, y, x; 1 mm; (HU + 296) / 704 after clipping to -1000..408) and gives unit",
        "`vectors` (n, 64, z/2, y/2, x/2) of places; `text.onnx` takes `input_ids` and `attention_mask` and gives unit",
        "`vectors` (n, 64) of sentences. A place fits a sentence by scale x cosine + bias (`calibration.json`).",
        "",
        "## 数据 Data",
        "",
        f"{records:,} rated cubes of luna16-nodule-cubes, and windows of the same scans without a nodule. Cubes",
        "are cut around the annotated nodule, so places were known. The texts are **templated** from the ratings, in",
        "Chinese and English.",
        LICENCE + ". LIDC-IDRI: Armato et al. 2011; LUNA16: Setio et al. 2017.",
        "",
        "## 指标 Metrics",
        "",
        "Validation scans, queries and reports in words that training never saw (`docs/results/align.md` has baselines).",
        "",
        "| figure | value | n | chance |",
        "|---|---|---|---|",
        *rows,
        "",
        "## 设置 Settings",
        "",
        f"`{json.dumps(settings, ensure_ascii=False)}`",
    ]
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
