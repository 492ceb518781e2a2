"""Running a process that is not trusted: own group, empty environment, bounded time and output, killed at the end."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MAX_OUTPUT = 64 << 20
MAX_SAID = 16_384
"""Bytes of its error stream that are kept."""
PACKAGE = Path(__file__).resolve().parents[3]
"""Where this package lies: the child's only way to find it."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a process ended."""

    output: bytes
    said: str
    """End of its error stream."""
    status: int
    """As ``subprocess`` tells it; negative: the signal."""
    why: str | None
    """Why it was killed, if it was."""
    seconds: float


def run_confined(command: Sequence[str], payload: bytes, wall_seconds: float) -> Finished:
    """Run a command and give it a payload on its standard input.

    Args:
        command: the program and its arguments.
        payload: what it reads.
        wall_seconds: after which its whole group is killed.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile() as source:
        source.write(payload)
        source.seek(0)
        process = subprocess.Popen(
            command,
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            cwd="/",
            start_new_session=True,
            close_fds=True,
        )
    parts: dict[str, bytearray] = {"out": bytearray(), "err": bytearray()}
    why: str | None = None
    try:
        why = _collect(process, parts, started + wall_seconds, wall_seconds)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    said = bytes(parts["err"][-MAX_SAID:]).decode("utf-8", "replace")
    return Finished(bytes(parts["out"]), said, process.returncode, why, time.monotonic() - started)


def environment() -> dict[str, str]:
    """Return the child's environment: nothing of ours but where the package lies; one thread, no hub."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    quiet = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "TOKENIZERS_PARALLELISM": "false"}
    found = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PACKAGE), "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}
    # A folder that is there: torch would otherwise make one while it is imported, and may not.
    quiet["TORCHINDUCTOR_CACHE_DIR"] = "/"
    return found | one | quiet | {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}


def python(*arguments: str) -> list[str]:
    """Return the command of this Python, without the user's packages and without the present folder."""
    return [sys.executable, "-s", "-P", *arguments]


def _collect(
    process: subprocess.Popen[bytes], parts: dict[str, bytearray], end: float, wall: float
) -> str | None:
    """Read both streams until they close or a bound is met; return which one."""
    with selectors.DefaultSelector() as waiting:
        for name, stream in (("out", process.stdout), ("err", process.stderr)):
            if stream is not None:
                waiting.register(stream, selectors.EVENT_READ, name)
        while waiting.get_map():
            left = end - time.monotonic()
            if left <= 0:
                return f"it ran longer than {wall:g} seconds"
            for key, _ in waiting.select(min(left, 1.0)):
                chunk = os.read(key.fd, 1 << 16)
                if not chunk:
                    waiting.unregister(key.fileobj)
                    continue
                kept = parts[key.data]
                kept += chunk
                if key.data == "err":
                    del kept[:-MAX_SAID]
                elif len(kept) > MAX_OUTPUT:
                    return f"it wrote more than {MAX_OUTPUT} bytes"
            if process.poll() is not None and not waiting.select(0):
                break
    left = end - time.monotonic()
    try:
        process.wait(max(left, 0.0))
    except subprocess.TimeoutExpired:
        return f"it ran longer than {wall:g} seconds"
    return None
