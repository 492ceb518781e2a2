"""``xinglin drugs predict``: activity, toxicity or a property, from a table of measured molecules."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli.options import AsJson, Seed

SHOWN = 10
"""Problems that are listed; the table holds all."""


def register(app: typer.Typer) -> None:
    """Add the verb to ``xinglin drugs``."""
    app.command(name="predict")(predict)


def predict(
    train: Annotated[
        Path,
        typer.Option(
            help="训练表 CSV(.gz):smiles 与标签列 Training table: smiles and label columns "
            "(moleculeace, tdc-admet, moleculenet)."
        ),
    ],
    inputs: Annotated[Path, typer.Option(help="待预测 CSV(.gz):row_id, smiles To predict: row_id, smiles.")],
    out: Annotated[Path, typer.Option(help="输出 CSV To write.")],
    target: Annotated[
        list[str] | None,
        typer.Option(help="标签列,可多次 Label column; repeat. 空则按已知格式 empty: as known."),
    ] = None,
    split: Annotated[
        str, typer.Option(help="auto | scaffold | random 验证划分 How the cross-validation is split.")
    ] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="线程数 CPU threads.")] = 1,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """由训练表拟合并预测:数值或概率,附区间与适用域。Fit on a table and predict: a number or a probability, with an interval
    and the domain.

    每个数据集、任务或列一个模型;in_domain 为 false 时不可据以决策。One model a data set, task or column; where in_domain is
    false, decide nothing by it. 未经注册,仅供研究。For research only.
    """
    from dataclasses import replace

    from xinglin.apps.drugs.predict import answers_csv
    from xinglin.apps.drugs.predict import predict as run
    from xinglin.apps.drugs.safety import remember
    from xinglin.cli.written import remember_file, write_whole
    from xinglin.errors import InvalidInputError
    from xinglin.store import open_store
    from xinglin.train.molecules.activity import ActivityOptions

    if split not in ("auto", "scaffold", "random"):
        raise InvalidInputError(f"--split: expected auto, scaffold or random, got {split!r}")
    options = replace(ActivityOptions(), threads=threads, seed=seed)
    shown = sys.stderr.isatty() and not as_json

    def report(task: str) -> None:
        typer.echo(f"· {task}", err=True)

    done = run(
        train,
        inputs,
        options,
        split=None if split == "auto" else split,  # type: ignore[arg-type]
        targets=target,
        report=report if shown else None,
    )
    write_whole(out, answers_csv(done.answers))
    summary = {
        "rows": len({answer.row_id for answer in done.answers}),
        "answers": len(done.answers),
        "unanswered": sum(answer.value is None for answer in done.answers),
        "outside_domain": sum(answer.value is not None and not answer.in_domain for answer in done.answers),
        "refused": len(done.refusals),
        "training_rows_left_out": len(done.training.problems),
        "training_rows_merged": done.training.merged,
        "labels_contradictory": done.training.contradictory,
        "unfitted": list(done.unfitted),
        "out": str(out),
    }
    with open_store().write() as connection:
        remember(connection, done.refusals, actor="cli", where="predict")
    remember_file("predict-molecules", out, {key: summary[key] for key in ("rows", "answers", "unanswered")})
    if as_json:
        typer.echo(json.dumps(summary, ensure_ascii=False, indent=2))
        return
    from xinglin.types import DISCLAIMER

    typer.echo(
        f"预测 answers {summary['answers']} · 无法预测 unanswered {summary['unanswered']} · "
        f"适用域外 outside of the domain {summary['outside_domain']} · 拒绝 refused {summary['refused']}"
    )
    typer.echo(
        f"训练表 training table: 弃用 left out {summary['training_rows_left_out']} · 合并 merged "
        f"{summary['training_rows_merged']} · 标签矛盾 contradictory {summary['labels_contradictory']}"
    )
    for task in done.unfitted[:SHOWN]:
        typer.echo(f"标签过少,未建模 too few labels, no model: {task}")
    for place, reason in list(done.training.problems.items())[:SHOWN]:
        typer.echo(f"{train.name} {place}: {reason}")
    for answer in [answer for answer in done.answers if answer.value is None][:SHOWN]:
        typer.echo(f"{inputs.name} {answer.row_id}: {answer.note}")
    typer.echo(str(out))
    typer.echo(f"{DISCLAIMER['zh']} {DISCLAIMER['en']}")
