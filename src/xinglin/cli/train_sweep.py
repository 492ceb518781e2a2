"""``xinglin train sweep``: many settings, several seeds, one table."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xinglin.cli.options import AsJson

if TYPE_CHECKING:
    from xinglin.train.sweep import Swept
    from xinglin.train.sweep_trial import Result


def sweep(
    plan: Annotated[Path, typer.Argument(help="搜索计划 TOML What to try.")],
    out: Annotated[Path, typer.Option(help="结果文件夹 Folder of trials and results.")],
    workers: Annotated[int, typer.Option(min=1, max=1024, help="同时几个试验 Trials at a time.")] = 1,
    ray: Annotated[
        str | None,
        typer.Option(help="local、auto 或集群地址 local, auto or a cluster's address; empty: no Ray."),
    ] = None,
    cpus: Annotated[int, typer.Option(min=1, help="每个试验的 CPU(Ray) CPUs of a trial, for Ray.")] = 1,
    gpus: Annotated[float, typer.Option(min=0, help="每个试验的 GPU(Ray) GPUs of a trial, for Ray.")] = 0.0,
    retry: Annotated[bool, typer.Option("--retry", help="重做失败的试验 Run failed trials again.")] = False,
    as_json: AsJson = False,
) -> None:
    """搜索训练设置:每组设置多个种子,只按验证集选择。Try settings over seeds; the validation part alone chooses.

    The same command goes on where it stopped. A failed trial stays in the table as an error.
    """
    from xinglin.cli.train import needs_torch

    needs_torch("xinglin train sweep")
    from xinglin.store import open_store
    from xinglin.train.sweep import Pool, run_sweep
    from xinglin.train.sweep_plan import read_sweep

    def done(number: int, of: int, result: Result) -> None:
        said = result.error or "  ".join(f"{name} {value:.4f}" for name, value in result.metrics.items())
        typer.echo(f"{number}/{of}  {result.trial}  seed {result.seed}  {said}", err=True)

    out.mkdir(parents=True, exist_ok=True)
    swept = run_sweep(
        read_sweep(plan), out.resolve(), open_store(), Pool(workers, ray, cpus, gpus), retry=retry, done=done
    )
    if as_json:
        typer.echo(json.dumps(asdict(swept), ensure_ascii=False, indent=2))
        return
    _show(swept, out)


def _show(swept: Swept, out: Path) -> None:
    typer.echo(f"验证集 {swept.metric},n = {swept.n},{swept.trials} 次训练 trials; on the validation part")
    for place, row in enumerate(swept.rows):
        settings = "  ".join(
            f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in row.chosen.items()
        )
        figure = "失败 failed" if row.mean is None else f"{row.mean:.4f}"
        interval = "" if row.low is None else f" [{row.low:.4f}, {row.high:.4f}]"
        failed = f"  失败 failed {row.failed}: {row.errors[0]}" if row.failed else ""
        mark = "*" if place == swept.best else " "
        typer.echo(f"{mark} {figure}{interval}  {row.seeds} 种子 seeds  {settings}{failed}")
    if swept.best is None:
        typer.echo("没有一组设置在所有种子上成功 no configuration came through with every seed")
        return
    if swept.lead is not None:
        low, high = swept.lead["low"], swept.lead["high"]
        typer.echo(f"比第二名 against the second: {swept.lead['gain']:+.4f} [{low:+.4f}, {high:+.4f}]")
    typer.echo(f"选中 chosen (*): {swept.checkpoint}; 表 table: {out / 'results.json'}")
    typer.echo(
        "选中者的验证分数偏高,请用未见过的测试集报告 its validation figure flatters it: report on a test set"
    )
