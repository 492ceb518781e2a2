"""``xinglin train nodules``: labels in, a sealed detector out, ready for ONNX Runtime."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError
from xinglin.measure.intervals import Figure
from xinglin.measure.localisation import auroc_figure
from xinglin.model.checkpoint import reseal_checkpoint, saving, seal_checkpoint
from xinglin.model.runtime import CALIBRATION, FILES
from xinglin.model.vision.cnn import ConvolutionalInstances
from xinglin.model.vision.export import export_maps
from xinglin.model.vision.images import hounsfield, scaled
from xinglin.model.vision.networks import NetworkConfig, write_network
from xinglin.model.vision.reading import averaged, window_logits
from xinglin.model.vision.runtime import InstanceMaps
from xinglin.train.loop import Tick, Trained
from xinglin.train.nodules.recipe import NoduleOptions, find_centres, train_centres, train_weak
from xinglin.train.nodules.windows import Windows, read_windows
from xinglin.types import DISCLAIMER, Checkpoint

NAME = "lung-nodules"
CHANNELS = ("logit", "z", "y", "x", "size")
LICENCE = "Apache-2.0 (cubes); LIDC-IDRI images CC BY 3.0"
LIMITS = (
    "仅在 20 x 32 x 32 mm、结节直径不超过 12 mm 的窗口上训练与评价;整幅 CT 的输出是得分,不是概率;"
    "未报告结节不等于没有结节。"
    "Trained and scored on windows of 20 x 32 x 32 mm with nodules of at most 12 mm; output on a whole CT is a score, "
    "no probability; that nothing is reported does not mean that there is no nodule."
)
_CALIBRATING = 64
Report = Callable[[str, Tick], None]


def train_nodules(
    data: Path,
    out: Path,
    options: NoduleOptions | None = None,
    *,
    threads: int | None = 1,
    report: Report | None = None,
) -> Checkpoint:
    """Train from yes and no alone and write a checkpoint to ``out``, whole or not at all.

    The state of an interrupted run lies beside it in ``.NAME.training``; the same call goes on from there.

    Args:
        data: folder of the windows (:mod:`xinglin.train.nodules.windows`).
        out: folder of the checkpoint; one of the same name is replaced.
        options: settings; by default those of the shipped model.
        threads: CPU threads.
        report: called with (stage, tick) after every step.

    Raises:
        InvalidInputError, MissingDataError: the data are not as they should be, or train or validation windows lack
            positives or negatives.
        TrainingError: the loss is not finite, the disk is full, or the state is of other settings.
    """
    chosen = options or NoduleOptions()
    windows = read_windows(data)
    train, valid = windows.where(~windows.valid), windows.where(windows.valid)
    for name, part in (("train", train), ("valid", valid)):
        if len(set(part.labels.tolist())) < 2:
            raise InvalidInputError(
                f"{name}: expected windows with and without a nodule, got {len(part)} of one kind"
            )
    state = out.parent / f".{out.name}.training"

    def said(stage: str) -> Callable[[Tick], None] | None:
        return None if report is None else lambda tick: report(stage, tick)

    weak, first = train_weak(train, chosen, state / "weak", threads=threads, report=said("weak"))
    centres = find_centres(weak, train, chosen.pooling)
    network, second = train_centres(
        train, centres, weak, chosen, state / "centres", threads=threads, report=said("centres")
    )
    made = write_detector(network, out, chosen, windows, {"weak": first, "centres": second})
    _clear(state)
    return made


def write_detector(
    network: ConvolutionalInstances,
    out: Path,
    options: NoduleOptions,
    windows: Windows,
    runs: dict[str, Trained],
) -> Checkpoint:
    """Write, export, calibrate and seal a trained network."""
    train, valid = windows.where(~windows.valid), windows.where(windows.valid)
    config = NetworkConfig(options.width, options.depth, CHANNELS)
    data = [
        {
            "name": "luna16-nodule-cubes, window labels (train)",
            "sha256": windows.digest,
            "records": len(train),
            "licence": LICENCE,
            "weak": True,
        }
    ]
    seconds = {name: round(run.seconds) for name, run in runs.items()}
    settings: dict[str, Any] = {
        **asdict(options),
        "supervision": "window labels only",
        "steps": {name: len(run.history) for name, run in runs.items()},
        "wall_seconds": seconds,
    }
    with saving(out) as new:
        write_network(network, config, new)
        about = {"name": NAME, "kind": "detector", "data": data, "settings": settings, "limits": LIMITS}
        sealed = seal_checkpoint(new, seeds=[options.seed, options.seed + 1], metrics={}, **about)  # type: ignore[arg-type]
        network.eval()
        samples = np.random.default_rng(options.seed).choice(
            len(train), min(_CALIBRATING, len(train)), replace=False
        )
        export_maps(network, new, sealed.id, scaled(hounsfield(train.images[np.sort(samples)])))
        reseal_checkpoint(new)
        metrics, calibration = _validated(new, valid)
        (new / CALIBRATION).write_text(json.dumps(calibration, indent=2) + "\n", encoding="utf-8")
        _card(new, len(train), metrics, settings)
        made = seal_checkpoint(new, seeds=[options.seed, options.seed + 1], metrics=metrics, **about)  # type: ignore[arg-type]
    return Checkpoint(made.id, str(out), made.manifest)


def platt(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Return slope and intercept of the logistic curve through logits (Platt 1999, with his smoothed targets)."""
    from scipy.optimize import minimize

    ones = int(labels.sum())
    zeros = len(labels) - ones
    target = np.where(labels == 1, (ones + 1) / (ones + 2), 1 / (zeros + 2))

    def loss(curve: NDArray[np.float64]) -> float:
        value = curve[0] * logits + curve[1]
        return float(np.mean(np.logaddexp(0, value) - target * value))

    slope, intercept = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return float(slope), float(intercept)


