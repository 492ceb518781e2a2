"""``xinglin audit key``: the key that signs the chain, its hand-over and its loss."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="审计链的签名密钥 The key that signs the chain.", no_args_is_help=True)
Actor = Annotated[str, typer.Option(help="操作人 Who does it.")]


@app.command()
def new(
    out: Annotated[Path, typer.Option(help="私钥文件,公钥写在 .pub Private key file; .pub beside it.")],
    replaces: Annotated[
        Path | None, typer.Option(help="旧私钥,用它为新钥签名 The old private key, which hands over.")
    ] = None,
    lost: Annotated[bool, typer.Option(help="旧钥已遗失 The old key is lost.")] = False,
    reason: Annotated[str, typer.Option(help="原因(遗失时必填) Why; needed for a loss.")] = "",
    actor: Actor = "cli",
) -> None:
    """生成密钥并记入链中。Make a key and announce it in the chain."""
    from xinglin.ledger.audit_keys import announce
    from xinglin.ledger.signature import new_key
    from xinglin.store import open_store

    store = open_store()
    public = new_key(out)
    try:
        with store.write() as connection:
            entry = announce(connection, out, actor=actor, reason=reason, old=replaces, lost=lost)
    except Exception:
        # The chain did not take it: no key is left that anyone could mistake for its own.
        out.unlink()
        out.with_name(out.name + ".pub").unlink()
        raise
    typer.echo(
        f"已记 noted: entry {entry.seq}\n公钥 public key {public}\n把公钥交给审计员 Give it to your auditors."
    )


@app.command("list")
def listing() -> None:
    """列出链中公布的密钥。List the keys that the chain announces, as JSON lines."""
    from xinglin.ledger.audit_keys import announced
    from xinglin.store import open_store

    with open_store().read() as connection:
        for entry in announced(connection):
            typer.echo(json.dumps(asdict(entry), ensure_ascii=False))


def read_public_key(text: str) -> str:
    """Return a public key given as hex or as the name of a ``.pub`` file.

    Raises:
        InvalidInputError: it is neither.
    """
    from xinglin.errors import InvalidInputError

    given = text.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", given):
        path = Path(text)
        given = path.read_text(encoding="ascii", errors="replace").strip() if path.is_file() else ""
    if not re.fullmatch(r"[0-9a-f]{64}", given):
        raise InvalidInputError(
            f"expected a public key of 64 hexadecimal digits or its .pub file, got {text[:80]!r}"
        )
    return given
