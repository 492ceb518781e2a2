"""``xinglin data``: the catalogue of open data sets, and a set brought to this machine."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli.options import AsJson

app = typer.Typer(help="开放数据集目录 The catalogue of open data sets.", no_args_is_help=True)


@app.command("list")
def listing(as_json: AsJson = False) -> None:
    """列出所有数据集及其许可。List every data set with its licence and use."""
    from xinglin.records.catalogue import catalogue

    sets = list(catalogue().values())
    if as_json:
        shown = [
            {
                "name": item.name,
                "folder": item.folder,
                "licence": item.licence,
                "restricted": item.restricted,
                "problem": item.problem,
                "caution": item.caution,
                "use": item.use,
                "upstream": item.upstream,
                "files": [file.model_dump() for file in item.files],
            }
            for item in sets
        ]
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("名称 name", "用途 use", "许可 licence", "大小 size", box=None, pad_edge=False)
    for item in sets:
        licence = item.licence or "未声明 none stated"
        if item.problem:
            licence = f"[red]受限 restricted[/red] {item.problem[0]}{item.problem[1]}"
        table.add_row(item.name, f"{item.use[0]} {item.use[1]}", licence, _size(item.bytes))
    Console().print(table)
    restricted = sum(item.restricted for item in sets)
    typer.echo(
        f"{len(sets)} 个数据集,其中 {restricted} 个受限,默认不用于训练。"
        f"{len(sets)} sets, {restricted} of them restricted: not for training unless asked for."
    )


@app.command()
def get(
    name: Annotated[str, typer.Argument(help="数据集名称 Name, see `xinglin data list`.")],
    mirror: Annotated[
        str | None,
        typer.Option(
            help="镜像:文件夹或 http(s) 地址 A folder or an http(s) address; default: XINGLIN_MIRROR."
        ),
    ] = None,
    into: Annotated[
        Path | None, typer.Option(help="放入的文件夹 Folder to put it in; default: the home folder's data.")
    ] = None,
    restricted: Annotated[
        bool, typer.Option("--restricted", help="确认有权使用受限数据集 You may use this restricted set.")
    ] = False,
) -> None:
    """取得一个数据集,逐字节核对。Bring a set here, every byte checked; a broken download goes on where it broke."""
    from rich.progress import Progress

    from xinglin.errors import MissingDataError, NotPermittedError
    from xinglin.ledger import append
    from xinglin.records.catalogue import data_set
    from xinglin.records.fetch import get_data_set, is_address
    from xinglin.store import home_folder, open_store

    wanted = data_set(name)
    if wanted.problem and not restricted:
        raise NotPermittedError(
            f"{name} 受限 is restricted: {wanted.problem[0]}{wanted.problem[1]} "
            "If you may use it, add --restricted; do not train what you share on it."
        )
    source = mirror or os.environ.get("XINGLIN_MIRROR")
    if not source:
        raise MissingDataError(
            f"no mirror is named: give --mirror with a folder or an address. Upstream of {name}: "
            + ", ".join(wanted.upstream)
        )
    folder = into or home_folder() / "data"
    with Progress(transient=True) as bar:
        task = bar.add_task(name, total=wanted.bytes)
        found, brought = get_data_set(wanted, source, folder, progress=lambda count: bar.advance(task, count))
    detail = {
        "name": name,
        "licence": wanted.licence,
        "restricted": wanted.restricted,
        "files": len(wanted.files),
        "brought": brought,
        "over": "http" if is_address(source) else "folder",
    }
    with open_store().write() as connection:
        append(
            connection,
            "data.get",
            actor="cli",
            subjects=tuple(f.sha256 for f in wanted.files[:100]),
            detail=detail,
        )
    kept = len(wanted.files) - brought
    typer.echo(
        f"{found}: {brought} 个文件已取得,{kept} 个原已完好 {brought} files brought, {kept} were here and whole"
    )
    if wanted.caution:
        typer.echo(f"注意 note: {wanted.caution[0]} {wanted.caution[1]}")


def _size(count: int) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count //= 1000
    return f"{count} GB"
