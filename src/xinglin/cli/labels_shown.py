"""What ``xinglin labels`` prints: a case to decide, and the lead's overview."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from xinglin.labels.assign import Task
    from xinglin.labels.overview import Overview
    from xinglin.labels.scheme import Scheme


def show_task(task: Task, scheme: Scheme) -> None:
    """Print a case, and the classes of a small scheme."""
    typer.secho(f"#{task.slot}  {task.stage}", bold=True)
    typer.echo(task.record.text)
    for number, opinion in enumerate(task.opinions, 1):
        told = opinion.reason if opinion.code is None else f"{opinion.code.value} {opinion.code.display}"
        typer.echo(f"标注 label {number}: {told}")
    if task.decided is not None:
        typer.echo(f"已判断 decided: {task.decided.value} {task.decided.display}")
    if len(scheme.classes) <= 20:
        for code in scheme.codes:
            typer.echo(f"  {code.value:10} {code.display}")


def show_overview(found: Overview) -> None:
    """Print the state of a campaign."""
    from rich.console import Console
    from rich.table import Table

    from xinglin.types import DISCLAIMER

    typer.echo("病历 records: " + ", ".join(f"{state} {count}" for state, count in found.records.items()))
    if found.audit:
        typer.echo("盲审 audit: " + ", ".join(f"{state} {count}" for state, count in found.audit.items()))
    for word, figure in (
        ("两份盲标一致 blind labels agree", found.agreement),
        ("盲标与模型一致 equal the model's", found.model_agreement),
        ("进入仲裁 to arbitration", found.arbitrated),
    ):
        if figure is not None:
            interval = f"[{figure.low:.3f}, {figure.high:.3f}], n={figure.n}"
            typer.echo(f"{word}: {figure.value:.3f} {interval}")
    table = Table(
        "姓名 who", "角色 roles", "标注 labels", "跳过 passed", "秒/例 s a case", "能力 skill", box=None
    )
    for person in found.people:
        pace = "—" if person.pace is None else f"{person.pace:.1f}"
        skill = "—" if person.skill is None else f"{person.skill:.3f}"
        roles = " ".join(person.roles)
        table.add_row(person.name, roles, str(person.labels), str(person.passed), pace, skill)
    Console().print(table)
    typer.echo(f"{DISCLAIMER['zh']} {DISCLAIMER['en']}")
