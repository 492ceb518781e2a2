"""A file that a verb writes: whole or not at all, and noted in the ledger by its digest."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any


def write_whole(path: Path, text: str) -> None:
    """Write a text file; whoever reads it meanwhile sees the old one or the new one."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def remember_file(action: str, path: Path, detail: dict[str, Any]) -> None:
    """Note in the ledger that a file was written."""
    from xinglin.ledger import append
    from xinglin.store import open_store

    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    with open_store().write() as connection:
        append(connection, action, actor="cli", subjects=(digest,), detail=detail)
