"""A file system so small that it can be filled."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[Path]:
    """Mount a tmpfs at a new folder; skips where mounting is not allowed."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small file system; the test by RLIMIT_FSIZE stands in")
    try:
        yield place
    finally:  # lazily: weights that were read stay mapped until they are collected
        subprocess.run(["umount", "--lazy", str(place)], check=True)
