"""The training windows and the one label that each has.

Of a folder of the nodule cubes this reads the bytes of the cubes, ``windows_train_labels.csv``, and of ``nodules.csv``
the three columns that say where a cube is stored (cube_id, shard, row). It never opens masks or
``windows_coordinates_eval_only.csv``; both may be absent. A folder that holds the windows already cut
(``windows.npy.xz`` in the order of the labels) needs neither cubes nor ``nodules.csv``.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.model.vision.images import WINDOW, read_array

LABELS, CUBES, CUT = "windows_train_labels.csv", "nodules.csv", "windows.npy.xz"
CUBE = (50, 50, 50)
MAX_WINDOWS = 100_000
_MAX_SHARD = 1000 * 50**3
_MAX_TABLE = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows with their labels."""

    ids: tuple[str, ...]
    images: NDArray[np.uint8]
    """(n, 20, 32, 32), axes z, y, x, 1 mm; HU = 16 value - 1000."""
    labels: NDArray[np.int64]
    """1: somewhere in the window is a nodule."""
    valid: NDArray[np.bool_]
    """Windows of the validation scans; nothing is trained on them."""
    scans: tuple[str, ...]
    digest: str
    """SHA-256 over ids, labels, split and voxels."""

    def __len__(self) -> int:
        return len(self.ids)

    def where(self, chosen: NDArray[np.bool_]) -> Windows:
        """Return the chosen windows."""
        index = np.flatnonzero(chosen)
        return replace(
            self,
            ids=tuple(self.ids[i] for i in index),
            images=self.images[index],
            labels=self.labels[index],
            valid=self.valid[index],
            scans=tuple(self.scans[i] for i in index),
        )


def read_windows(folder: Path) -> Windows:
    """Read the labelled windows of a folder.

    Raises:
        MissingDataError: the labels or the cubes are absent.
        InvalidInputError: a table or an array is not what it should be; the message names file and row.
    """
    rows = list(_table(folder / LABELS, ("window_id", "split", "label", "seriesuid")))
    if not rows:
        raise InvalidInputError(f"{LABELS}: expected at least one window, got none")
    for number, row in enumerate(rows, 2):
        if row["label"] not in ("0", "1") or row["split"] not in ("train", "valid"):
            raise InvalidInputError(
                f"{LABELS}, row {number}: expected label 0 or 1 and split train or valid, got "
                f"{row['label'][:20]!r}, {row['split'][:20]!r}"
            )
    images = _cut(folder, rows) if not (folder / CUT).is_file() else _ready(folder / CUT, len(rows))
    ids = tuple(row["window_id"] for row in rows)
    labels = np.array([int(row["label"]) for row in rows], dtype=np.int64)
    valid = np.array([row["split"] == "valid" for row in rows])
    digest = hashlib.sha256("\n".join(ids).encode())
    for part in (labels, valid, images):
        digest.update(np.ascontiguousarray(part).tobytes())
    return Windows(ids, images, labels, valid, tuple(row["seriesuid"] for row in rows), digest.hexdigest())


def read_cubes(folder: Path) -> NDArray[np.uint8]:
    """Return all cubes of a folder, (n, 50, 50, 50): voxels without any label, for masked pre-training.

    Raises:
        MissingDataError: none is there.
    """
    shards = sorted(folder.glob("cubes_*.npy.xz"))
    if not shards:
        raise MissingDataError(f"{folder}: expected cubes_NN.npy.xz; there is none")
    return np.concatenate([read_array(path, limit=_MAX_SHARD) for path in shards])


def _ready(path: Path, count: int) -> NDArray[np.uint8]:
    images = read_array(path, limit=count * int(np.prod(WINDOW)))
    if images.shape != (count, *WINDOW):
        raise InvalidInputError(f"{path.name}: expected shape {(count, *WINDOW)}, got {images.shape}")
    return images


def _cut(folder: Path, rows: Sequence[Mapping[str, str]]) -> NDArray[np.uint8]:
    """Cut the windows out of the cubes, one shard in memory at a time."""
    stored = {
        row["cube_id"]: (_whole(CUBES, row, "shard", 999), _whole(CUBES, row, "row", 999))
        for row in _table(folder / CUBES, ("cube_id", "shard", "row"))
    }
    wanted: dict[int, list[tuple[int, int, tuple[slice, ...]]]] = {}
    for place, row in enumerate(rows):
        cube = row.get("cube_id", "")
        if cube not in stored:
            raise InvalidInputError(
                f"{LABELS}, row {place + 2}: cube {cube[:40]!r} is not in {CUBES}: the two belong together"
            )
        starts = [
            _whole(LABELS, row, key, CUBE[axis] - WINDOW[axis]) for axis, key in enumerate(("z0", "y0", "x0"))
        ]
        box = tuple(slice(start, start + size) for start, size in zip(starts, WINDOW, strict=True))
        shard, position = stored[cube]
        wanted.setdefault(shard, []).append((place, position, box))
    images = np.empty((len(rows), *WINDOW), dtype=np.uint8)
    for shard, parts in sorted(wanted.items()):
        name = f"cubes_{shard:02d}.npy.xz"
        cubes = read_array(folder / name, limit=_MAX_SHARD)
        if cubes.shape[1:] != CUBE or max(position for _, position, _ in parts) >= len(cubes):
            raise InvalidInputError(
                f"{name}: expected cubes of {CUBE} for every row of {CUBES}, got {cubes.shape}"
            )
        for place, position, box in parts:
            images[place] = cubes[position][box]
    return images


def _table(path: Path, needed: Sequence[str]) -> Iterator[dict[str, str]]:
    """Rows of a bounded CSV file, only the columns that training may see."""
    if not path.is_file():
        raise MissingDataError(f"{path}: expected the table {path.name}; there is none")
    if path.stat().st_size > _MAX_TABLE:
        raise InputTooLargeError(f"{path.name}: expected at most {_MAX_TABLE} bytes")
    seen = {*needed, "cube_id", "z0", "y0", "x0"}
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in needed if name not in (reader.fieldnames or ())]
        if missing:
            raise InvalidInputError(
                f"{path.name}: expected the columns {', '.join(needed)}; missing {', '.join(missing)}"
            )
        for number, row in enumerate(reader):
            if number >= MAX_WINDOWS:
                raise InputTooLargeError(f"{path.name}: expected at most {MAX_WINDOWS} rows")
            yield {key: value or "" for key, value in row.items() if key in seen}


def _whole(table: str, row: Mapping[str, str], key: str, most: int) -> int:
    text = row.get(key, "")
    if not text.isascii() or not text.isdigit() or int(text) > most:
        raise InvalidInputError(
            f"{table}: {key}: expected a whole number from 0 to {most}, got {text[:20]!r}"
        )
    return int(text)
