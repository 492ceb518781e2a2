"""Where the lungs are in a CT: threshold, components, trachea removed, closed so that nodules at the pleura stay inside.

The classical way (Hu, Hoffman and Reinhardt 2001, doi:10.1109/42.929615: threshold, separation from the outside air and
the airways, smoothing of the border), on a grid of 2 mm so that a chest takes seconds. Differences: a fixed threshold
instead of an iterated one; the trachea found by its shape instead of by growth from a seed; the border closed by a ball of a
stated radius in millimetres. A lung that is consolidated, collapsed or drowned has no air and is not found: the mask is a
region to search, no measurement of the lung.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from xinglin.apps.imaging.resample import isotropic
from xinglin.errors import InvalidInputError
from xinglin.records.volumes.scan import Scan

GRID = 2.0
"""Millimetres of the working grid."""
AIR_BELOW = -320
"""HU between lung and soft tissue."""
OPEN_AIR = -950
"""HU below which air is free: around the patient, in the airways."""
GAS = -945
"""HU below which the median within a component is when it is gas of stomach or bowel, not lung."""
SMALLEST = 5.0
"""Millilitres below which a component is no lung; nor is one below a tenth of the largest."""
LARGEST_HOLE = 700.0
"""Square millimetres of a hole within a slice that is filled: vessels and nodules up to 30 mm, not the heart."""
CLOSED = 10.0
"""Radius of the closing, millimetres: a notch that a nodule cuts into the border, up to twice as wide, is filled to about
the chord across it."""


@dataclass(frozen=True, slots=True, eq=False)
class LungMask:
    """The lungs on a coarse grid, with its place."""

    array: NDArray[np.bool_]
    """(z, y, x)"""
    affine: NDArray[np.float64]
    """(4, 4), voxel (x, y, z, 1) -> LPS millimetres."""
    frame: str
    """Frame of reference of the millimetres."""

    @property
    def litres(self) -> float:
        """The volume inside."""
        return float(self.array.sum() * abs(np.linalg.det(self.affine[:3, :3])) / 1e6)

    def inside(self, lps: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return for LPS millimetres (n, 3) of the same frame whether they lie in a lung (nearest voxel)."""
        x, y, z = np.linalg.solve(self.affine[:3, :3], (lps - self.affine[:3, 3]).T)
        return self._held(x, y, z)

    def on(self, scan: Scan) -> Iterator[NDArray[np.bool_]]:
        """Yield the mask on the grid of a scan, one slice (y, x) after the other.

        Raises:
            InvalidInputError: the scan is of another frame of reference.
        """
        if scan.frame != self.frame:
            raise InvalidInputError("the lung mask is of another frame of reference than the scan")
        to_mask = (np.linalg.inv(self.affine) @ scan.affine)[:3]
        y, x = (np.arange(size) for size in scan.array.shape[1:])
        planes = [across * x + (up * y)[:, None] + start for across, up, _, start in to_mask]
        for z in range(len(scan.array)):
            yield self._held(*(plane + step * z for plane, step in zip(planes, to_mask[:, 2], strict=True)))

    def _held(self, *voxel: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether the voxels nearest to places x, y, z of the mask's grid are lung; outside the grid nothing is."""
        index = tuple(np.rint(places).astype(np.intp) for places in reversed(voxel))
        within = np.ones(index[0].shape, bool)
        for places, size in zip(index, self.array.shape, strict=True):
            within &= (places >= 0) & (places < size)
        found: NDArray[np.bool_] = self.array[tuple(np.where(within, places, 0) for places in index)]
        return found & within


def lung_mask(scan: Scan, *, closing: float = CLOSED) -> LungMask:
    """Find the lungs of a chest CT.

    Args:
        scan: a CT in Hounsfield units, of the chest or a part of it.
        closing: radius of the ball by which the border is closed, millimetres.

    Returns:
        The mask; empty if no lung is seen, which says nothing of the patient.

    Raises:
        InvalidInputError: not a CT.
    """
    if scan.modality != "CT":
        raise InvalidInputError(
            f"a lung mask needs a CT in Hounsfield units, got {scan.modality or 'no modality'}"
        )
    coarse = isotropic(scan, GRID)
    values = coarse.array
    air = values < AIR_BELOW
    enclosed = _enclosed(~air)
    if coarse.measured is not None:
        air &= coarse.measured
    _remove_trachea(air, values)
    labels, _ = ndimage.label(air)
    boxes = ndimage.find_objects(labels)
    found = {}
    for at, box in enumerate(boxes, 1):
        part = labels[box] == at
        millilitres = part.sum() * GRID**3 / 1000
        if millilitres >= SMALLEST and enclosed[box][part].mean() > 0.5 and not _is_gas(values[box], part):
            found[at] = millilitres
    lungs = np.zeros(air.shape, bool)
    for at, millilitres in found.items():
        if millilitres >= max(found.values()) / 10:
            lungs |= _closed(labels, at, boxes[at - 1], closing)
    for plane in lungs:
        _fill(plane)
    return LungMask(lungs, coarse.affine, coarse.frame)


def _enclosed(tissue: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where the body lies on three at least of the four sides within the slice.

    So a lung that the field of view cuts off on one side counts as inside, the air between back and table as outside.
    """
    labels, count = ndimage.label(tissue)
    if count == 0:
        return np.zeros(tissue.shape, bool)
    body = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    sides = np.zeros(tissue.shape, np.uint8)
    for axis in (1, 2):
        sides += np.logical_or.accumulate(body, axis=axis)
        sides += np.flip(np.logical_or.accumulate(np.flip(body, axis), axis=axis), axis)
    return sides >= 3


def _is_gas(values: NDArray[np.float32], part: NDArray[np.bool_]) -> bool:
    """Whether the inside of a component, away from its partial-volume rim, is as empty as gas."""
    core = ndimage.binary_erosion(part, iterations=2)
    return bool(np.median(values[core if core.any() else part]) < GAS)


def _remove_trachea(air: NDArray[np.bool_], values: NDArray[np.float32]) -> None:
    """Take the trachea and the main bronchi out of the air, with a voxel of their wall.

    The trachea is free air that runs through at least 20 mm of slices as a round patch of 50 to 700 square millimetres
    with tissue around it; so is nothing else in a chest but the stomach's and the bowel's gas, which may go too.
    """
    free = values < OPEN_AIR
    free &= air
    labels, _ = ndimage.label(free, structure=np.ones((3, 3, 3)))
    for at, box in enumerate(ndimage.find_objects(labels), 1):
        height = (box[0].stop - box[0].start) * GRID
        part = labels[box] == at
        areas = part.sum(axis=(1, 2)) * GRID**2
        sides = [side.stop - side.start for side in box[1:]]
        touches = any(
            side.start == 0 or side.stop == size for side, size in zip(box[1:], air.shape[1:], strict=True)
        )
        if (
            height < 20
            or touches
            or np.median(areas) < 50
            or np.median(areas) > 700
            or max(sides) * GRID > 120
        ):
            continue
        wide = tuple(slice(max(0, side.start - 1), side.stop + 1) for side in box)
        air[wide] &= ~ndimage.binary_dilation(labels[wide] == at)


def _fill(plane: NDArray[np.bool_]) -> None:
    holes, _ = ndimage.label(ndimage.binary_fill_holes(plane) & ~plane)
    areas = np.bincount(holes.ravel()) * GRID**2
    plane |= (holes > 0) & (areas <= LARGEST_HOLE)[holes]


def _closed(labels: NDArray[Any], at: int, box: tuple[slice, ...], radius: float) -> NDArray[np.bool_]:
    """One component, closed by a ball, without what other components hold."""
    margin = int(np.ceil(radius / GRID)) + 2
    padded = np.pad(labels[box] == at, margin)
    near = ndimage.distance_transform_edt(~padded, sampling=GRID) <= radius
    held = ndimage.distance_transform_edt(near, sampling=GRID) > radius
    inner = tuple(slice(margin, margin + side.stop - side.start) for side in box)
    found = np.zeros(labels.shape, bool)
    found[box] = (held | padded)[inner] & ((labels[box] == at) | (labels[box] == 0))
    return found
