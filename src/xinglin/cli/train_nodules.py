"""``xinglin train nodules``: a detector of lung nodules from labels that only say yes or no."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli.options import AsJson, Seed

STAGES = {"weak": "一:窗口标签 1: window labels", "centres": "二:自寻中心 2: centres it found"}


def nodules(
    data: Annotated[
        Path, typer.Option(help="结节块文件夹 Folder of the nodule cubes and windows_train_labels.csv.")
    ],
    out: Annotated[Path, typer.Option(help="输出检查点文件夹 Folder of the checkpoint.")],
    weak_epochs: Annotated[int, typer.Option(min=1, help="第一阶段轮数 Epochs of stage 1.")] = 12,
    centre_epochs: Annotated[int, typer.Option(min=1, help="第二阶段轮数 Epochs of stage 2.")] = 16,
    width: Annotated[int, typer.Option(min=4, max=256, help="通道数 Channels.")] = 16,
    threads: Annotated[int, typer.Option(min=1, help="线程数 CPU threads.")] = 1,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """仅由有无标签训练肺结节检测模型;可中断,同一命令续训。Train from yes and no alone; the same command resumes.

    不读取掩码与坐标文件。Masks and coordinate files are never opened.
    """
    from xinglin.errors import MissingExtraError

    try:
        from xinglin.train.nodules.recipe import NoduleOptions
        from xinglin.train.nodules.ship import train_nodules
    except ModuleNotFoundError as error:
        raise MissingExtraError("xinglin train nodules", "train") from error
    from xinglin.train.loop import Tick

    def report(stage: str, tick: Tick) -> None:
        if tick.step % 10 == 0 or tick.step == tick.steps:
            text = f"{STAGES[stage]}  {tick.step}/{tick.steps}  loss {tick.losses['loss']:.3f}  "
            typer.echo(
                f"\r{text}剩余 left {tick.seconds_left:.0f} s   ", err=True, nl=tick.step == tick.steps
            )

    options = NoduleOptions(weak_epochs=weak_epochs, centre_epochs=centre_epochs, width=width, seed=seed)
    shown = report if sys.stderr.isatty() and not as_json else None
    made = train_nodules(data, out, options, threads=threads, report=shown)
    _remember(made.id, made.manifest["metrics"])
    if as_json:
        typer.echo(
            json.dumps({"id": made.id, "out": str(out), "metrics": made.manifest["metrics"]}, indent=2)
        )
        return
    for name, figure in made.manifest["metrics"].items():
        typer.echo(
            f"{name} {figure['value']:.4f} [{figure['low']:.4f}, {figure['high']:.4f}], n = {figure['n']}"
        )
    typer.echo(str(out))


def _remember(identity: str, metrics: dict[str, object]) -> None:
    """Enter the new checkpoint into the ledger."""
    from xinglin.ledger import append
    from xinglin.store import open_store

    detail = {"kind": "detector", "metrics": metrics}
    with open_store().write() as connection:
        append(connection, "train", actor="cli", subjects=(identity,), detail=detail)
