"""``xinglin model gate``: the shipped models before their gates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def gate(
    results: Annotated[
        Path,
        typer.Option(
            help="记录结果的文件夹 Folder of the recorded results, docs/results of the source tree."
        ),
    ] = Path("docs/results"),
    policy: Annotated[
        Path | None,
        typer.Option(help="阈值文件;默认随软件附带 Thresholds; empty: those that come with the package."),
    ] = None,
) -> None:
    """用记录的证据裁定随软件附带的每个模型;未达阈值或缺证据则失败。Judge every shipped model by its recorded evidence.

    每个未要求的项目都须有豁免理由。Whatever is not asked must be waived with a reason, which is printed.
    """
    from xinglin.release.gates.shipped import FILE, judge_shipped, missed, read_standings

    failed = 0
    for name, standing in read_standings(policy or FILE).items():
        judged = judge_shipped(name, standing, results)
        failed += len(missed(judged)) + (not judged.verdict.checks)
        typer.echo(f"{name}  {judged.verdict.checkpoint[:12]}")
        for check in judged.verdict.checks:
            state = "通过 passed" if check.passed else "未通过 MISSED"
            typer.echo(f"  {state}  {check.name}: {check.found}  ({check.wanted})")
        for section, reason in judged.waived.items():
            typer.echo(f"  豁免 waived  {section}: {reason}")
    if failed:
        raise typer.Exit(1)
