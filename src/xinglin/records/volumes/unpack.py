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
    return _UNSAFE.sub("_", _parts(name)[1]).strip(" .")[-80:] or "file"


class Placing:
    """Gives each file from outside a place below one folder: files of one directory stay together, names are made safe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._directories: dict[str, Path] = {}
        self.count = 0

    def place(self, name: str) -> Path:
        """Return where the file of a path like ``a/b/c.dcm`` goes: nothing there yet, never outside the folder.

        Raises:
            InputTooLargeError: more than 20,000 files.
        """
        if self.count >= MAX_FILES:
            raise InputTooLargeError(f"at most {MAX_FILES:,} files")
        self.count += 1
        directory = _parts(name)[0]
        if directory not in self._directories:
            self._directories[directory] = self.folder / f"{len(self._directories):05}"
            self._directories[directory].mkdir()
        target = self._directories[directory] / safe_name(name)
        return target if not target.exists() else target.with_name(f"{self.count}_{target.name}")


def _parts(name: str) -> tuple[str, str]:
    directory, _, last = name.replace("\\", "/").rpartition("/")
    return directory, last


def unpack(archive: Path, folder: Path) -> int:
    """Unpack an archive: files of one directory into one numbered folder, under their own last names.

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
            left, placing = MAX_BYTES, Placing(folder)
            for item in held:
                if item.flag_bits & 1:
                    raise InvalidInputError(f"{archive.name}: protected by a password: unpack it first")
                left = _copy(opened, item, placing.place(item.filename), left)
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
