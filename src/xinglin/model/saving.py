"""A folder is replaced whole or not at all: whatever happens while it is written, the last good one stays.

The new folder is written beside the old one under a hidden name, every file is forced to the disk, and two
renames put it in place: the old folder steps aside (``.NAME.previous``), the new one takes its name. Between the
two renames the name is missing for a moment; a process killed exactly there leaves ``.NAME.previous`` behind, and
:func:`heal`, called by every reader and writer here, puts it back. POSIX has no portable exchange of two folders,
and a symbolic link as the name would not survive being copied to another disk; hence renames and healing.

One process at a time writes a given folder; readers may come at any moment.
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from xinglin.errors import CheckpointError, TrainingError

log = logging.getLogger("xinglin.model")

ABANDONED = 3600.0
"""Seconds after which a half-written folder of a killed process is taken for abandoned and removed."""
_TRIES = 20
"""A reader may heal in the middle of a swap and so undo its first half; then the swap is simply tried again."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# safetensors and torch report a full disk in errors of their own, whose text alone tells it.
_FULL_WORDS = (
    "No space left on device",
    "Disk quota exceeded",
    "File too large",
    "file write failed",
    *(f"os error {number}" for number in _FULL),
)


@contextmanager
def saving(folder: Path) -> Iterator[Path]:
    """Write a folder that replaces ``folder`` only when it is complete.

    Yields an empty folder beside it; write the new contents there. At the end of the block they are forced to the
    disk and swapped in. When the block raises, Ctrl-C included, nothing of it stays and ``folder`` is as before.

    Raises:
        TrainingError: the disk is full; the message names the folder and the free bytes.
        CheckpointError: ``folder`` is a file, or cannot be written beside.
    """
    target = Path(os.path.realpath(folder))
    heal(target)
    if target.exists() and not target.is_dir():
        raise CheckpointError(f"{folder}: expected a folder to save to; it is a file: choose another name")
    temporary = target.parent / f".{target.name}.saving-{secrets.token_hex(4)}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        temporary.mkdir()
        yield temporary
        _force(temporary)
        _swap(temporary, target)
    except Exception as error:
        # The half-written folder goes first, so that the free bytes are those that a next try will have.
        shutil.rmtree(temporary, ignore_errors=True)
        if _is_full(error):
            raise TrainingError(
                f"{folder}: the disk is full ({_free(target.parent)} bytes free); nothing was changed and the "
                "last good checkpoint is intact: free some space, or save elsewhere"
            ) from error
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def heal(folder: Path) -> bool:
    """Finish what a crash between the two renames of a swap left undone; call before reading ``folder``.

    Returns:
        Whether the last good folder had to be put back.

    Raises:
        CheckpointError: it has to be put back, and the file system refuses.
    """
    target = Path(os.path.realpath(folder))
    previous = _previous(target)
    if target.exists() or not previous.is_dir():
        return False
    try:
        os.rename(previous, target)
    except OSError as error:
        if target.is_dir():  # another process was quicker: it healed, or its swap went through
            return False
        raise CheckpointError(
            f"{folder}: saving was cut off between two steps; rename {previous.name} to {target.name} "
            f"by hand ({error.strerror})"
        ) from error
    _force_folder(target.parent)
    log.warning(
        "%s: 保存曾中断,已恢复上一个完好的版本 saving was cut off; the last good version was put back", folder
    )
    return True


def _swap(new: Path, target: Path) -> None:
    previous = _previous(target)
    if target.exists() and previous.exists():
        # Both there: an earlier swap went through and was killed while it cleared away.
        _discard(previous)
    try:
        for attempt in range(_TRIES):
            if target.exists():
                os.rename(target, previous)
            try:
                os.rename(new, target)
                break
            except OSError as error:
                undone = error.errno in (errno.ENOTEMPTY, errno.EEXIST)
                if not undone or attempt == _TRIES - 1:
                    raise
    except BaseException:
        if not target.exists() and previous.exists():
            os.rename(previous, target)
        raise
    _force_folder(target.parent)
    if previous.exists():
        _discard(previous)


def _discard(previous: Path) -> None:
    """Remove a folder that was replaced; renamed first, so that half of it is never taken for the last good one."""
    waste = previous.with_name(f"{previous.name.removesuffix('.previous')}.saving-{secrets.token_hex(4)}")
    os.rename(previous, waste)
    shutil.rmtree(waste, ignore_errors=True)


def _previous(target: Path) -> Path:
    return target.parent / f".{target.name}.previous"


def _sweep(target: Path) -> None:
    """Remove what killed processes left half-written long ago."""
    prefix = f".{target.name}.saving-"
    for path in target.parent.iterdir():
        if not path.name.startswith(prefix):
            continue
        with suppress(FileNotFoundError):  # its own process may be clearing it away
            if time.time() - path.stat().st_mtime > ABANDONED:
                shutil.rmtree(path, ignore_errors=True)


def _force(folder: Path) -> None:
    """Force every file below a folder to the disk, then the folders' own entries."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            handle = os.open(os.path.join(parent, name), os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        _force_folder(Path(parent))


def _force_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows has no handle on a folder to force
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_full(error: BaseException) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in _FULL:
            return True
        if any(word in str(seen) for word in _FULL_WORDS):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0
