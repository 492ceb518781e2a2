"""Scores that took minutes to compute, kept by the digest of everything that decides them.

Below ``XINGLIN_HOME/cache``: one safetensors file a key, written whole or not at all; the files used longest ago
go first when there are too many bytes. A file that cannot be read is said and computed again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.store.home import home_folder

log = logging.getLogger("xinglin.evaluate")

FORMAT = 1
LIMIT = 512_000_000
"""Most bytes kept."""
_END = ".safetensors"


def digest_of(**parts: Any) -> str:
    """Return the SHA-256 of canonical JSON."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Shelf:
    """A bounded folder of arrays."""

    folder: Path
    limit: int = LIMIT

    @staticmethod
    def home() -> Shelf:
        """Return the shelf below ``XINGLIN_HOME``."""
        return Shelf(home_folder() / "cache" / "evaluate")

    def get(self, key: str) -> dict[str, NDArray[np.float32]] | None:
        """Return the arrays of a key, or ``None``."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        path = self.folder / f"{key}{_END}"
        try:
            arrays = load(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, SafetensorError) as error:
            log.warning("%s cannot be read and is computed again: %s", path, error)
            return None
        os.utime(path)
        return {name: np.asarray(array, np.float32) for name, array in arrays.items()}

    def put(self, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep arrays; the oldest others go when there are too many bytes. A full disk is said, not fatal."""
        from safetensors.numpy import save

        body = save({name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()})
        path = self.folder / f"{key}{_END}"
        temporary = path.with_name(f".{key}.{secrets.token_hex(4)}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with temporary.open("wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError as error:
            log.warning("%s cannot be written, so the result is not kept: %s", path, error)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        self._bound(path)

    def _bound(self, newest: Path) -> None:
        files = []
        for path in self.folder.glob(f"*{_END}"):
            try:
                about = path.stat()
            except FileNotFoundError:  # another process cleared it away
                continue
            files.append((about.st_mtime, about.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self.limit:
                return
            if path != newest:
                path.unlink(missing_ok=True)
                total -= size
