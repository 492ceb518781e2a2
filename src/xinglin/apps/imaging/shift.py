"""How far a patient lies from where the same patient lay in an earlier scan: one translation.

The two scans are brought to a common grid and slid over each other; the place of the highest correlation where they
overlap is taken (masked normalised cross-correlation, Padfield 2012, doi:10.1109/TIP.2011.2181402, as scikit-image has
it). The patient is taken to be rigid and not turned: breath and posture move a nodule by millimetres more, which is why
matching allows a distance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from xinglin.errors import MissingExtraError
from xinglin.records.volumes.scan import Scan

GRID = 6.0
"""Millimetres of the common grid; the translation is exact to half of it."""
OVERLAP = 0.3
"""Least share of the smaller scan that must lie over the other."""


def translation(earlier: Scan, later: Scan) -> NDArray[np.float64]:
    """Return the millimetres (LPS) to add to a place of the earlier scan to find it in the later one.

    Raises:
        MissingExtraError: scikit-image is not installed.
    """
    try:
        from skimage.registration import phase_cross_correlation
    except ModuleNotFoundError as error:
        raise MissingExtraError("Comparing with a prior", "imaging") from error
    (first, low_first), (second, low_second) = _on_grid(earlier), _on_grid(later)
    sizes = np.maximum(first.shape, second.shape)
    images: list[NDArray[np.float32]] = []
    masks: list[NDArray[np.bool_]] = []
    for image in (second, first):
        pad = [(0, int(size - own)) for size, own in zip(sizes, image.shape, strict=True)]
        filled = np.pad(image, pad, constant_values=np.nan)
        masks.append(~np.isnan(filled))
        images.append(np.nan_to_num(filled, nan=0.0))
    moved, *_ = phase_cross_correlation(  # type: ignore[no-untyped-call]
        images[0], images[1], reference_mask=masks[0], moving_mask=masks[1], overlap_ratio=OVERLAP
    )
    # Arrays are x, y, z: a voxel p of the earlier grid corresponds to p + moved of the later grid.
    return np.asarray(low_second - low_first + np.asarray(moved, float) * GRID)


def _on_grid(scan: Scan) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """(x, y, z) along the patient's axes at ``GRID``; NaN outside; and the place of its first voxel."""
    sizes = np.array(scan.array.shape[::-1])
    ends = np.stack(np.meshgrid(*[(0, size - 1) for size in sizes], indexing="ij"), -1).reshape(-1, 3)
    corners = scan.to_lps(ends)
    low = corners.min(axis=0)
    count = np.maximum(1, np.floor((corners.max(axis=0) - low) / GRID).astype(int) + 1)
    inverse = np.linalg.inv(scan.affine[:3, :3])
    # Thick enough that a grid point stands for its surroundings: averages over a cell before sampling.
    blur = np.maximum(0.0, GRID / np.array(scan.spacing) / 2.5)[::-1]
    values = np.clip(np.asarray(scan.array, np.float32), -1000, 300)
    smooth = ndimage.gaussian_filter(values, blur)
    matrix = inverse * GRID
    offset = inverse @ (low - scan.affine[:3, 3])
    # Output index x, y, z -> input index x, y, z; the array is z, y, x.
    placed = ndimage.affine_transform(
        smooth.transpose(2, 1, 0),
        matrix,
        offset,
        output_shape=tuple(int(n) for n in count),
        order=1,
        cval=np.nan,
    )
    return np.asarray(placed, np.float32), low
