"""One nodule cut out of its surroundings by Hounsfield units: what its volume and its type are measured on.

The border lies half-way between the nodule and the lung around it (full width at half maximum), which for an object
larger than the scanner's blur is where its surface is. Thin structures that enter it, vessels above all, are cut off by
opening with a ball; what still runs out of the expected ball is no nodule with a border of its own, and nothing is
measured. Distances are millimetres by the scan's affine, so that oblique and tilted scans need no resampling.

Thresholds are `authored, unreviewed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from xinglin.records.volumes.scan import Scan

Kind = Literal["solid", "part-solid", "non-solid", "calcified"]
LUNG = -850.0
"""HU of lung, where none is seen around the nodule."""
SOFT = 100.0
"""HU to which the nodule's own value is capped, so that calcium does not pull the border inwards."""
CONTRAST = 150.0
"""HU by which a nodule must be denser than the lung around it."""
SOLID = -300.0
"""HU above which a voxel counts as solid."""
CALCIUM = 200.0
"""HU above which a voxel counts as calcified; enhanced vessels reach it too."""
HALO = 3.0
"""Millimetres by which the diameter grows from the half-way border to that of faint contrast when there is ground glass
around a core; the scanner's blur alone makes less."""
THIN = 2.5
"""Largest distance of voxels, millimetres, for which a type is told: thicker slices mix nodule and lung."""
LEAK = 0.2
"""Share of the outermost millimetre of the ball that may be nodule."""


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """The voxels of one nodule."""

    mask: NDArray[np.bool_]
    """(z, y, x) of a box."""
    corner: tuple[int, int, int]
    """Index z, y, x of the box's first voxel in the scan."""
    volume: float
    """Cubic millimetres."""
    solid: float | None
    """Cubic millimetres above ``SOLID``; ``None`` where no type is told."""
    kind: Kind | None
    """``None`` where slices are too thick to tell."""

    @property
    def diameter(self) -> float:
        """Millimetres of the sphere of the same volume."""
        return sphere_diameter(self.volume)


def sphere_diameter(volume: float) -> float:
    """Return the diameter (mm) of a sphere of this volume (mm3)."""
    return float((6 * volume / np.pi) ** (1 / 3))


def segment(scan: Scan, voxel: tuple[float, float, float], diameter: float) -> Segment | None:
    """Cut out the nodule at a place.

    Args:
        scan: a CT in Hounsfield units.
        voxel: index z, y, x of its centre.
        diameter: expected, millimetres; the nodule is looked for in a ball half as large again, and, where it runs out
            of that, once more in one of twice the size, since detectors guess ground glass too small.

    Returns:
        The nodule; ``None`` where it has no border of its own: no contrast to the lung, or running on into other tissue.
    """
    found = _segment(scan, voxel, diameter)
    return _segment(scan, voxel, 2 * diameter) if found is None else found


def _segment(scan: Scan, voxel: tuple[float, float, float], diameter: float) -> Segment | None:
    reach = 0.75 * diameter + 2.0
    low, high = _box(scan, voxel, 2 * reach)
    hu = np.asarray(scan.array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))], np.float32)
    away = _distances(scan, low, hu.shape, voxel)
    middle = away <= max(diameter / 4, away.min())
    around = (away > reach) & (hu < -500) & (hu > -1000)
    lung = float(np.median(hu[around])) if around.sum() > 20 else LUNG
    own = min(float(np.median(hu[middle])), SOFT)
    if own - lung < CONTRAST:
        return None
    mask = _grown(hu, (own + lung) / 2, away, scan, diameter)
    if mask is None:
        return None
    wide = _grown(hu, lung + CONTRAST, away, scan, diameter)
    cube = float(abs(np.linalg.det(scan.affine[:3, :3])))
    if wide is not None and sphere_diameter(wide.sum() * cube) - sphere_diameter(mask.sum() * cube) > HALO:
        # Ground glass around a core: the border is that of the ground glass.
        own = float(np.median(hu[wide & ~ndimage.binary_dilation(mask)]))
        mask = _grown(hu, (own + lung) / 2, away, scan, diameter)
    if mask is None:
        return None
    rim = (away > reach - 1) & (away <= reach)
    if rim.any() and mask[rim].mean() > LEAK:
        return None
    kind, solid = _kind(hu, mask, scan)
    # Voxels of the border count by how far they are from lung to nodule; noise of the lung cancels out.
    border = ndimage.binary_dilation(mask) & (away <= reach + 1)
    volume = float(np.minimum((hu[border] - lung) / (own - lung), 1).sum() * cube)
    return Segment(mask, low, max(volume, cube), None if solid is None else solid * cube, kind)


