"""Challenges as a terminal shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from xinglin.types import DISCLAIMER

if TYPE_CHECKING:
    from xinglin.release.challenge.board import Row
    from xinglin.release.challenge.record import Challenge

PHASES = {
    "coming": "未开始 coming",
    "open": "进行中 open",
    "ended": "已截止,待公布 ended, to be closed",
    "closed": "已公布 closed",
}


def when(moment: str) -> str:
    """Return a moment in UTC, to the minute."""
    return datetime.fromisoformat(moment).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def figure(told: Mapping[str, Any]) -> str:
    """Return a figure with its interval."""
    return f"{told['value']:.4f} [{told['low']:.4f}, {told['high']:.4f}], n = {told['n']}"


def show_list(found: Sequence[Challenge], now: datetime) -> None:
    """Print the challenges."""
    from rich.console import Console
    from rich.table import Table

    if not found:
        typer.echo(
            "还没有挑战赛 no challenge yet: xinglin challenge create MANIFEST --hidden FILE --out FILE"
        )
        return
    table = Table("名称 name", "题目 title", "状态 phase", "截止 closes", box=None, pad_edge=False)
    for one in found:
        title = f"{one.manifest.title.zh}\n{one.manifest.title.en}"
        table.add_row(one.name, title, PHASES[one.phase(now)], when(one.manifest.closes))
    Console().print(table)


def show_challenge(challenge: Challenge, now: datetime) -> None:
    """Print task, dates and rules."""
    manifest = challenge.manifest
    committed = manifest.committed()
    lines = [
        f"{manifest.title.zh} {manifest.title.en} ({PHASES[challenge.phase(now)]})",
        f"{manifest.task.zh}\n{manifest.task.en}",
        f"{when(manifest.opens)} – {when(manifest.closes)}; 每天 {manifest.daily} 次 {manifest.daily} entries a day",
        f"测试 test: {committed.cases} 题 cases, 榜单用 {committed.board} for the board, "
        f"终评用 {committed.cases - committed.board} for the end",
        *(f"· {rule.zh} {rule.en}" for rule in manifest.rules),
        f"承诺 commitments: inputs {committed.inputs}\n                labels {committed.labels}",
    ]
    typer.echo("\n".join(lines))


def show_board(challenge: Challenge, rows: Sequence[Row], reports: Sequence[Mapping[str, Any]]) -> None:
    """Print the board, and what hospitals signed."""
    from rich.console import Console
    from rich.table import Table

    part = (
        "最终榜单(终评部分)final, on the untouched part"
        if challenge.closed
        else "当前榜单(阶梯)present, by the Ladder"
    )
    groups = list(dict.fromkeys(name for row in rows for name in row.groups))
    heads = (
        "名次 rank",
        "参赛者 entrant",
        "条目 entry",
        f"{challenge.manifest.metric}, 95 %, n",
        "次数 tries",
    )
    table = Table(*heads, *groups, title=part, title_justify="left", box=None, pad_edge=False)
    for row in rows:
        mark = " (基线 baseline)" if row.baseline else ""
        cells = [
            "—" if one is None else f"{one.value:.3f} ({one.n})"
            for one in (row.groups.get(name) for name in groups)
        ]
        table.add_row(
            str(row.rank),
            row.entrant + mark,
            row.title,
            figure(row.figure.as_json() | {"n": row.figure.n}),
            str(row.entries),
            *cells,
        )
    Console().print(table)
    for report in reports:
        typer.echo(f"{report['site']} · {report['model'][:12]}…: {figure(report)} (签名 signed)")
    typer.echo(f"{DISCLAIMER['zh']} {DISCLAIMER['en']}")
