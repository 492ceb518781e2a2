"""What ``xinglin federate`` prints: what runs, a job round by round and site by site, the federation's state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from xinglin.federate.overview import Budget, JobHistory, Overview, Round, SiteRound

STATES = {
    "ok": "[green]正常 ok[/green]",
    "refused": "[red]拒绝 refused[/red]",
    "silent": "[yellow]无应答 silent[/yellow]",
    "running": "[cyan]进行中 running[/cyan]",
    "done": "[green]完成 done[/green]",
    "stopped": "[red]停止 stopped[/red]",
}
SHOWN = ("auc", "accuracy", "loss")
"""Metrics of the common model that a line shows, the first two that are there."""


def show_up(state: Mapping[str, Any], folder: Path) -> None:
    """Print what runs and how to stop it."""
    from rich.console import Console
    from rich.table import Table

    table = Table("进程 process", "进程号 pid", "数据 data", box=None)
    for name, pid in state["pids"].items():
        data = "—" if name == "superlink" else state["sites"].get(name) or "本院档案 its archive"
        table.add_row("协调端 SuperLink" if name == "superlink" else name, str(pid), data)
    console = Console()
    console.print(table)
    console.print(f"地址 address  {state['host']}:{state['port']} (TLS, 节点密钥认证 nodes by key)")
    console.print(f"日志 logs     {folder / 'logs'}", soft_wrap=True)
    console.print(f"提交 submit   xinglin federate run JOB.toml --dir {folder}", soft_wrap=True)
    console.print(f"停止 stop     xinglin federate down --dir {folder}", soft_wrap=True)


def show_job(histories: Iterable[JobHistory]) -> JobHistory | None:
    """Print a job as it goes on; returns its last state."""
    from rich.console import Console

    from xinglin.types import DISCLAIMER

    console, told, last = Console(), 0, None
    for last in histories:
        if not told:
            console.print(f"[bold]{last.name}[/bold]  {last.task}  id {last.id}", highlight=False)
        for one in last.rounds[told:]:
            console.print(_heading(one, last.planned), highlight=False)
            console.print(_sites(one))
        told = len(last.rounds)
    if last is None:
        return None
    console.print(STATES[last.state] + (f"  模型 model {last.model}" if last.model else ""), soft_wrap=True)
    if last.reason:
        console.print(last.reason, markup=False, soft_wrap=True)
    typer.echo(f"{DISCLAIMER['zh']} {DISCLAIMER['en']}")
    return last


def show_status(found: Overview, alive: Iterable[str]) -> None:
    """Print hospitals, jobs, budgets."""
    from rich.console import Console
    from rich.table import Table

    from xinglin.types import DISCLAIMER

    console, here = Console(), set(alive)
    nodes = Table("医院 hospital", "本机进程 runs here", "最近应答 last answer", box=None)
    for node in found.nodes:
        nodes.add_row(node.site, "✓" if node.site in here else "—", (node.seen or "—")[:19].replace("T", " "))
    console.print(nodes)
    jobs = Table("任务 job", "状态 state", "轮次 rounds", "开始 started", "编号 id", box=None)
    for job in found.jobs:
        done = max((one.number for one in job.rounds), default=0)
        jobs.add_row(
            job.name, STATES[job.state], f"{done}/{job.planned}", job.started[:19].replace("T", " "), job.id
        )
    console.print(jobs)
    if found.budgets:
        budgets = Table("医院 hospital", "单位 unit", "已用 spent ε", "剩余 left ε", "δ", box=None)
        for one in found.budgets:
            budgets.add_row(one.site, one.unit, f"{one.spent:.3f}", f"{one.left:.3f}", f"{one.delta:g}")
        console.print(budgets)
    typer.echo(f"{DISCLAIMER['zh']} {DISCLAIMER['en']}")


def _heading(one: Round, planned: int) -> str:
    if one.number == 0:
        return f"[bold]准入 admission[/bold]  {one.seconds:.1f} s"
    return f"[bold]第 {one.number}/{planned} 轮 round[/bold]  {one.seconds:.1f} s"


def _sites(one: Round) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table("医院 hospital", "状态 state", "例数 n", "指标 metrics", "隐私 ε", "说明 reason", box=None)
    for site in one.sites:
        examples = "—" if site.examples is None else str(site.examples)
        table.add_row(
            site.site,
            STATES[site.state],
            examples,
            _metrics(site),
            _epsilon(site.budget),
            escape(site.reason or ""),
        )
    return table


def _metrics(site: SiteRound) -> str:
    names = [name for name in SHOWN if name in site.evaluate][:2] or list(site.evaluate)[:2]
    return "  ".join(f"{name} {site.evaluate[name]:.3f}" for name in names)


def _epsilon(budget: Budget | None) -> str:
    return "" if budget is None else f"{budget.spent:.2f}/{budget.allowed:g}"
