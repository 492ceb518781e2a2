"""Secret keys in files: 32 random bytes as hex, which only their owner may read."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from xinglin.errors import ConfigurationError, MissingDataError

KEY_BYTES = 32


def write_key_file(path: Path) -> None:
    """Write 32 random bytes as hex, readable by the owner alone.

    Raises:
        ConfigurationError: there is a file already: a key is never overwritten.
    """
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise ConfigurationError(f"key file: {path.name} exists; a key is never overwritten") from None
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(KEY_BYTES) + "\n")


def read_key_file(path: Path) -> bytes:
    """Return the 32 bytes of a key file.

    Raises:
        ConfigurationError: others than its owner may read it, or it holds no key.
        MissingDataError: there is no such file.
    """
    if not path.is_file():
        raise MissingDataError(f"there is no key file {path}")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o177:
        raise ConfigurationError(f"key file: expected mode 0600, got {mode:04o}: run chmod 600 {path.name}")
    text = path.read_text(encoding="ascii", errors="replace").strip()
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"key file: expected {KEY_BYTES} bytes as {2 * KEY_BYTES} hex digits")
    return key
