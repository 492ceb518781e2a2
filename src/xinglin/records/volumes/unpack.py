"""A zip archive as plain files in a folder of ours, within bounds, whatever its names and sizes claim."""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path

from xinglin.errors import InputTooLargeError, InvalidInputError

MAX_FILES = 20_000
MAX_BYTES = 4 * 1024**3
"""Of all files together, unpacked."""
_CHUNK = 2**20
_UNSAFE = re.compile(r"[^\w.\- ]+")


def safe_name(name: str) -> str:
    """Return the last part of a name as one that no file system and no shell takes for anything else."""
    return _UNSAFE.sub("_", name.replace("\\", "/").rsplit("/", 1)[-1]).strip(" .")[-80:] or "file"


def unpack(archive: Path, folder: Path) -> int:
    """Unpack an archive: each file into a numbered folder of its own, under its own last name.

    Args:
        archive: a zip file from outside.
        folder: an existing folder; nothing is written elsewhere, since paths inside the archive are not used.

    Returns:
        How many files.

    Raises:
        InvalidInputError: no zip, damaged, or protected by a password.
        InputTooLargeError: more than 20,000 files, or more than 4 GiB unpacked.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            held = [item for item in opened.infolist() if not item.is_dir()]
            if len(held) > MAX_FILES:
                raise InputTooLargeError(f"{archive.name}: at most {MAX_FILES:,} files, got {len(held):,}")
            left = MAX_BYTES
            for number, item in enumerate(held):
                if item.flag_bits & 1:
                    raise InvalidInputError(f"{archive.name}: protected by a password: unpack it first")
                target = folder / f"{number:05}" / safe_name(item.filename)
                target.parent.mkdir()
                left = _copy(opened, item, target, left)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError) as error:
        raise InvalidInputError(
            f"{archive.name}: not a zip file, or a damaged one ({type(error).__name__})"
        ) from None
    return len(held)


def _copy(opened: zipfile.ZipFile, item: zipfile.ZipInfo, target: Path, left: int) -> int:
    """Write one file and return how many bytes may still come; sizes are counted, not believed."""
    with opened.open(item) as source, target.open("wb") as written:
        while part := source.read(_CHUNK):
            left -= len(part)
            if left < 0:
                raise InputTooLargeError(f"{opened.filename}: at most {MAX_BYTES // 2**30} GiB unpacked")
            written.write(part)
    return left
