"""A scan on another grid: perpendicular axes after a gantry tilt, voxels of equal sides.

Interpolation is linear and separable, slice by slice, so that only the input, the output and a few slices are in memory.
Where the grid becomes coarser the triangle of linear interpolation is widened to the new spacing (the usual anti-alias of
image scaling): without it noise and vessels fold into nodules. The new affine is computed, not fitted: voxel 0 stays
where it was, so that a millimetre before is the same millimetre after.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from xinglin.errors import InvalidInputError
from xinglin.records.volumes.files import scan_of
from xinglin.records.volumes.scan import UPRIGHT, Scan

MAX_VOXELS = 2**29


def upright(scan: Scan) -> Scan:
    """Return a scan whose axes are perpendicular; the scan itself if they are.

    After a gantry tilt each slice is shifted within its own plane against the one before. Here it is shifted back,
    on a canvas wide enough for all of them; what no slice covers counts as not measured.

    Raises:
        InvalidInputError: the rows and columns of a slice are not perpendicular.
    """
    if scan.orthogonal:
        return scan
    lengths = np.array(scan.spacing)
    right, down = scan.affine[:3, 0] / lengths[0], scan.affine[:3, 1] / lengths[1]
    if abs(right @ down) > UPRIGHT:
        raise InvalidInputError("the rows and columns of a slice are not perpendicular: no scanner's tilt")
    normal, step = np.cross(right, down), scan.affine[:3, 2]
    across = np.array([step @ right / lengths[0], step @ down / lengths[1]])
    drift = np.arange(len(scan.array))[:, None] * across
    low = np.floor(np.minimum(0, drift.min(axis=0))).astype(int)
    high = np.ceil(np.maximum(0, drift.max(axis=0))).astype(int)
    rows, columns = scan.array.shape[1:]
    shape = len(scan.array), rows + int(high[1] - low[1]), columns + int(high[0] - low[0])
    out = np.full(shape, np.nan, np.float32)
    for at, plane in enumerate(scan.array):
        held = plane.astype(np.float32)
        if scan.measured is not None:
            held[~scan.measured[at]] = np.nan
        for axis, shift in ((1, drift[at, 0] - low[0]), (0, drift[at, 1] - low[1])):
            held = _shifted(held, axis, float(shift), shape[2] if axis else shape[1])
        out[at] = held
    affine = np.eye(4)
    affine[:3, :2], affine[:3, 2] = scan.affine[:3, :2], normal * (step @ normal)
    affine[:3, 3] = scan.to_lps([[low[0], low[1], 0]])[0]
    more = {"frame": scan.frame, "series": scan.series, "files": scan.files, "notes": scan.notes}
    return scan_of(out, affine, modality=scan.modality, **more)


def _shifted(plane: NDArray[np.float32], axis: int, shift: float, size: int) -> NDArray[np.float32]:
    """A plane moved along an axis by a fraction of voxels, between its neighbours; NaN where it does not reach."""
    whole, part = int(np.floor(shift)), np.float32(shift - np.floor(shift))
    held = np.moveaxis(plane, axis, 0)
    out = np.full((size, held.shape[1]), np.nan, np.float32)
    if part == 0:
        out[whole : whole + len(held)] = held
    else:  # The voxel at i of the output lies between i - whole - 1 and i - whole of the input.
        out[whole + 1 : whole + len(held)] = held[:-1] * part + held[1:] * (1 - part)
    return np.moveaxis(out, 0, axis)


def isotropic(scan: Scan, spacing: float = 1.0) -> Scan:
    """Return a scan with voxels of equal sides along its own axes, as float32.

    Args:
        scan: any scan; a tilted one is made upright first.
        spacing: side of the new voxels, millimetres.

    Raises:
        InvalidInputError: the spacing is not from 0.1 to 20 mm, or the new grid would hold more than 2^29 voxels.
    """
    if not 0.1 <= spacing <= 20:
        raise InvalidInputError(f"spacing: expected 0.1 to 20 mm, got {spacing:g}")
    scan = upright(scan)
    steps = scan.spacing[::-1]
    shape = tuple(_length(count, old, spacing) for count, old in zip(scan.array.shape, steps, strict=True))
    if np.prod(shape, dtype=float) > MAX_VOXELS:
        raise InvalidInputError(f"{shape} voxels are too many: at most 2^29; choose a coarser spacing")
    affine = scan.affine.copy()
    affine[:3, :3] *= spacing / np.array(scan.spacing)
    array = resampled(scan.array, steps, spacing)
    measured = None if scan.measured is None else resampled(scan.measured, steps, spacing) > 0.5
    return replace(scan, array=array, affine=affine, measured=measured)


def resampled(
    array: NDArray[Any], steps: tuple[float, ...], spacing: float, kind: Any = np.float32
) -> NDArray[Any]:
    """Return an array on a grid of another spacing, voxel 0 staying where it is.

    One slice of the output at a time; a slice of the input is read once for each slice that it adds to, so a memory
    map will do.

    Args:
        array: (z, y, x).
        steps: millimetres between its voxels along z, y, x.
        spacing: millimetres between the new ones.
        kind: type of the result; whole numbers are rounded and cut to what the type holds.
    """
    z, y, x = (_weights(count, old, spacing) for count, old in zip(array.shape, steps, strict=True))
    out = np.empty((z.shape[0], y.shape[0], x.shape[0]), kind)
    whole = np.iinfo(kind) if np.issubdtype(kind, np.integer) else None
    across = x.T.tocsc()
    held: dict[int, NDArray[np.float32]] = {}
    for at in range(len(out)):
        span = slice(z.indptr[at], z.indptr[at + 1])
        pairs = zip(z.indices[span].tolist(), z.data[span].tolist(), strict=True)
        needed = dict(pairs)
        held = {index: plane for index, plane in held.items() if index >= min(needed)}
        total = np.zeros(out.shape[1:], np.float32)
        for index, weight in needed.items():
            if index not in held:
                held[index] = np.asarray((y @ array[index].astype(np.float32)) @ across)
            total += np.float32(weight) * held[index]
        out[at] = total if whole is None else np.rint(np.clip(total, whole.min, whole.max))
    return out


def _length(count: int, old: float, new: float) -> int:
    """Voxels of an axis on the new grid: none beyond the last one that was measured."""
    return int(np.floor((count - 1) * old / new + 1e-6)) + 1


def _weights(count: int, old: float, new: float) -> csr_array:
    """Weights (new voxels, old voxels) of linear interpolation, widened where the new grid is coarser."""
    places = np.arange(_length(count, old, new)) * (new / old)
    reach = max(1.0, new / old)
    offsets = np.arange(-int(np.ceil(reach)), int(np.ceil(reach)) + 1)
    near = np.rint(places).astype(int)[:, None] + offsets
    weight = np.maximum(0, 1 - np.abs(near - places[:, None]) / reach)
    weight[(near < 0) | (near >= count)] = 0
    weight /= weight.sum(axis=1, keepdims=True)
    rows = np.repeat(np.arange(len(places)), len(offsets))
    kept = weight.ravel() > 0
    entries = weight.ravel()[kept].astype(np.float32), (rows[kept], near.ravel()[kept])
    return csr_array(entries, shape=(len(places), count))
