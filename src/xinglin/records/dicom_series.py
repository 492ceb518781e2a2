"""The images of a DICOM series as one volume: sorted, checked, written as an array, with its affine.

PS3.3 C.7.6.2: Image Position is the centre of the first voxel, Image Orientation the directions of a row and of a
column, Pixel Spacing the distances of rows and of columns; the patient's axes are LPS. Array axes here are (column,
row, slice), so that the affine maps an index (x, y, z) of the array to LPS millimetres. C.11.1.1.2: values are
Rescale Slope x stored + Rescale Intercept (Hounsfield units for CT).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.records.readers.protocol import foreign
from xinglin.types import Volume

MAX_SIDE = 8192
MAX_VOXELS = 2**31
FLAT = 1e-3
"""Largest difference of direction cosines within one series."""
EVEN = 0.02
"""Largest difference of a step between slices from the mean step, as a share of it."""
TIGHT = 0.01
"""Millimetres below which two slices lie at one position."""


def is_slice(header: Any) -> bool:
    """Whether a header is that of one image plane with a position in the patient."""
    needed = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns")
    return (
        all(header.get(name) is not None for name in needed) and int(header.get("NumberOfFrames") or 1) == 1
    )


def build_volume(slices: Sequence[tuple[Path, Any]], series: str, folder: Path) -> Volume:
    """Write the images of a series as one array and return where it lies.

    Args:
        slices: file and header (without pixels) of every image; ``is_slice`` holds for each.
        series: its identifier.
        folder: where to write; the file's name is a SHA-256 over the series and the voxels.

    Returns:
        The volume; its file is a ``.npy`` with axes (column, row, slice), int16 where the values are whole
        numbers that fit, else float32.

    Raises:
        InvalidInputError: the images are not one stack: other orientation or size, two at one position, a gap.
        InputTooLargeError: more than 8,192 pixels along a side, or 2^31 voxels.
    """
    first = slices[0][1]
    rows, columns = int(first.Rows), int(first.Columns)
    if max(rows, columns) > MAX_SIDE or rows * columns * len(slices) > MAX_VOXELS:
        raise InputTooLargeError(f"a volume of {columns} x {rows} x {len(slices)} voxels is too large")
    orientation, spacing = _numbers(first, "ImageOrientationPatient", 6), _numbers(first, "PixelSpacing", 2)
    right, down = orientation[:3], orientation[3:]
    if (
        abs(right @ right - 1) > FLAT
        or abs(down @ down - 1) > FLAT
        or abs(right @ down) > FLAT
        or spacing.min() <= 0
    ):
        raise InvalidInputError("ImageOrientationPatient or PixelSpacing is not a plane in the patient")
    for _, header in slices[1:]:
        if (int(header.Rows), int(header.Columns)) != (rows, columns):
            raise InvalidInputError("the images of the series differ in size: it is no one stack")
        same = np.abs(_numbers(header, "ImageOrientationPatient", 6) - orientation).max() < FLAT
        if not same or np.abs(_numbers(header, "PixelSpacing", 2) - spacing).max() > FLAT * spacing.max():
            raise InvalidInputError(
                "the images of the series differ in orientation or spacing: it is no one stack"
            )
    positions = np.array([_numbers(header, "ImagePositionPatient", 3) for _, header in slices])
    order = np.argsort(positions @ np.cross(right, down), kind="stable")
    step = _step(positions[order], np.cross(right, down), first)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = right * spacing[1], down * spacing[0]
    affine[:3, 2], affine[:3, 3] = step, positions[order[0]]
    kind = np.int16 if all(_whole(header) for _, header in slices) else np.float32
    path = _write([slices[i][0] for i in order], (columns, rows), kind, series, folder)
    corner = tuple(tuple(float(number) for number in row) for row in affine)
    return Volume(str(path), corner, str(first.get("Modality") or "") or None)  # type: ignore[arg-type]


def _step(positions: np.ndarray[Any, Any], normal: np.ndarray[Any, Any], first: Any) -> np.ndarray[Any, Any]:
    """The vector from one slice to the next, millimetres."""
    if len(positions) == 1:
        thickness = first.get("SliceThickness")
        if not thickness or float(thickness) <= 0:
            raise InvalidInputError("one slice without SliceThickness: how thick it is was not stated")
        return normal * float(thickness)
    steps = np.diff(positions, axis=0)
    along = steps @ normal
    if along.min() < TIGHT:
        raise InvalidInputError(
            "two images at one position: several phases or echoes in one series; split it"
        )
    mean = (positions[-1] - positions[0]) / (len(positions) - 1)
    if np.abs(steps - mean).max() > EVEN * np.linalg.norm(mean) + TIGHT:
        raise InvalidInputError(
            "the slices are not evenly spaced: one is missing, or the series is no one stack"
        )
    return np.asarray(mean)


def _numbers(header: Any, name: str, count: int) -> np.ndarray[Any, Any]:
    try:
        numbers = np.array([float(number) for number in header[name].value], float)
    except (TypeError, ValueError):
        numbers = np.array([])
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise InvalidInputError(f"{name}: expected {count} numbers")
    return numbers


def _write(paths: Sequence[Path], size: tuple[int, int], kind: Any, series: str, folder: Path) -> Path:
    """Slice by slice into a file beside the last one's place, then renamed: a killed process leaves no half array."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    shape = (*size, len(paths))
    handle, name = tempfile.mkstemp(prefix=".", suffix=".npy", dir=folder)
    os.close(handle)
    try:
        array = np.lib.format.open_memmap(name, mode="w+", dtype=kind, shape=shape, fortran_order=True)
        told = hashlib.sha256(f"{series}\0{shape}\0{np.dtype(kind)}\0".encode())
        for number, path in enumerate(paths):
            plane = np.asfortranarray(_values(path).T.astype(kind))
            if plane.shape != size:
                raise InvalidInputError("an image's pixels are not of the size that its header states")
            array[:, :, number] = plane
            told.update(plane.tobytes(order="F"))
        array.flush()
        del array
        target = folder / f"{told.hexdigest()}.npy"
        os.replace(name, target)
    finally:
        Path(name).unlink(missing_ok=True)
    return target


def _values(path: Path) -> np.ndarray[Any, Any]:
    """The values of one image: (row, column), rescaled."""
    import pydicom

    try:
        image = pydicom.dcmread(path)
        stored = np.asarray(image.pixel_array)
    except Exception as error:
        missing = "" if "pylibjpeg" not in str(error) else "; its compression needs pylibjpeg or Pillow"
        raise foreign(error, f"the pixels cannot be decoded{missing}") from None
    if stored.ndim != 2:
        raise InvalidInputError("expected one grey image a file, got colour or several frames")
    slope, intercept = _rescale(image)
    return stored if (slope, intercept) == (1, 0) else stored * slope + intercept


def _rescale(header: Any) -> tuple[float, float]:
    slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
    pair = 1.0 if slope is None else float(slope), 0.0 if intercept is None else float(intercept)
    if not np.isfinite(pair).all() or pair[0] == 0:
        raise InvalidInputError("RescaleSlope and RescaleIntercept: expected finite numbers, the slope not 0")
    return pair


def _whole(header: Any) -> bool:
    """Whether all values of an image are whole numbers of 16 bits, whatever is stored in it."""
    slope, intercept = _rescale(header)
    bits, signed = int(header.BitsStored), int(header.PixelRepresentation)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    ends = sorted((low * slope + intercept, high * slope + intercept))
    return slope.is_integer() and intercept.is_integer() and ends[0] >= -32768 and ends[1] <= 32767