def _grown(
    hu: NDArray[np.float32], threshold: float, away: NDArray[np.float32], scan: Scan, diameter: float
) -> NDArray[np.bool_] | None:
    return _without_vessels((hu > threshold) & (away <= 0.75 * diameter + 2.0), away, scan, diameter)


def _without_vessels(
    mask: NDArray[np.bool_], away: NDArray[np.float32], scan: Scan, diameter: float
) -> NDArray[np.bool_] | None:
    """The component nearest to the centre after opening; ``None`` if there is none near it."""
    opened = _opened(mask, scan, min(diameter / 4, 4.0))
    kept = opened if opened.any() and away[opened].min() <= max(2.0, diameter / 4) else mask
    labels, _ = ndimage.label(kept)
    if not kept.any():
        return None
    nearest = np.unravel_index(int(np.argmin(np.where(kept, away, np.inf))), kept.shape)
    if away[nearest] > max(2.0, diameter / 4):
        return None
    found = np.asarray(labels == labels[nearest])
    # Opening rounds corners off; what lies within a voxel of the core and belonged to it is taken back.
    return np.asarray(ndimage.binary_fill_holes(ndimage.binary_dilation(found) & mask))


def _kind(hu: NDArray[np.float32], mask: NDArray[np.bool_], scan: Scan) -> tuple[Kind | None, float | None]:
    """Type by the share of dense voxels inside, away from the rim; and how many voxels are solid."""
    if max(scan.spacing) > THIN:
        return None, None
    inner = ndimage.binary_erosion(mask)
    values = hu[inner if inner.sum() >= 8 else mask]
    solid = float((hu[mask] > SOLID).sum())
    if (values > CALCIUM).mean() > 0.25:
        return "calcified", solid
    share = float((values > SOLID).mean())
    return ("solid" if share > 0.8 else "part-solid" if share > 0.05 else "non-solid"), solid


def _box(
    scan: Scan, voxel: tuple[float, float, float], radius: float
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    # A ball of radius r spans r * |row i of the inverse| voxels along axis i; rows are x, y, z.
    spans = radius * np.linalg.norm(np.linalg.inv(scan.affine[:3, :3]), axis=1)[::-1]
    centre = np.array(voxel)
    low = np.clip(np.floor(centre - spans), 0, np.array(scan.array.shape) - 1).astype(int)
    high = np.clip(np.ceil(centre + spans) + 1, low + 1, scan.array.shape).astype(int)
    return (int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2]))


def _distances(
    scan: Scan, low: tuple[int, int, int], shape: tuple[int, ...], voxel: tuple[float, float, float]
) -> NDArray[np.float32]:
    offsets = np.indices(shape).reshape(3, -1).T + np.array(low) - np.array(voxel)
    millimetres = offsets[:, ::-1] @ scan.affine[:3, :3].T
    return np.asarray(np.linalg.norm(millimetres, axis=1).reshape(shape), np.float32)


def _opened(mask: NDArray[np.bool_], scan: Scan, radius: float) -> NDArray[np.bool_]:
    """Opening with a ball of this many millimetres, by distances; a tilt's slant is neglected here."""
    x, y, z = scan.spacing
    inner = ndimage.distance_transform_edt(mask, sampling=(z, y, x)) > radius
    if not inner.any():
        return np.asarray(inner)
    return np.asarray(ndimage.distance_transform_edt(~inner, sampling=(z, y, x)) <= radius)
