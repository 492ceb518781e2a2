"""``xinglin model devices``: which execution providers really work here, by a self-test of each."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

import typer

from xinglin.cli.options import AsJson, Provider


def use_provider(name: str | None) -> None:
    """Set the provider of this process and of those it starts; the root's ``--provider``.

    Raises:
        UnknownNameError: no such provider.
    """
    from xinglin.model.providers import VARIABLE, chosen

    if name is not None:
        os.environ[VARIABLE] = chosen(name)


def devices(provider: Provider = None, as_json: AsJson = False) -> None:
    """自检各计算设备:实际用了什么,结果对不对。Self-test of the execution providers: what is really used, and is it right.

    只问一个设备而它不可用时,退出码为 2。Asked for one that does not work, the command ends with status 2.

    例 Example: xinglin model devices --provider openvino
    """
    from xinglin.errors import DeviceError
    from xinglin.model.providers import devices as tested

    rows = tested(provider)
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=2))
    else:
        typer.echo("设备 device   状态 state        节点 nodes           最大差 largest difference")
        for row in rows:
            state = "可用 works" if row.works else ("未装 absent" if not row.installed else "拒用 refused")
            nodes = row.placement.nodes if row.placement else None
            placed = (
                ", ".join(f"{name.removesuffix('ExecutionProvider')} {n}" for name, n in nodes.items())
                if nodes
                else "–"
            )
            difference = "–" if row.difference is None else f"{row.difference:.1e}"
            typer.echo(f"{row.provider:<12}{state:<17}{placed:<21}{difference}")
            if row.reason:
                typer.echo(f"    {row.reason}")
    if provider is not None and not rows[0].works:
        raise DeviceError(
            f"{rows[0].provider}: 不可用,不会改用其他设备 it does not work, and nothing else is used instead"
        )


def register(app: typer.Typer) -> None:
    """Add ``devices`` to ``xinglin model``."""
    app.command("devices")(devices)
