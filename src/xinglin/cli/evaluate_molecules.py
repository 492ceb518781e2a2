"""``xinglin evaluate molecules``: activity models on a fifth of a training table that they have not seen."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import typer

FIGURES = {
    "rmse": "RMSE",
    "rmse_cliffs": "活性悬崖 RMSE of activity cliffs",
    "rmse_in_domain": "适用域内 RMSE in the domain",
    "rmse_outside": "适用域外 RMSE outside",
    "coverage": "区间覆盖率 share inside the 90 % interval",
    "auroc": "AUROC",
    "average_precision": "平均精度 average precision",
    "rate": "阳性率 share of label 1",
    "auroc_in_domain": "适用域内 AUROC in the domain",
    "ece": "去偏校准误差 debiased ECE",
    "width": "区间平均宽度 mean width of the interval",
    "in_domain": "适用域内比例 share in the domain",
}


def evaluate_molecules(
    data: Path, split: str | None, only: list[str] | None, seed: int, as_json: bool
) -> None:
    """在训练表留出的五分之一上评分,附 n 与 95% 区间。Score a held-back fifth of a training table.

    Args:
        data: training table, as for ``xinglin drugs predict --train``.
        split: scaffold or random; None: the one that fits the table.
        only: data sets or tasks; None: all.
        seed: of the fifth, the folds and the trees.
        as_json: print JSON.
    """
    from dataclasses import replace

    from xinglin.apps.drugs.evaluate import evaluate_table
    from xinglin.errors import InvalidInputError
    from xinglin.train.molecules.activity import ActivityOptions
    from xinglin.train.molecules.validation import figures

    if split not in (None, "scaffold", "random"):
        raise InvalidInputError(f"--split: expected scaffold or random, got {split!r}")

    def report(task: str) -> None:
        typer.echo(f"· {task}", err=True)

    scored = evaluate_table(
        data,
        replace(ActivityOptions(), seed=seed),
        split=split,  # type: ignore[arg-type]
        only=only,
        report=report if sys.stderr.isatty() and not as_json else None,
    )
    told = {one.task: figures(one, seed) for one in scored}
    if as_json:
        body = {
            one.task: {
                "kind": one.kind,
                "trained": one.trained,
                "figures": {
                    name: figure.as_json() | {"n": figure.n} for name, figure in told[one.task].items()
                },
            }
            for one in scored
        }
        typer.echo(json.dumps(body, ensure_ascii=False, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("任务 task", "指标 figure", "值 value", "95 %", "n", box=None, pad_edge=False)
    for one in scored:
        for name, figure in told[one.task].items():
            interval = f"[{figure.low:.3f}, {figure.high:.3f}]"
            table.add_row(one.task, FIGURES[name], f"{figure.value:.3f}", interval, str(figure.n))
    console = Console()
    console.print(f"[bold]molecules[/]  {data.name}: 留出五分之一 a fifth held back")
    console.print(table)
