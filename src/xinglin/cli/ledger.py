"""``xinglin audit``: verify the ledger and read it."""

from __future__ import annotations

import json
from typing import Annotated

import typer

app = typer.Typer(help="审计链 The audit chain.", no_args_is_help=True)


@app.command()
def verify(
    seq: Annotated[int | None, typer.Option(help="另处记下的序号 Number of a head noted elsewhere.")] = None,
    digest: Annotated[str | None, typer.Option("--hash", help="另处记下的哈希 Its hash.")] = None,
) -> None:
    """验证全链。Verify the whole chain; names the first entry that does not fit."""
    from xinglin.errors import InvalidInputError
    from xinglin.ledger import entries
    from xinglin.ledger import verify as check
    from xinglin.store import open_store

    if (seq is None) != (digest is None):
        raise InvalidInputError("--seq and --hash belong together: give both or neither")
    expected = (seq, digest) if seq is not None and digest is not None else None
    with open_store().read() as connection:
        count = check(connection, expected=expected)
        head = next(iter(entries(connection, start=count)), None) if count else None
    typer.echo(f"完好 intact: {count} entries" + (f", head {head.hash}" if head else ""))


@app.command("list")
def listing(last: Annotated[int, typer.Option(min=1, help="最后几条 How many of the last.")] = 20) -> None:
    """列出最近的条目。List the newest entries as JSON lines."""
    from dataclasses import asdict

    from sqlalchemy import select

    from xinglin.ledger import entries
    from xinglin.store import open_store
    from xinglin.store.tables import ledger_head

    with open_store().read() as connection:
        head = connection.execute(select(ledger_head.c.seq)).scalar_one()
        for entry in entries(connection, start=max(1, head - last + 1)):
            typer.echo(json.dumps(asdict(entry), ensure_ascii=False))
