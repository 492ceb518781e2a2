"""A 3-D image in memory: its values, and where each of them lies in the patient.

One convention, that of DICOM (PS3.3 C.7.6.2.1.1): millimetres grow towards the patient's left (x), back (y) and head
(z). The array has axes (z, y, x), so that a row of memory is a row of the image; a voxel is named (x, y, z). A position
leaves a scan only as a ``Point``, which names its frame of reference, and enters only if that frame is the scan's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xinglin.errors import InvalidInputError
from xinglin.types import Point

AIR = -1000
"""Hounsfield units of air: the scale is fixed by water at 0 and air at -1000."""
UPRIGHT = 1e-3
"""Largest cosine between two axes that are called perpendicular."""


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """A volume, checked: finite invertible affine, three axes, values of a known unit."""

    array: NDArray[Any]
    """(z, y, x), int16 or float32; Hounsfield units if ``modality`` is CT. May be a read-only memory map."""
    affine: NDArray[np.float64]
    """(4, 4), voxel (x, y, z, 1) -> LPS millimetres; a voxel's index is its centre."""
    modality: str | None
    """``CT``, ``MR``, ...: as the file says, or the caller where the format cannot; ``None`` if nobody said."""
    frame: str
    """Frame of reference, as in ``types.Point``."""
    series: str | None = None
    """Series Instance UID, for DICOM that has kept it."""
    files: tuple[Path, ...] = ()
    """DICOM: the file of each slice in the order of z (one entry for a multi-frame file)."""
    measured: NDArray[np.bool_] | None = None
    """(z, y, x), false where the scanner measured nothing; there ``array`` holds air (CT) or the lowest value.
    ``None``: everything was measured."""
    notes: tuple[str, ...] = ()
    """What a reader should know of the geometry, Chinese and English: tilt, assumptions stated by the caller."""

    def __post_init__(self) -> None:
        if self.array.ndim != 3 or 0 in self.array.shape or self.array.dtype not in (np.int16, np.float32):
            raise InvalidInputError(
                f"expected an array (z, y, x) of int16 or float32, got {self.array.dtype} {self.array.shape}"
            )
        if self.affine.shape != (4, 4) or self.affine.dtype != np.float64:
            raise InvalidInputError("expected an affine of 4 x 4 double precision numbers")
        check_affine(self.affine)
        if not self.frame:
            raise InvalidInputError("a scan needs its frame of reference")
        if self.measured is not None and self.measured.shape != self.array.shape:
            raise InvalidInputError("the mask of measured voxels is not of the array's shape")

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distances of neighbouring voxels along x, y and z, millimetres."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @property
    def orthogonal(self) -> bool:
        """Whether the three axes are perpendicular; they are not after a gantry tilt."""
        axes = self.affine[:3, :3] / np.array(self.spacing)
        return bool(np.abs(axes.T @ axes - np.eye(3)).max() < UPRIGHT)

    def to_lps(self, voxels: ArrayLike) -> NDArray[np.float64]:
        """Return LPS millimetres (n, 3) of voxels (n, 3) in x, y, z; fractions of a voxel are allowed."""
        return np.asarray(np.asarray(voxels, float) @ self.affine[:3, :3].T + self.affine[:3, 3])

    def to_voxels(self, lps: ArrayLike) -> NDArray[np.float64]:
        """Return voxels (n, 3) in x, y, z of LPS millimetres (n, 3) of this scan's frame."""
        shifted = np.asarray(lps, float) - self.affine[:3, 3]
        return np.asarray(np.linalg.solve(self.affine[:3, :3], shifted.T).T)

    def point(self, voxel: ArrayLike) -> Point:
        """Return the position of one voxel (x, y, z)."""
        x, y, z = self.to_lps(np.reshape(np.asarray(voxel, float), (1, 3)))[0]
        return Point(float(x), float(y), float(z), self.frame)

    def locate(self, point: Point) -> tuple[float, float, float]:
        """Return the voxel (x, y, z) of a position; it may lie outside the array.

        Raises:
            InvalidInputError: the point is of another frame of reference.
        """
        if point.frame != self.frame:
            raise InvalidInputError(
                "the point is of another frame of reference than this scan: its millimetres mean another place. "
                "Register the two scans first"
            )
        x, y, z = self.to_voxels([[point.x, point.y, point.z]])[0]
        return float(x), float(y), float(z)


def check_affine(affine: NDArray[np.float64]) -> None:
    """Refuse what is no map from voxels to millimetres.

    Raises:
        InvalidInputError: a number is not finite, the last row is not 0 0 0 1, an axis has no length or lies in the plane
            of the others.
    """
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or not np.array_equal(affine[3], [0, 0, 0, 1]):
        raise InvalidInputError(
            "the affine holds a number that is not finite, or its last row is not 0 0 0 1"
        )
    if lengths.min() < 1e-6 or lengths.max() > 1e3:
        raise InvalidInputError(f"voxels measure {lengths.min():g} to {lengths.max():g} mm: no scanner's")
    if abs(np.linalg.det(affine[:3, :3] / lengths)) < 0.1:
        raise InvalidInputError("the axes of the volume lie (almost) in one plane")
