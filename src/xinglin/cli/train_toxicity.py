"""``xinglin train molecules toxicity``: the toxicity models that come with the package."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli.options import AsJson, Seed


def toxicity(
    data: Annotated[
        Path, typer.Option(help="文件夹:含 tdc-admet 与 moleculenet Folder of tdc-admet and moleculenet.")
    ],
    out: Annotated[Path, typer.Option(help="输出模型文件夹 Folder of the models.")],
    threads: Annotated[int, typer.Option(min=1, help="线程数 CPU threads.")] = 1,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """训练毒性模型:hERG、Ames、DILI、血脑屏障、Tox21、ClinTox。Train the toxicity models, validate and save them.

    每个数据集按骨架留出五分之一评分,再用全部数据拟合。A fifth of each set by scaffold is held back and scored; then all is
    fitted.
    """
    from xinglin.cli.written import remember_file
    from xinglin.train.molecules.activity import ActivityOptions
    from xinglin.train.molecules.toxicity import train_toxicity

    def report(task: str) -> None:
        typer.echo(f"· {task}", err=True)

    shown = report if sys.stderr.isatty() and not as_json else None
    made = train_toxicity(data, out, ActivityOptions(threads=threads, seed=seed), shown)
    remember_file("train", out / "manifest.json", {"kind": "molecules", "id": made["id"]})
    if as_json:
        typer.echo(json.dumps({"id": made["id"], "out": str(out), "metrics": made["metrics"]}, indent=2))
        return
    for name, figure in made["metrics"].items():
        typer.echo(
            f"{name} {figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}], n = {figure['n']}"
        )
    typer.echo(str(out))
