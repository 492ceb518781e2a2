"""Where the slices of a stack lie: put in order, checked, and turned into one affine.

PS3.3 C.7.6.2.1.1: Image Position is the centre of the first voxel, Image Orientation the direction cosines of a row and
of a column, Pixel Spacing (10.7.1.3) the distance of rows, then of columns; the axes are the patient's LPS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError

FLAT = 1e-3
"""Largest difference of direction cosines within one series."""
EVEN = 0.02
"""Largest difference of a step between slices from the mean step, as a share of it."""
TIGHT = 0.01
"""Millimetres below which two slices lie at one position."""
TILT = 0.1
"""Degrees between the normal of a slice and the way to the next above which the gantry was tilted."""


@dataclass(frozen=True, slots=True)
class Plane:
    """One slice: where it lies and how its stored values become physical ones; no pixels yet."""

    path: Path
    number: int | None
    """Index of the frame in a multi-frame file; ``None`` in a file of one image."""
    rows: int
    columns: int
    position: tuple[float, ...]
    """LPS millimetres of the centre of its first voxel."""
    orientation: tuple[float, ...]
    """Direction cosines along a row, then along a column."""
    spacing: tuple[float, float]
    """Millimetres between rows, between columns."""
    thickness: float | None
    slope: float
    intercept: float
    padding: tuple[int, int] | None
    """Lowest and highest stored value that stands for *not measured*."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Slices in the order of z with their common affine."""

    planes: tuple[Plane, ...]
    affine: NDArray[np.float64]
    tilt: float
    """Degrees between the slices' normal and the way from one to the next; 0 for one slice."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return len(self.planes), self.planes[0].rows, self.planes[0].columns


def stack(planes: Sequence[Plane]) -> Stack:
    """Put planes in order along their common normal.

    Raises:
        InvalidInputError: no one stack: other size, orientation or spacing, two at one position, a slice missing. The
            message names the file.
    """
    first = planes[0]
    right, down = np.array(first.orientation[:3]), np.array(first.orientation[3:])
    lengths = (abs(right @ right - 1), abs(down @ down - 1), abs(right @ down))
    if max(lengths) > FLAT or min(first.spacing) <= 0:
        raise InvalidInputError(
            f"{first.path.name}: (0020,0037) ImageOrientationPatient or (0028,0030) PixelSpacing is not a plane "
            "in the patient"
        )
    for plane in planes[1:]:
        _same(first, plane)
    normal = np.cross(right, down)
    positions = np.array([plane.position for plane in planes])
    order = np.argsort(positions @ normal, kind="stable")
    ordered = tuple(planes[at] for at in order)
    step = _step(ordered, positions[order], normal)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = right * first.spacing[1], down * first.spacing[0]
    affine[:3, 2], affine[:3, 3] = step, positions[order[0]]
    cosine = float(step @ normal / np.linalg.norm(step))
    return Stack(ordered, affine, float(np.degrees(np.arccos(min(1.0, cosine)))) if len(planes) > 1 else 0.0)


def _same(first: Plane, plane: Plane) -> None:
    if (plane.rows, plane.columns) != (first.rows, first.columns):
        raise InvalidInputError(
            f"{plane.path.name}: (0028,0010) Rows, (0028,0011) Columns: {plane.rows} x {plane.columns}, other "
            f"images of the series {first.rows} x {first.columns}: they differ in size, it is no one stack"
        )
    turned = np.abs(np.subtract(plane.orientation, first.orientation)).max() > FLAT
    if turned or np.abs(np.subtract(plane.spacing, first.spacing)).max() > FLAT * max(first.spacing):
        tag = "(0020,0037) ImageOrientationPatient" if turned else "(0028,0030) PixelSpacing"
        raise InvalidInputError(
            f"{plane.path.name}: {tag} differs from that of {first.path.name}: orientation or spacing change within "
            "the series (a scout among the slices?), it is no one stack"
        )


def _step(
    planes: Sequence[Plane], positions: NDArray[np.float64], normal: NDArray[Any]
) -> NDArray[np.float64]:
    """The vector from one slice to the next, millimetres."""
    if len(planes) == 1:
        thickness = planes[0].thickness
        if thickness is None:
            raise InvalidInputError(
                f"{planes[0].path.name}: one slice without (0018,0050) SliceThickness: how thick it is was not stated"
            )
        return np.asarray(normal * thickness)
    steps = np.diff(positions, axis=0)
    along = steps @ normal
    if along.min() < TIGHT:
        at = int(np.argmin(along))
        raise InvalidInputError(
            f"{_place(planes[at])} and {_place(planes[at + 1])}: two images at one position by (0020,0032) "
            "ImagePositionPatient: several phases or echoes in one series; split it"
        )
    mean = (positions[-1] - positions[0]) / (len(positions) - 1)
    usual = float(np.median(along))
    off = np.linalg.norm(steps - mean, axis=1)
    if off.max() > EVEN * np.linalg.norm(mean) + TIGHT:
        at = int(np.argmax(np.abs(along - usual)))
        raise InvalidInputError(
            f"{_place(planes[at])} and {_place(planes[at + 1])} are {along[at]:.2f} mm apart by (0020,0032) "
            f"ImagePositionPatient, slices usually {usual:.2f} mm: they are not evenly spaced; one is missing, or "
            "the series is no one stack"
        )
    return np.asarray(mean)


def _place(plane: Plane) -> str:
    return plane.path.name if plane.number is None else f"{plane.path.name} frame {plane.number + 1}"
