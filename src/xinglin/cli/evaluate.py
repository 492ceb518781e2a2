"""``xinglin evaluate``: benchmarks with intervals."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli.evaluate_exams import Asked, evaluate_exam, is_exam
from xinglin.cli.evaluate_molecules import evaluate_molecules
from xinglin.cli.imaging_windows import evaluate_windows
from xinglin.cli.options import AsJson, Ledger

NODULE_WINDOWS = "nodule-windows"
MOLECULES = "molecules"


def evaluate(
    name: Annotated[str, typer.Argument(help="数据集 The data set; all are named above.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="评测文件;考试可取自 XINGLIN_DATA File to score (JSONL, JSONL.gz); exams: may lie in XINGLIN_DATA."
        ),
    ] = None,
    train: Annotated[Path | None, typer.Option(help="训练文件 File to fit on.")] = None,
    graph: Annotated[list[str] | None, typer.Option(help="NAME=FILE 导入的图谱 An imported graph.")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="文本模型检查点文件夹,空为随附者;考试:语言模型文件夹或 OpenAI 兼容网址 Checkpoint of the text encoder; "
            "empty: the shipped one; exams: folder of a language model, or URL of an OpenAI-compatible server."
        ),
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="逐例输出 Write each case's ranked labels.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="可靠性图 Write a reliability plot (SVG).")] = None,
    risk: Annotated[
        Path | None,
        typer.Option(help="风险-覆盖图 Write a plot of accuracy against the share answered (SVG)."),
    ] = None,
    truth: Annotated[
        list[Path] | None,
        typer.Option(
            help="nodule-windows 的真值表,可多次 Truth table of nodule-windows; repeat to join several."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="nodule-windows 仅评此划分;molecules: scaffold | random;考试: test(默认)| validation | train | all "
            "Score only this split, or how a fifth is held back."
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="molecules 仅评这些任务,可多次 Score only these tasks; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(help="随机种子 Seed.")] = 0,
    by: Annotated[
        str,
        typer.Option(help="考试:likelihood 似然 | generation 生成并严格解析 Exams: how answers are taken."),
    ] = "likelihood",
    shots: Annotated[int, typer.Option(help="考试:示例数 Exams: worked examples of the train part.")] = 0,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="考试:轮换选项 Exams: ask with options in every rotation.")
    ] = False,
    limit: Annotated[int | None, typer.Option(help="考试:最多题数 Exams: items at most.")] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="考试:生成上限 Exams: tokens of an answer.")] = 512,
    training: Annotated[
        list[Path] | None,
        typer.Option(
            help="考试:训练文本,查题目是否见过,可多次 Exams: training text to look for the items in; repeatable."
        ),
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(help="考试:保存生成的回答,可续跑 Exams: keep written answers, to go on after a break."),
    ] = None,
    evidence: Annotated[
        Path | None,
        typer.Option(help="考试:写出可附于登记版本的指标 Exams: write metrics for xinglin model attach."),
    ] = None,
    allow_remote: Annotated[
        bool,
        typer.Option("--allow-remote", help="考试:允许题目离开本机 Exams: let items leave this machine."),
    ] = False,
    ledger: Ledger = True,
    as_json: AsJson = False,
) -> None:
    """在数据集上评测,附 n 和 95% 区间。Score a data set; every figure with n and a 95 % interval.

    NAME 数据集: dxy, mz4, mz10, ai-hospital, dxbench, xywy-exams; 文本 texts: toyhom-department, toyhom-disease,
    dxy-text, mz10-text; 影像 imaging: nodule-windows (--data 预测 predictions, --truth 真值表 truth table);
    分子 molecules: molecules (--data 训练表 training table);
    考试 exams of a language model: cmexam, pubmedqa, mmlu-medical, xmedbench, cnmleqa (--model, --by).
    文本数据集用 --train 微调编码器,需数分钟,结果按摘要缓存。The text sets fine-tune the encoder on --train: minutes,
    kept by digest below XINGLIN_HOME/cache.
    """
    from xinglin.apps.diagnosis.evaluate import evaluate as run
    from xinglin.apps.diagnosis.evaluate.door import Request
    from xinglin.errors import InvalidInputError

    if is_exam(name):
        given = Asked(
            by, shots, rotate, limit, max_tokens, training or [], answers, evidence, allow_remote, ledger
        )
        with _progress() as report:
            evaluate_exam(name, data, model, split, seed, given, as_json, report)
        return
    if data is None:
        raise InvalidInputError(f"{name}: give the file to score: --data FILE")
    if name == MOLECULES:
        evaluate_molecules(data, split, only, seed, as_json)
        return
    if name == NODULE_WINDOWS:
        if not truth:
            raise InvalidInputError(f"{NODULE_WINDOWS}: --truth TABLE is needed")
        evaluate_windows(data, truth, split, seed, as_json)
        return
    if truth or split is not None or only:
        raise InvalidInputError(
            f"--truth, --split and --only belong to {NODULE_WINDOWS} and {MOLECULES}, not to {name!r}"
        )
    graphs = {}
    for item in graph or []:
        key, equals, path = item.partition("=")
        if not equals:
            raise InvalidInputError(f"--graph: expected NAME=FILE, got {item!r}")
        graphs[key] = Path(path)
    with _progress() as report:
        result = run(
            Request(
                name, data, train, graphs or None, seed, None if model is None else Path(model), report=report
            )
        )
    if predictions is not None:
        lines = (json.dumps(case.as_json(), ensure_ascii=False) for case in result.cases)
        predictions.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    if plot is not None:
        from xinglin.apps.diagnosis.evaluate.reliability import reliability_svg

        plot.write_text(reliability_svg(name, result.cases), encoding="utf-8")
    if risk is not None:
        from xinglin.apps.diagnosis.evaluate.reliability import risk_svg

        risk.write_text(risk_svg(name, result.cases), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps([row.as_json() for row in result.rows], ensure_ascii=False, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("mode", "arm", "n", "figure", "value", "95 %", box=None, pad_edge=False)
    for row in result.rows:
        for place, (figure, value) in enumerate(row.metrics.items()):
            head = (row.mode, row.arm, str(row.n)) if place == 0 else ("", "", "")
            table.add_row(*head, figure, f"{value.value:.3f}", f"[{value.low:.3f}, {value.high:.3f}]")
        if row.note:
            table.add_row("", "", "", f"[dim]{row.note}[/]", "", "")
    console = Console()
    console.print(f"[bold]{name}[/]  {data.name}")
    console.print(table)
    for remark in result.remarks:
        console.print(f"· {remark}")


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    """Yield what is called with (what is done now, share of it); a bar in a terminal, else a line a task."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    tasks: dict[str, TaskID] = {}
    if not sys.stderr.isatty():

        def say(what: str, share: float) -> None:
            if what not in tasks:
                tasks[what] = TaskID(len(tasks))
                typer.echo(what, err=True)

        yield say
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("剩余 left"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:

        def show(what: str, share: float) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=1.0)
            bar.update(tasks[what], completed=share)

        yield show
