"""``xinglin drugs screen``: which structures of a file fall under a chemical-weapon or controlled-drug schedule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli.options import AsJson


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("screen")(screen)


def screen(
    file: Annotated[Path, typer.Argument(help="分子文件:csv、tsv、smi、sdf(可 gz) File of molecules.")],
    column: Annotated[str | None, typer.Option(help="SMILES 所在列 Column with the SMILES.")] = None,
    reagent: Annotated[
        bool, typer.Option("--reagent", help="按试剂(使用而非制造)判断 Judge as reagents: used, not made.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """按结构筛查化学武器、麻精药品与易制毒化学品;被拒者记入审计链。Screen structures against the schedules.

    没有绕过的开关。There is no override. 输出只给行号与条目,不重复结构。Rows and entries are printed, never structures.
    """
    from xinglin.apps.drugs.safety import duties, remember
    from xinglin.apps.drugs.safety import screen as ask
    from xinglin.errors import InvalidInputError
    from xinglin.records.molecules.standard import LENIENT
    from xinglin.records.molecules.tables import read_molecules
    from xinglin.store import open_store
    from xinglin.types import DISCLAIMER

    table = read_molecules(file, column=column, options=LENIENT)
    refused, declared, unread = {}, {}, dict(table.problems)
    for entry in table.entries:
        if entry.problem:
            continue
        try:
            refusal = ask(entry.text, reagent=reagent)
            found = () if refusal else duties(entry.text)
        except InvalidInputError as error:
            unread[entry.place] = str(error)
            continue
        if refusal:
            refused[entry.place] = refusal
        elif found:
            declared[entry.place] = found
    with open_store().write() as connection:
        remember(connection, list(refused.values()), actor="cli", where="screen")
    if as_json:
        body = {
            "molecules": len(table.entries),
            "refused": {
                place: {"category": one.entry.category, "entry": one.entry.id, "zh": one.zh, "en": one.en}
                for place, one in refused.items()
            },
            "declare": {
                place: [{"entry": duty.entry.id, "zh": duty.zh, "en": duty.en} for duty in found]
                for place, found in declared.items()
            },
            "unread": unread,
        }
        typer.echo(json.dumps(body, ensure_ascii=False, indent=2))
        return
    for place, refusal in refused.items():
        typer.secho(f"{place}  拒绝 refused  [{refusal.entry.id}]", fg="red")
        typer.echo(f"  {refusal.zh}\n  {refusal.en}")
    for place, found in declared.items():
        for duty in found:
            typer.secho(f"{place}  须申报 to declare  [{duty.entry.id}]", fg="yellow")
            typer.echo(f"  {duty.zh}\n  {duty.en}")
    for place, problem in unread.items():
        typer.secho(f"{place}  未读 not read: {problem}", fg="yellow", err=True)
    typer.echo(
        f"{len(table.entries)} 个分子 molecules: 拒绝 refused {len(refused)}, "
        f"须申报 to declare {len(declared)}, 未读 not read {len(unread)}"
    )
    typer.echo(
        f"未列出不等于安全或合法。Not listed is neither safe nor lawful. {DISCLAIMER['zh']} {DISCLAIMER['en']}"
    )
