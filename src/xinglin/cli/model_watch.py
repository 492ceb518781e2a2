"""``xinglin model watch``: one look at a model in use, or one after another."""

from __future__ import annotations

import json
import re
import signal
import threading
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from xinglin.cli.options import AsJson

if TYPE_CHECKING:
    from xinglin.release.monitoring.schedule import Watch
    from xinglin.store import Store


def watch(
    reference: Annotated[
        str | None,
        typer.Option(help="参照时段 首日..末日 Days for which it was found good: 2026-01-01..2026-01-31."),
    ] = None,
    current: Annotated[str | None, typer.Option(help="查看时段 首日..末日 Days to look at.")] = None,
    model: Annotated[
        str | None, typer.Option(help="模型行,见无参数时的列表 The model's line, as listed without options.")
    ] = None,
    attach: Annotated[
        str | None, typer.Option(help="把结果记为此版本的证据 NAME@NUMBER Keep the readings as its evidence.")
    ] = None,
    psi: Annotated[float, typer.Option(min=0.0, help="稳定性指数上限 Limit of the stability index.")] = 0.25,
    ece: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="校准误差上限 Limit of the calibration error.")
    ] = 0.10,
    error: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="错误率上限 Limit of the error rate.")
    ] = 0.50,
    every: Annotated[
        str | None,
        typer.Option(
            help="每隔多久看一次(30m、1h、1d),直到被停止;须有 --reference 和 --attach Look again and again, until "
            "stopped; needs --reference and --attach."
        ),
    ] = None,
    window: Annotated[
        int, typer.Option(min=1, max=3660, help="与 --every 同用:看最近几天 With --every: days looked at.")
    ] = 7,
    actor: Annotated[str, typer.Option(help="操作人 Who does it.")] = "cli",
    as_json: AsJson = False,
) -> None:
    """监测在用模型:输入漂移、校准与错误率;越限即报警。Look for drift, miscalibration and errors of a model in use.

    无参数时列出已计数的模型。记为证据的报警会关闭该版本的发布关口,直到后来的监测表明其已解除。
    Without options: lists the models that were counted. An alarm kept as evidence closes the gate of that version until
    a later look finds it over. With --every it runs until it is stopped, each look in the ledger.
    """
    from xinglin.errors import InvalidInputError
    from xinglin.release.monitoring.schedule import Watch
    from xinglin.release.monitoring.watch import Limits, look, models_in_use
    from xinglin.release.registry.record import attach as hang
    from xinglin.release.registry.record import find
    from xinglin.store import open_store

    store = open_store()
    with store.read() as connection:
        used = models_in_use(connection)
        if reference is None and current is None and every is None:
            for line, first, last, count in used:
                typer.echo(f"{first}..{last}  {count:>8}  {line}")
            if not used:
                typer.echo("尚无计数 nothing counted yet")
            return
        if every is not None and (reference is None or attach is None or current is not None):
            raise InvalidInputError("--every: give --reference and --attach, and leave --current out")
        if every is None and (reference is None or current is None):
            raise InvalidInputError("--reference and --current belong together: give both or neither")
        if model is None and len(used) != 1:
            raise InvalidInputError(f"{len(used)} models were counted: name one with --model")
        limits = Limits(psi=psi, ece=ece, error=error)
        line = model or used[0][0]
        if every is None:
            spans = {"reference": _span(reference or ""), "current": _span(current or "")}
            readings = look(connection, line, limits=limits, **spans)
    if every is not None:
        name, _, number = (attach or "").partition("@")
        with store.read() as connection:
            number = find(connection, name, number or None).number
        watched = Watch(line, name, number, _span(reference or ""), window, limits)
        keep_watching(store, watched, _seconds(every), actor)
        return
    if attach is not None:
        name, _, number = attach.partition("@")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with store.write() as connection:
            version = find(connection, name, number or None)
            for one in readings:
                content = one.as_evidence(now)
                hang(connection, version.name, version.number, "monitoring", content, actor=actor)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in readings], ensure_ascii=False, indent=2))
        return
    for one in readings:
        state = "报警 ALARM" if one.breached else "正常 fine "
        typer.echo(
            f"{state}  {one.name:14s} {one.value:7.3f}  (上限 limit {one.limit:g}, n {one.n})  {one.note}"
        )
    if attach is not None and any(one.breached for one in readings):
        typer.echo(
            "关口已关闭;如需退回:The gate is closed; to go back: xinglin model rollback NAME --reason ..."
        )


def keep_watching(store: Store, watched: Watch, seconds: float, actor: str) -> None:
    """Look, say what changed, and wait, until a signal says to stop."""
    from xinglin.errors import InvalidInputError
    from xinglin.release.monitoring.schedule import look_once

    stop = threading.Event()
    for which in (signal.SIGINT, signal.SIGTERM):
        signal.signal(which, lambda *_: stop.set())
    who = f"{watched.name}@{watched.number}"
    while True:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            looked = look_once(store, watched, actor=actor)
        except InvalidInputError as error:  # no answers in these days: there is nothing to judge yet
            typer.echo(f"{at}  {who}  {error}", err=True)
        else:
            typer.echo(f"{at}  {who}  读数 readings {len(looked.readings)}, 报警 alarms {len(looked.alarms)}")
            for one in looked.kept:
                state = "报警 ALARM" if one.breached else "正常 fine "
                typer.echo(
                    f"  {state}  {one.name:14s} {one.value:7.3f}  (上限 limit {one.limit:g})  {one.note}"
                )
            if any(one.breached for one in looked.kept):
                typer.echo("  关口已关闭 the gate is closed")
                if looked.back is not None:
                    typer.echo(
                        f"  可退回 to go back to {looked.back}: xinglin model rollback {watched.name} --reason ..."
                    )
        if stop.wait(seconds):
            return


def _seconds(text: str) -> float:
    from xinglin.errors import InvalidInputError

    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if found is None or int(found[1]) == 0:
        raise InvalidInputError(f"--every: expected a time such as 30m, 1h or 1d, got {text[:40]!r}")
    return int(found[1]) * {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}[found[2]]


def _span(text: str) -> tuple[str, str]:
    from xinglin.errors import InvalidInputError

    first, dots, last = text.partition("..")
    try:
        days = tuple(datetime.strptime(day, "%Y-%m-%d").date().isoformat() for day in (first, last))
    except ValueError:
        days = ()
    if not dots or len(days) != 2 or days[0] > days[1]:
        raise InvalidInputError(f"expected days such as 2026-01-01..2026-01-31, got {text[:40]!r}")
    return days[0], days[1]
