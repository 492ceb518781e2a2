"""``xinglin records retention|expire|refuse|accept``: how long records are kept, and who refuses automated decisions."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from xinglin.cli.options import AsJson

Name = Annotated[str, typer.Argument(help="数据集 Name of the data set.")]
As = Annotated[str, typer.Option("--as", help="操作者 Who acts; stands in the ledger.")]
Person = Annotated[str, typer.Option("--subject", help="患者标识 Subject, as the records carry it.")]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("retention")(retention)
    app.command("expire")(expire)
    app.command("refuse")(refuse)
    app.command("accept")(accept)


def retention(
    name: Annotated[str | None, typer.Argument(help="数据集;不填即全部 Data set; without: all.")] = None,
    purpose: Annotated[
        str | None, typer.Option(help="规定此用途的期限 State the period of this purpose.")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=0, help="自入库起保存几天;0 即终止 Days kept from intake; 0 ends it.")
    ] = None,
    basis: Annotated[str | None, typer.Option(help="依据 The rule it follows.")] = None,
    actor: As = "cli",
    as_json: AsJson = False,
) -> None:
    """保存期限:列出各数据集的期限与到期情况,或规定期限。Periods of retention and what is due; or state one.

    不自动删除任何记录;到期者用 `xinglin records expire` 删除。Nothing is deleted by itself.
    """
    from xinglin.errors import InvalidInputError
    from xinglin.records.retention import all_due, due, state_period
    from xinglin.store import open_store

    stated = (purpose, days, basis)
    store = open_store()
    if any(one is not None for one in stated):
        if name is None or purpose is None or days is None or basis is None:
            raise InvalidInputError("a period: give the data set, --purpose, --days and --basis")
        with store.write() as connection:
            state_period(connection, name, purpose=purpose, days=days, basis=basis, by=actor)
    with store.read() as connection:
        found = [due(connection, name)] if name is not None else all_due(connection)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=2))
        return
    for one in found:
        typer.echo(one.dataset)
        for period in one.periods:
            typer.echo(
                f"  {period.purpose:12s} {period.days} 天 days  {period.basis}  ({period.by}, {period.time[:10]})"
            )
        if not one.periods:
            typer.echo("  未规定期限:永不到期 no period stated: nothing is ever due")
            continue
        typer.echo(
            f"  到期 due: {one.records} 条(含各版本)rows, versions counted; {one.subjects} 人 subjects"
            + (f";下次 next {one.next[:10]}" if one.next else "")
        )
    if not found:
        typer.echo("尚无数据集 no data set yet")


def expire(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 Do not ask.")] = False,
    actor: As = "cli",
) -> None:
    """删除已过保存期限的记录,并入账本;无法恢复。Erase what has outlived its period; stands in the ledger; for good."""
    from xinglin.cli.records import tell_reach
    from xinglin.labels.campaign import erase_labels
    from xinglin.records.retention import due
    from xinglin.records.retention import expire as erase
    from xinglin.store import open_store

    store = open_store()
    with store.read() as connection:
        told = due(connection, name)
    if told.records == 0:
        typer.echo("无到期记录 nothing is due")
        return
    if not yes:
        typer.confirm(
            f"将删除 {told.records} 条,涉及 {told.subjects} 人,无法恢复。继续?Erases {told.records} rows of "
            f"{told.subjects} subjects; it cannot be undone. Go on?",
            abort=True,
        )
    done = erase(store, name, actor=actor)
    labelled = erase_labels(store, name, actor=actor)
    typer.echo(
        f"已删除 erased: {done.records} 条 rows, {done.subjects} 人 subjects; {labelled} 条标注记录 annotated records"
    )
    tell_reach(name)


def refuse(name: Name, subject: Person, actor: As = "cli") -> None:
    """记录本人拒绝仅由自动化作出的决定。A subject refuses decisions made by automation alone.

    此后对其库存病历的回答一律交由医师决定。From now on answers from its stored records are handed to a clinician.
    """
    from xinglin.ledger.automated import refuse_automated
    from xinglin.store import open_store

    with open_store().write() as connection:
        refuse_automated(connection, name, subject=subject, by=actor)
    typer.echo(f"已记录 refusal stated: {name}")


def accept(name: Name, subject: Person, actor: As = "cli") -> None:
    """本人收回上述拒绝。The subject takes that refusal back."""
    from xinglin.ledger.automated import accept_automated
    from xinglin.store import open_store

    with open_store().write() as connection:
        accept_automated(connection, name, subject=subject, by=actor)
    typer.echo(f"已收回 refusal taken back: {name}")
