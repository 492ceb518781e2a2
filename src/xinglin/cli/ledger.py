"""``xinglin audit``: verify the ledger, read it, sign it, and take it home."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli import ledger_keys, ledger_proofs
from xinglin.cli.options import AsJson

app = typer.Typer(help="审计链 The audit chain.", no_args_is_help=True)
app.add_typer(ledger_keys.app, name="key")
ledger_proofs.register(app)

Actor = Annotated[str, typer.Option(help="操作人 Who does it.")]


@app.command()
def verify(
    first: Annotated[int, typer.Option("--from", min=1, help="从第几条 First entry to check.")] = 1,
    last: Annotated[int | None, typer.Option("--to", min=1, help="到第几条 Last entry to check.")] = None,
    public_key: Annotated[
        list[str] | None,
        typer.Option(
            help="你信任的公钥(64 位十六进制或 .pub 文件),可多次 A public key you trust; repeatable."
        ),
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(help="离线核对导出的文件 Check an exported file, without any store.")
    ] = None,
    head: Annotated[
        list[Path] | None,
        typer.Option(help="另处保存的签名链头(JSON),可多次 A signed head kept elsewhere; repeatable."),
    ] = None,
    seq: Annotated[int | None, typer.Option(help="另处记下的序号 Number of a head noted elsewhere.")] = None,
    digest: Annotated[str | None, typer.Option("--hash", help="另处记下的哈希 Its hash.")] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="长链由几个进程同时核对;默认按核数,至多 8 Processes for a long chain; empty: one a core, 8 at most.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """验证审计链,指出第一条不符的条目。Verify the chain; names the first entry that does not fit.

    不给公钥时只核对链本身;给出公钥时还核对每个签名链头,因而能发现整链重写或截尾。
    Without a key only the chain itself is checked; with one, every signed head too, which shows a chain rewritten
    or cut off as a whole.
    """
    from xinglin.errors import InvalidInputError
    from xinglin.ledger import entries
    from xinglin.ledger.audit_keys import announced
    from xinglin.ledger.heads import check_heads, signed_heads
    from xinglin.ledger.journal import check_journal
    from xinglin.ledger.verification import verify as check
    from xinglin.store import open_store

    if (seq is None) != (digest is None):
        raise InvalidInputError("--seq and --hash belong together: give both or neither")
    processes = processes or min(os.cpu_count() or 1, 8)
    given = {ledger_keys.read_public_key(text) for text in public_key or []}
    kept = [ledger_proofs.read_kept_head(path) for path in head or []]
    if (journal or kept) and not given:
        raise InvalidInputError("a journal or a kept head is checked with a public key: give --public-key")
    expected = (seq, digest) if seq is not None and digest is not None else None
    if journal is not None:
        if expected:
            raise InvalidInputError("--seq and --hash go with the store; give a signed --head for a journal")
        checked = check_journal(journal, given=given, first=first, last=last, heads=kept, processes=processes)
        count, heads, end = checked.entries, checked.heads, checked.last.hash
    else:
        with open_store().read() as connection:
            keys = announced(connection)
            marks = check_heads([*signed_heads(connection), *kept], keys, given) if given else []
            count = check(
                connection, first=first, last=last, expected=expected, heads=marks, processes=processes
            )
            heads = sum(mark.seq < first + count for mark in marks)
            newest = next(entries(connection, start=first + count - 1, batch=1), None) if count else None
            end = newest.hash if newest else ""
    if as_json:
        typer.echo(json.dumps({"intact": True, "entries": count, "first": first, "heads": heads}))
        return
    signed = (
        f",签名链头 signed heads {heads}" if given else ",未核对签名 signatures not checked (--public-key)"
    )
    typer.echo(f"完好 intact: {count} entries{signed}" + (f", head {end}" if end else ""))


@app.command("list")
def listing(last: Annotated[int, typer.Option(min=1, help="最后几条 How many of the last.")] = 20) -> None:
    """列出最近的条目。List the newest entries as JSON lines."""
    from dataclasses import asdict

    from sqlalchemy import select

    from xinglin.ledger import entries
    from xinglin.store import open_store
    from xinglin.store.tables_ledger import ledger_head

    with open_store().read() as connection:
        head = connection.execute(select(ledger_head.c.seq)).scalar_one()
        for entry in entries(connection, start=max(1, head - last + 1)):
            typer.echo(json.dumps(asdict(entry), ensure_ascii=False))


@app.command()
def export(out: Annotated[Path, typer.Option(help="输出文件 File to write.")]) -> None:
    """导出整链与签名链头,供离线核对。Export the chain and its signed heads, to be checked offline."""
    from xinglin.ledger.journal import write_journal
    from xinglin.store import open_store

    handle, name = tempfile.mkstemp(dir=out.parent, prefix=out.name)
    try:
        with os.fdopen(handle, "wb") as stream, open_store().read() as connection:
            count = write_journal(connection, stream)
        os.replace(name, out)
    except BaseException:
        os.unlink(name)
        raise
    typer.echo(f"已写 written: {out} ({count} entries)")


@app.command()
def sign(
    key: Annotated[Path, typer.Option(help="私钥文件 File of the private key.")],
    out: Annotated[
        Path | None, typer.Option(help="另存链头 Also write the head, to be kept elsewhere.")
    ] = None,
) -> None:
    """为当前链头签名。Sign the chain as it is now.

    把输出的文件交给院外的人保存:以后整链重写或截尾都会被发现。
    Give the file to somebody outside: a chain rewritten or cut off later will not agree with it.
    """
    from xinglin.ledger.heads import sign_head
    from xinglin.store import open_store

    with open_store().write() as connection:
        head = sign_head(connection, key)
    if out is not None:
        out.write_text(json.dumps(head.as_json(), indent=2) + "\n", encoding="utf-8")
    typer.echo(f"已签名 signed: entry {head.seq}, root {head.root}")


@app.command()
def heads() -> None:
    """列出签名链头。List the signed heads as JSON lines."""
    from xinglin.ledger.heads import signed_heads
    from xinglin.store import open_store

    with open_store().read() as connection:
        for head in signed_heads(connection):
            typer.echo(json.dumps(head.as_json()))


@app.command()
def clock(
    reason: Annotated[str, typer.Option(help="时钟曾出何问题 What was wrong with the clock.")],
    actor: Actor = "cli",
) -> None:
    """时钟曾走快时,从现在起继续记账。Go on from the present time after a clock that stood in the future."""
    from xinglin.ledger.chain import accept_clock
    from xinglin.store import open_store

    with open_store().write() as connection:
        entry = accept_clock(connection, actor=actor, reason=reason)
    typer.echo(f"已记 noted: entry {entry.seq}, {entry.time}")
