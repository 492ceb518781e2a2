"""``xinglin audit prove|check``: proofs that fit on a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xinglin.cli.ledger_keys import read_public_key

if TYPE_CHECKING:
    from xinglin.ledger.heads import SignedHead

MAX_PROOF = 1 << 20
"""Bytes of a proof or a kept head."""


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("prove")(prove)
    app.command("check")(check)


def prove(
    out: Annotated[Path, typer.Option(help="输出文件 File to write.")],
    entry: Annotated[
        int | None, typer.Option(min=1, help="证明此条在链中 Prove that this entry is in.")
    ] = None,
    since: Annotated[
        int | None,
        typer.Option(min=1, help="证明链延续自此签名链头 Prove that the head signed here is continued."),
    ] = None,
) -> None:
    """出具证明:某条在签名链头之中,或新链头延续旧链头。Write a proof of an entry, or of a continuation."""
    from xinglin.errors import InvalidInputError
    from xinglin.ledger.proofs import prove_continues, prove_entry
    from xinglin.store import open_store

    if (entry is None) == (since is None):
        raise InvalidInputError("give either --entry or --since")
    with open_store().read() as connection:
        proof = (
            prove_entry(connection, entry) if entry is not None else prove_continues(connection, since or 0)
        )
    out.write_text(json.dumps(proof, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    typer.echo(f"已写 written: {out}")


def check(
    proof: Annotated[Path, typer.Argument(help="证明文件 File of the proof.")],
    public_key: Annotated[
        list[str], typer.Option(help="你信任的公钥,可多次 A public key that you trust; repeatable.")
    ],
) -> None:
    """离线核对证明。Check a proof offline; prints what it proves."""
    from xinglin.ledger.proofs import check_proof

    found = check_proof(_read(proof), {read_public_key(text) for text in public_key})
    typer.echo(f"成立 it holds\n{json.dumps(found, ensure_ascii=False, indent=2)}")


def read_kept_head(path: Path) -> SignedHead:
    """Return a signed head that was kept in a file."""
    from xinglin.ledger.heads import read_head

    return read_head(_read(path))


def _read(path: Path) -> Any:
    from xinglin.errors import InvalidInputError, MissingDataError

    if not path.is_file():
        raise MissingDataError(f"there is no file {path}")
    if path.stat().st_size > MAX_PROOF:
        raise InvalidInputError(f"{path.name}: expected at most {MAX_PROOF} bytes")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise InvalidInputError(f"{path.name}: expected JSON") from None
