"""The files of a SNOMED CT release: RF2 snapshots in a zip or a folder, read in place.

Format: SNOMED International, *Release File Specifications*, 4.2 and 5.2 (tab-separated, CRLF, UTF-8, no quoting).
Nothing is extracted to disk and nothing is bundled; sizes are bounded before a byte is decompressed.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError

MAX_BYTES = 6 * 1024**3
"""Bound on the files read together, uncompressed; the International Edition needs about 0.6 GB."""
MAX_RATIO = 200
"""Bound on uncompressed over compressed size of one member; RF2 text reaches about 15."""
MAX_MEMBERS = 20_000
_MAX_LINE = 65_536
CONCEPT, DESCRIPTION, RELATIONSHIP = "sct2_Concept", "sct2_Description", "sct2_Relationship"
LANGUAGE, SIMPLE = "der2_cRefset_Language", "der2_Refset_Simple"
_FILE = re.compile(
    rf"(?:^|/)x?({'|'.join((CONCEPT, DESCRIPTION, RELATIONSHIP, LANGUAGE, SIMPLE))})(?:_[^/]*)?Snapshot[^/]*\.txt$"
)
_START = ("id", "effectiveTime", "active", "moduleId")
_COLUMNS = {
    CONCEPT: (*_START, "definitionStatusId"),
    DESCRIPTION: (*_START, "conceptId", "languageCode", "typeId", "term", "caseSignificanceId"),
    RELATIONSHIP: (*_START, "sourceId", "destinationId", "relationshipGroup", "typeId", "characteristicTypeId",
                   "modifierId"),
    LANGUAGE: (*_START, "refsetId", "referencedComponentId", "acceptabilityId"),
    SIMPLE: (*_START, "refsetId", "referencedComponentId"),
}  # fmt: skip
_NUMBERS = {
    CONCEPT: (0,), DESCRIPTION: (0, 4), RELATIONSHIP: (4, 5, 7), LANGUAGE: (4, 5), SIMPLE: (4, 5),
}  # fmt: skip


@contextmanager
def open_release(
    path: Path, kinds: tuple[str, ...], max_bytes: int = MAX_BYTES
) -> Iterator[dict[str, list[tuple[str, IO[bytes]]]]]:
    """Open the snapshot files of these kinds: name and stream by kind; a kind may have none.

    Raises:
        MissingDataError: no such path.
        InputTooLargeError: more than ``max_bytes``, too many members, or a compression ratio of a zip bomb.
        InvalidInputError: no zip file, or one that cannot be unpacked.
    """
    path = Path(path)
    if not path.exists():
        raise MissingDataError(
            f"expected a SNOMED CT RF2 release at {path}; it is absent: give its zip or folder"
        )
    if path.is_dir():
        files = [p for p in sorted(path.rglob("*.txt")) if _kind(p.as_posix()) in kinds]
        _check_sizes(path, ((p.stat().st_size, 0) for p in files), len(files), max_bytes)
        streams = [(p.as_posix(), p.open("rb")) for p in files]
        try:
            yield _by_kind(streams, kinds)
        finally:
            for _, stream in streams:
                stream.close()
        return
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise InvalidInputError(
            f"expected a zip file or a folder; {path} is neither ({error}): give the release's zip"
        ) from None
    with archive:
        infos = [info for info in archive.infolist() if _kind(info.filename) in kinds]
        _check_sizes(
            path, ((i.file_size, i.compress_size) for i in infos), len(archive.infolist()), max_bytes
        )
        try:
            yield _by_kind([(i.filename, archive.open(i)) for i in infos], kinds)
        except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError) as error:
            raise InvalidInputError(
                f"{path} cannot be unpacked ({error}): download the release again"
            ) from None


def required(
    files: dict[str, list[tuple[str, IO[bytes]]]], kind: str, path: Path
) -> list[tuple[str, IO[bytes]]]:
    """Return the files of a kind.

    Raises:
        MissingDataError: there is none.
    """
    if not files[kind]:
        raise MissingDataError(
            f"expected a file {kind}_*Snapshot*.txt in {path}; there is none: use a release with its Snapshot"
        )
    return files[kind]


def active_rows(name: str, stream: IO[bytes], kind: str) -> Iterator[list[str]]:
    """Yield the active rows of one file; lines that begin with ``#`` are comments (test fixtures of Snowstorm).

    Raises:
        InvalidInputError: a file that is not RF2; the message names file and line.
    """
    columns, numbers = _COLUMNS[kind], _NUMBERS[kind]
    header = False
    reader = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="\n")
    number = 0
    try:
        while line := reader.readline(_MAX_LINE):
            number += 1
            cells = line.rstrip("\r\n").split("\t")
            if not line.strip() or line.startswith("#"):
                continue
            if not header:
                if tuple(cells) != columns:
                    raise InvalidInputError(
                        f"{name}:{number}: expected the RF2 columns {', '.join(columns)}; got {line[:80]!r}: "
                        "check that this is an RF2 snapshot file"
                    )
                header = True
            elif len(cells) != len(columns) or not all(cells[i].isdigit() for i in numbers):
                raise InvalidInputError(
                    f"{name}:{number}: expected {len(columns)} cells with numeric ids; got {len(cells)}: file damaged"
                )
            elif cells[2] == "1":
                yield cells
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{name}:{number + 1}: expected UTF-8; {error}: file damaged") from None


def _kind(name: str) -> str | None:
    match = _FILE.search(name)
    return match.group(1) if match else None


def _by_kind(
    streams: Sequence[tuple[str, IO[bytes]]], kinds: tuple[str, ...]
) -> dict[str, list[tuple[str, IO[bytes]]]]:
    return {kind: [(name, stream) for name, stream in streams if _kind(name) == kind] for kind in kinds}


def _check_sizes(path: Path, sizes: Iterable[tuple[int, int]], members: int, max_bytes: int) -> None:
    total = 0
    for size, compressed in sizes:
        total += size
        if compressed and size > 1_000_000 and size / compressed > MAX_RATIO:
            raise InputTooLargeError(
                f"expected RF2 text in {path}; a member unpacks to {size / compressed:.0f} times its size "
                f"(bound {MAX_RATIO}): this is no SNOMED CT release"
            )
    if total > max_bytes or members > MAX_MEMBERS:
        raise InputTooLargeError(
            f"expected at most {max_bytes} bytes in at most {MAX_MEMBERS} files; {path} has {total} in "
            f"{members}: "
            "use the release's Snapshot only, or raise max_bytes"
        )
