"""``xinglin ledger consents``: whose account a subject's is, and the same view as the workbench's page."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

app = typer.Typer(help="本人的同意 A subject's own view of consents.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="数据集 Name of the data set.")]
Actor = Annotated[str, typer.Option("--as", help="操作人 Who acts; stands in the ledger.")]


def register(ledger: typer.Typer) -> None:
    """Add the verbs below ``ledger``."""
    ledger.add_typer(app, name="consents")


@app.command()
def link(
    dataset: Name,
    subject: Annotated[str, typer.Option(help="患者标识,不保存 The subject's identifier; it is not kept.")],
    account: Annotated[str, typer.Option(help="工作台账号 Account of the workbench.")],
    actor: Actor = "cli",
) -> None:
    """把工作台账号与患者本人关联。Link an account of the workbench to a subject."""
    from xinglin.ledger.consents import link_account
    from xinglin.store import open_store

    with open_store().write() as connection:
        link_account(connection, dataset, subject=subject, account=account, by=actor)
    typer.echo(f"已关联 linked: {account} -> {dataset}")


@app.command()
def show(
    dataset: Name,
    subject: Annotated[
        str | None, typer.Option(help="患者标识;不填以管理人查看 Identifier; without: as steward.")
    ] = None,
    actor: Annotated[str, typer.Option("--as", help="账号 The account that looks.")] = "local",
) -> None:
    """显示同意、授权与使用记录(JSON)。Show consents, grants and uses as JSON."""
    from xinglin.serve.consents import look
    from xinglin.store import open_store

    typer.echo(json.dumps(asdict(look(open_store(), actor, dataset, subject)), ensure_ascii=False, indent=2))
