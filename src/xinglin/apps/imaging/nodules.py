"""One nodule: the place that the network means, made exact by the image itself, with its size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.model.vision.centring import centre
from xinglin.model.vision.reading import voted
from xinglin.model.vision.runtime import InstanceMaps

Floats = NDArray[np.float32]
APART = 4.0
"""Millimetres by which the blob of the image may differ from the network's vote; further off it is another thing."""
MASK_LINE = (1.36, 0.96)
"""Millimetres and slope from the blob's diameter to that of the ball with the volume of a reader's mask: least squares over
301 nodules of LUNA16's training scans (``python -m benchmarks nodules --only diameter``). A calibration apart from the
training, which sees no mask: masks take in the border, a blob ends half-way through it."""


@dataclass(frozen=True, slots=True)
class Nodule:
    """A place in an image of 1 mm voxels."""

    point: tuple[float, float, float]
    """Voxels z, y, x, sub-voxel."""
    logit: float
    """Of the strongest instance: a score, no probability."""
    diameter: float
    """Millimetres."""

    @property
    def mask_diameter(self) -> float:
        """Millimetres of the ball with the volume of a reader's mask, as far as ``MASK_LINE`` tells."""
        intercept, slope = MASK_LINE
        return intercept + slope * self.diameter


def in_window(network: InstanceMaps, maps: Floats, hu: Floats) -> Nodule:
    """Return the likeliest place of a window.

    Args:
        network: whose maps they are.
        maps: (channels, z, y, x) of the window.
        hu: the window in HU, (z, y, x).
    """
    z, y, x = np.unravel_index(int(maps[0].argmax()), maps.shape[1:])
    return exact(network, maps, (int(z), int(y), int(x)), hu)


def exact(network: InstanceMaps, maps: Floats, at: tuple[int, int, int], hu: NDArray[Any]) -> Nodule:
    """Return the nodule around a top of the maps.

    The vote of the instances and the nearest blob of the image are averaged where they agree, and the size is the
    blob's; otherwise the vote stands alone.

    Args:
        network: whose maps they are.
        maps: (channels, z, y, x).
        at: instance z, y, x of the top.
        hu: the image of the maps, (z, y, x).
    """
    found = voted(network, maps, at)
    z, y, x = (float(np.clip(value, 0, size - 1)) for value, size in zip(found.point, hu.shape, strict=True))
    point = (z, y, x)
    blob = centre(hu, point)
    away = float(np.linalg.norm(np.subtract(blob.point, point)))
    if blob.response <= 0 or away > APART:
        return Nodule(point, found.logit, blob.diameter if np.isnan(found.diameter) else found.diameter)
    z, y, x = ((one + other) / 2 for one, other in zip(point, blob.point, strict=True))
    return Nodule((z, y, x), found.logit, blob.diameter)
