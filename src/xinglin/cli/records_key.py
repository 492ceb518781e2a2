"""``xinglin records archive-key | seal | rotate-key``: the archive's bodies encrypted at rest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xinglin.cli.explain_bar import progress_bar


def archive_key(
    path: Annotated[Path, typer.Argument(help="密钥文件,不可已存在 A file that is not there yet.")],
) -> None:
    """生成档案密钥(权限 0600)。Make a key for the archive, mode 0600.

    Name it in XINGLIN_ARCHIVE_KEY: what is taken in from then on is encrypted. Whoever loses it loses the records.
    """
    from xinglin.store.key_files import write_key_file

    write_key_file(path)
    typer.echo(f"{path}\n启用 to use it: export XINGLIN_ARCHIVE_KEY={path}")
    typer.echo(
        "请另存一份:密钥丢失,病历即不可恢复。Keep a copy elsewhere: without the key the records are lost."
    )


def seal(actor: Annotated[str, typer.Option("--as", help="以谁的名义 Who acts.")] = "cli") -> None:
    """加密启用密钥之前存入的病历;可中断后重来。Encrypt what was stored before the key was set; may be stopped."""
    from xinglin.records.sealing import seal_all
    from xinglin.store import open_store

    with progress_bar("加密 sealing") as report:
        count = seal_all(open_store(), actor=actor, progress=report)
    typer.echo(f"已加密 sealed: {count}")


def rotate_key(
    new: Annotated[Path, typer.Argument(help="新密钥文件 Key file of the new key (records archive-key).")],
    actor: Annotated[str, typer.Option("--as", help="以谁的名义 Who acts.")] = "cli",
) -> None:
    """更换档案密钥;病历本身不重写。Replace the archive's key; the records are not written anew.

    XINGLIN_ARCHIVE_KEY names the key in force. Afterwards only the new one opens the archive; destroy the old key file
    once no backup needs it: backups from before open with nothing else.
    """
    from xinglin.records.sealing import rotate
    from xinglin.store import open_store
    from xinglin.store.key_files import read_key_file

    count = rotate(open_store(), read_key_file(new), actor=actor)
    typer.echo(f"已更换 rotated: {count} 个数据密钥 data keys\nexport XINGLIN_ARCHIVE_KEY={new}")
