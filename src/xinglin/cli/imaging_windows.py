"""``xinglin imaging predict-windows`` and ``xinglin evaluate nodule-windows``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

NODULES = "lung-nodules"
"""The detector that comes with the package."""


def predict_windows(
    inputs: Annotated[
        Path,
        typer.Option(
            help="文件夹:windows.npy.xz 与 windows_inputs.csv Folder with the windows and their table."
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="输出 CSV To write: probability and coordinates of every window.")
    ],
    model: Annotated[
        Path | None, typer.Option(help="检测模型文件夹 Folder of a detector; empty: the shipped one.")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="fp32 | int8")] = None,
    threads: Annotated[int, typer.Option(min=1, help="线程数 CPU threads.")] = 1,
) -> None:
    """逐窗预测肺结节概率与坐标。Probability of a lung nodule and its coordinates, window by window.

    概率仅对与校准窗口同类的窗口有效;坐标为最可能之处,与概率高低无关。The probability holds for windows like those it was
    calibrated on; the coordinates are the likeliest place, whatever the probability. 未经注册,仅供研究。Not a medical
    device.
    """
    from xinglin.apps.imaging.windows import answers_csv, predict_windows, read_inputs
    from xinglin.cli.written import write_whole
    from xinglin.errors import InvalidInputError
    from xinglin.model.shipped import shipped_folder
    from xinglin.model.vision.runtime import InstanceMaps

    if precision not in (None, "fp32", "int8"):
        raise InvalidInputError(f"--precision: expected fp32 or int8, got {precision!r}")
    images, frames = read_inputs(inputs)
    folder = model or shipped_folder(NODULES)
    network = InstanceMaps.load(folder, threads=threads, precision=precision)  # type: ignore[arg-type]

    def report(done: int, total: int) -> None:
        typer.echo(f"\r{done}/{total} 窗 windows", err=True, nl=done == total)

    answers = predict_windows(network, images, frames, report if sys.stderr.isatty() else None)
    write_whole(out, answers_csv(answers))
    typer.echo(str(out))


FIGURES = {
    "auroc": "AUROC",
    "hit_rate": "命中率 hit rate, max(3 mm, 半径 radius)",
    "hit_rate_luna16": "命中率 hit rate, LUNA16 (< 半径 radius)",
    "median_mm": "中位误差 median error, mm",
    "p90_mm": "第90百分位误差 90th percentile of error, mm",
    "diameter_mae_mm": "直径平均绝对误差 mean absolute error of diameter, mm",
    "mask_diameter_mae_mm": "对掩膜的直径误差 mean absolute error of diameter against masks, mm",
}


def evaluate_windows(data: Path, truth: list[Path], split: str | None, seed: int, as_json: bool) -> None:
    """为窗口预测评分,附 n 与 95% 区间。Score window predictions; every figure with n and a 95 % interval."""
    from xinglin.apps.imaging.evaluate import evaluate_windows as run

    scores = run(data, truth, split=split, seed=seed)
    if as_json:
        body = {
            "windows": scores.windows,
            "positives": scores.positives,
            "ignored_predictions": scores.ignored,
            "figures": {key: figure.as_json() | {"n": figure.n} for key, figure in scores.figures.items()},
        }
        typer.echo(json.dumps(body, ensure_ascii=False, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("指标 figure", "值 value", "95 %", "n", box=None, pad_edge=False)
    for key, figure in scores.figures.items():
        table.add_row(
            FIGURES[key], f"{figure.value:.3f}", f"[{figure.low:.3f}, {figure.high:.3f}]", str(figure.n)
        )
    console = Console()
    console.print(
        f"[bold]nodule-windows[/]  {data.name}: {scores.windows} 窗 windows, {scores.positives} 阳性 positive"
    )
    console.print(table)
    if scores.ignored:
        console.print(f"· 真值表之外的预测 predictions not in the truth, ignored: {scores.ignored}")
