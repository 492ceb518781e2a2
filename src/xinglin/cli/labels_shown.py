"""What ``xinglin labels`` prints: a case to decide, and the lead's overview."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from xinglin.labels.answer import Answer
    from xinglin.labels.assign import Task
    from xinglin.labels.overview import Overview
    from xinglin.labels.scheme import Scheme
    from xinglin.labels.second_looks import Looks


def shown(answer: Answer | None) -> str:
    """Return an answer in one line."""
    if answer is None:
        return "—"
    return ", ".join(f"{code.value} {code.display}" for code in answer) or "都不符合 none applies"


def show_task(task: Task, scheme: Scheme) -> None:
    """Print a case, and the classes of a small scheme."""
    typer.secho(f"#{task.slot}  {task.stage}", bold=True)
    typer.echo(task.record.text)
    for number, opinion in enumerate(task.opinions, 1):
        told = opinion.reason if opinion.codes is None else shown(opinion.codes)
        typer.echo(f"标注 label {number}: {told}")
    if task.decided is not None:
        typer.echo(f"已判断 decided: {shown(task.decided)}")
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
        ("盲标与模型一致 agree with the model", found.model_agreement),
        ("进入仲裁 to arbitration", found.arbitrated),
        ("与模型依据重合 words shared with the model's", found.overlap),
    ):
        if figure is not None:
            interval = f"[{figure.low:.3f}, {figure.high:.3f}], n={figure.n}"
            typer.echo(f"{word}: {figure.value:.3f} {interval}")
    for code, alpha in found.by_code:
        value = "—" if alpha.value is None else f"{alpha.value:.3f}"
        typer.echo(f"Krippendorff α {code.value} {code.display}: {value}, n={alpha.items}")
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


def show_looks(found: Looks, opened: tuple[str, ...], budget: float, top: int) -> None:
    """Print how doubtful the labels are, and what experts would look at next."""
    from rich.console import Console
    from rich.table import Table

    from xinglin.types import DISCLAIMER

    if opened:
        typer.echo(f"已开放 opened: {len(opened)}")
    error = "—" if found.error is None else f"{found.error:.2%}"
    typer.echo(f"已定 settled: {found.settled} / {found.records}")
    typer.echo(f"按 Dawid–Skene 估计的误标 estimated wrong labels: {error} (不是证书 not the certificate)")
    typer.echo(
        f"专家标注 expert labels: {found.reviews} / {budget * found.records:.0f} (--budget {budget:g})"
    )
    table = Table("病历 record", "误标概率 P(wrong)", "已有专家标注 expert labels", box=None)
    for doubt in found.doubtful[:top]:
        table.add_row(doubt.record, f"{doubt.error:.2%}", str(doubt.reviews))
    if found.doubtful:
        Console().print(table)
    typer.echo(f"{DISCLAIMER['zh']} {DISCLAIMER['en']}")
