"""Volumes and pictures as files: a ``.npy`` named by its content, written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError, MissingDataError
from xinglin.records.volumes.fill import NOT_MEASURED
from xinglin.records.volumes.scan import AIR, Scan
from xinglin.types import Volume

Make = Callable[[type[np.generic]], NDArray[Any]]


@contextmanager
def written(folder: Path, shape: tuple[int, ...], owner: str) -> Iterator[tuple[Make, list[Path]]]:
    """Give a maker of memory maps in a folder; once filled, the last one made is named by its content.

    A killed process leaves no half array: what is being written has a hidden name and is renamed when whole.

    Args:
        folder: where to write; made if need be.
        shape: of the array.
        owner: the series or file it comes from; part of the name, since erasing one patient's files must not take away
            another's that happen to be equal.

    Yields:
        The maker, and a list to which the path is added on leaving.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(prefix=".", suffix=".npy", dir=folder)
    os.close(handle)
    made: list[NDArray[Any]] = []
    named: list[Path] = []

    def make(kind: type[np.generic]) -> NDArray[Any]:
        made[:] = [np.lib.format.open_memmap(name, mode="w+", dtype=kind, shape=shape)]
        return made[0]

    try:
        yield make, named
        told = hashlib.sha256(f"{owner}\0{shape}\0{made[0].dtype}\0".encode())
        for part in made[0]:
            told.update(part.tobytes())
        made[0].flush()  # type: ignore[attr-defined]
        made.clear()
        named.append(folder / f"{told.hexdigest()}.npy")
        os.replace(name, named[0])
    finally:
        made.clear()
        Path(name).unlink(missing_ok=True)


def keep(scan: Scan, folder: Path) -> Volume:
    """Write a scan's array into a folder and return the volume that refers to it."""
    with written(folder, scan.array.shape, scan.series or scan.frame) as (make, named):
        array = make(scan.array.dtype.type)
        for at, plane in enumerate(scan.array):
            array[at] = plane
            if scan.measured is not None:
                array[at][~scan.measured[at]] = NOT_MEASURED if plane.dtype == np.int16 else np.nan
        del array
    return Volume(str(named[0]), corner(scan.affine), scan.modality, scan.frame)


def open_volume(volume: Volume) -> Scan:
    """Open the array that a volume refers to, as a memory map where everything was measured.

    Raises:
        MissingDataError: the file is gone.
        InvalidInputError: it is no such array, or the volume names no frame of reference.
    """
    path = Path(volume.path)
    if not path.is_file():
        raise MissingDataError("the array of a volume is gone from its folder: read the series again")
    if volume.frame is None:
        raise InvalidInputError("the volume names no frame of reference: read the series again")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        raise InvalidInputError("the array of a volume is damaged: read the series again") from None
    affine = np.array(volume.affine, np.float64)
    return scan_of(array, affine, modality=volume.modality, frame=volume.frame)


def scan_of(array: NDArray[Any], affine: NDArray[np.float64], *, modality: str | None, **more: Any) -> Scan:
    """Build a scan of an array that marks what was not measured (-32768, NaN), slab by slab.

    There the scan holds air (CT) or its lowest value, so that no filter smears a mark into the picture; its mask says
    where. An array without a mark is taken as it is.

    Raises:
        InvalidInputError: nothing was measured at all, or the affine is none.
    """
    marks = [_marked(plane) for plane in array]
    if not any(mark is not None for mark in marks):
        return Scan(array, affine, modality, **more)
    filled, measured = np.array(array), np.ones(array.shape, bool)
    for at, mark in enumerate(marks):
        if mark is not None:
            measured[at] = ~mark
    if not measured.any():
        raise InvalidInputError("every voxel is marked as not measured")
    lowest = AIR if modality == "CT" else filled[measured].min()
    filled[~measured] = lowest
    return Scan(filled, affine, modality, measured=measured, **more)


def corner(affine: NDArray[np.float64]) -> tuple[tuple[float, float, float, float], ...]:
    """Return an affine as the tuple that a volume holds."""
    return tuple(tuple(float(number) for number in row) for row in affine)  # type: ignore[misc]


def _marked(plane: NDArray[Any]) -> NDArray[np.bool_] | None:
    mark = np.asarray(plane == NOT_MEASURED if plane.dtype == np.int16 else np.isnan(plane))
    return mark if mark.any() else None
