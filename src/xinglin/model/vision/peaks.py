"""Where a map of instance logits has its top, in voxels of the image: sub-voxel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xinglin.model.vision.centring import Place, parabolic

Floats = NDArray[np.float32]


def highest(logits: Floats, stride: int, first: float, shape: tuple[int, ...]) -> Place:
    """Return the voxel z, y, x of a map's top, inside an image of ``shape``.

    Args:
        logits: (z, y, x) on the instances' grid.
        stride: voxels from one instance to the next.
        first: voxel of the first instance's centre.
        shape: of the image.
    """
    at = np.unravel_index(int(logits.argmax()), logits.shape)
    point = parabolic(logits, tuple(map(int, at))) * stride + first
    z, y, x = np.clip(point, 0, np.array(shape) - 1).tolist()
    return z, y, x


def suppressed(
    points: NDArray[np.float64], scores: NDArray[np.floating], distance: float
) -> NDArray[np.int64]:
    """Return the indices kept by 3-D non-maximum suppression, best first.

    A point goes when a better one lies nearer than ``distance`` (same unit as ``points``); ties: lower index first.
    """
    kept: list[int] = []
    for index in np.argsort(-np.asarray(scores), kind="stable"):
        if all(np.linalg.norm(points[index] - points[other]) >= distance for other in kept):
            kept.append(int(index))
    return np.array(kept, dtype=np.int64)
