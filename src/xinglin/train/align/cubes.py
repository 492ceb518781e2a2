"""Cubes of nodules with their ratings, and windows without a nodule, of the folder luna16-nodule-cubes.

Unlike the detector's training this one knows where the nodule is: a report is about a nodule, so the cube is cut
around it. The masks are not read.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.model.vision.images import WINDOW, read_array
from xinglin.train.align.reports import Described
from xinglin.train.align.statements import ratings
from xinglin.train.nodules.windows import CUBE, CUBES, LABELS

MAX_ROWS = 100_000
_MAX_TABLE = 64 * 2**20
_MAX_SHARD = 1000 * 50**3
CHECKED = 10
"""One scan of the training scans in so many is kept to choose settings by; the validation scans are for the report."""


@dataclass(frozen=True, eq=False)
class Cubes:
    """Cubes with what the radiologists said of the nodule in the middle."""

    ids: tuple[str, ...]
    scans: tuple[str, ...]
    images: NDArray[np.uint8]
    """(n, 50, 50, 50), axes z, y, x, 1 mm; HU = 16 value - 1000."""
    centres: NDArray[np.float64]
    """(n, 3) voxels z, y, x of the annotated centre."""
    nodules: tuple[Described, ...]
    empty: NDArray[np.uint8]
    """(m, 20, 32, 32): windows of the same scans without a nodule."""
    digest: str
    """SHA-256 over ids, ratings and voxels."""

    def __len__(self) -> int:
        return len(self.ids)


def read_rated(folder: Path, split: str) -> Cubes:
    """Read the rated cubes of a split.

    Args:
        folder: luna16-nodule-cubes.
        split: ``fit`` and ``check`` (parts of the training scans, by scan), ``train`` (both) or ``valid``.

    Raises:
        MissingDataError: a table or a shard is absent.
        InvalidInputError: a table or an array is not what it should be; names file and row.
    """
    if split not in ("fit", "check", "train", "valid"):
        raise InvalidInputError(f"split: expected fit, check, train or valid, got {split!r}")
    rows = list(_rows(folder / CUBES))
    wanted = [row for row in rows if _in(split, row["split"], row["seriesuid"]) and _rated(row)]
    if not wanted:
        raise InvalidInputError(f"{CUBES}: no rated cube in split {split}")
    empties = [
        row
        for row in _rows(folder / LABELS)
        if row["label"] == "0" and _in(split, row["split"], row["seriesuid"])
    ]
    places = {row["cube_id"]: (int(row["shard"]), int(row["row"])) for row in rows}
    images = np.empty((len(wanted), *CUBE), dtype=np.uint8)
    empty = np.empty((len(empties), *WINDOW), dtype=np.uint8)
    by_shard: dict[int, list[tuple[NDArray[np.uint8], int, Mapping[str, str]]]] = {}
    for target, chosen in ((images, wanted), (empty, empties)):
        for index, row in enumerate(chosen):
            if row["cube_id"] not in places:
                raise InvalidInputError(f"{LABELS}: cube {row['cube_id'][:40]!r} is not in {CUBES}")
            by_shard.setdefault(places[row["cube_id"]][0], []).append((target, index, row))
    for shard, parts in sorted(by_shard.items()):
        name = f"cubes_{shard:02d}.npy.xz"
        cubes = read_array(folder / name, limit=_MAX_SHARD)
        if cubes.shape[1:] != CUBE or len(cubes) <= max(places[row["cube_id"]][1] for _, _, row in parts):
            raise InvalidInputError(
                f"{name}: expected cubes of {CUBE} for every row of {CUBES}, got {cubes.shape}"
            )
        for target, index, own in parts:
            cube = cubes[places[own["cube_id"]][1]]
            if target is images:
                target[index] = cube
            else:
                z, y, x = (int(own[key]) for key in ("z0", "y0", "x0"))
                target[index] = cube[z : z + WINDOW[0], y : y + WINDOW[1], x : x + WINDOW[2]]
    digest = hashlib.sha256("\n".join(f"{row['cube_id']} {_rated(row)}" for row in wanted).encode())
    digest.update(np.ascontiguousarray(images).tobytes())
    digest.update(np.ascontiguousarray(empty).tobytes())
    return Cubes(
        tuple(row["cube_id"] for row in wanted),
        tuple(row["seriesuid"] for row in wanted),
        images,
        np.array([_centre(row) for row in wanted]),
        tuple(Described(_rated(row), float(row["ann_diameter_mm"])) for row in wanted),
        empty,
        digest.hexdigest(),
    )


def _in(split: str, told: str, scan: str) -> bool:
    if split in ("train", "valid"):
        return told == split
    held = int(hashlib.sha256(scan.encode()).hexdigest(), 16) % CHECKED == 0
    return told == "train" and held == (split == "check")


def _rated(row: Mapping[str, str]) -> dict[str, float]:
    return {name: float(row[f"lidc_{name}"]) for name in ratings() if row.get(f"lidc_{name}")}


def _centre(row: Mapping[str, str]) -> tuple[float, float, float]:
    turn = float(row["dir_xy"])
    x, y = (turn * (float(row[f"ann_{axis}"]) - float(row[f"origin_{axis}"])) for axis in "xy")
    return float(row["ann_z"]) - float(row["origin_z"]), y, x


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if not path.is_file():
        raise MissingDataError(f"{path}: expected the table {path.name}; there is none")
    if path.stat().st_size > _MAX_TABLE:
        raise InputTooLargeError(f"{path.name}: expected at most {_MAX_TABLE} bytes")
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        needed = {"cube_id", "split", "seriesuid"}
        if missing := needed - set(reader.fieldnames or ()):
            raise InvalidInputError(f"{path.name}: expected the columns {', '.join(sorted(missing))}")
        for number, row in enumerate(reader, 2):
            if number > MAX_ROWS:
                raise InputTooLargeError(f"{path.name}: expected at most {MAX_ROWS} rows")
            try:
                for key in ("shard", "row", "z0", "y0", "x0"):
                    if key in row and not 0 <= int(row[key]) < 10_000:
                        raise ValueError(f"{key} out of range")
                for key in row:
                    if key.startswith(("lidc_", "ann_", "origin_")) and row[key]:
                        float(row[key])
            except (TypeError, ValueError) as error:
                raise InvalidInputError(f"{path.name}, row {number}: {str(error)[:100]}") from None
            yield {key: value or "" for key, value in row.items() if key}