def _validated(folder: Path, valid: Windows) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metrics and calibration on the validation windows, read by the runtime that users run."""
    metrics: dict[str, Any] = {}
    logits: dict[str, NDArray[np.float32]] = {}
    for precision in FILES:
        network = InstanceMaps.load(folder, precision=precision)
        parts = [
            window_logits(network, averaged(network, scaled(hounsfield(valid.images[i : i + 16]))))
            for i in range(0, len(valid), 16)
        ]
        logits[precision] = np.concatenate(parts)
        figure: Figure = auroc_figure(valid.labels, logits[precision].astype(float))
        metrics[f"valid_auroc_{precision}"] = figure.as_json() | {"n": figure.n}
    slope, intercept = platt(logits["fp32"], valid.labels)
    calibration = {
        "method": "platt",
        "slope": slope,
        "intercept": intercept,
        "n": len(valid),
        "split": "valid",
    }
    return metrics, calibration


def _card(folder: Path, records: int, metrics: dict[str, Any], settings: dict[str, Any]) -> None:
    rows = [
        f"| {name} | {value['value']:.4f} [{value['low']:.4f}, {value['high']:.4f}] | {value['n']} |"
        for name, value in metrics.items()
    ]
    lines = [
        f"# {NAME}",
        "",
        "肺结节检测(三维卷积网络,仅由窗口的有无标签训练) · lung nodules, a 3-D convolutional network trained from yes and",
        "no alone",
        "",
        f"> {DISCLAIMER['zh']} {DISCLAIMER['en']}",
        "",
        f"> {LIMITS}",
        "",
        "```sh",
        "xinglin imaging predict-windows --inputs DIR --out FILE.csv",
        "```",
        "",
        "`model.onnx` and `model.int8.onnx` take `images` (n, 1, z, y, x; 1 mm; (HU + 296) / 704 after clipping to",
        "-1000..408) and give `maps` (n, 5, z/2, y/2, x/2): logit, offset z, y, x in mm, logarithm of the diameter in mm.",
        "",
        "## 数据 Data",
        "",
        f"{records:,} training windows of luna16-nodule-cubes with one label each (nodule somewhere inside: yes or no).",
        "No coordinate and no mask was read. "
        + LICENCE
        + ". LIDC-IDRI: Armato et al. 2011; LUNA16: Setio et al. 2017.",
        "",
        "## 指标 Metrics",
        "",
        "| figure | value | n |",
        "|---|---|---|",
        *rows,
        "",
        "Chosen and calibrated on these validation windows, so their figures are optimistic. Where it points is scored",
        "apart, with coordinates that training never sees: `docs/results/nodules.md`.",
        "",
        "## 设置 Settings",
        "",
        f"`{json.dumps(settings, ensure_ascii=False)}`",
    ]
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _clear(state: Path) -> None:
    """Remove the resumable state of a run that is done."""
    import shutil

    shutil.rmtree(state, ignore_errors=True)
