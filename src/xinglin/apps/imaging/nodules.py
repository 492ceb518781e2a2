"""One nodule: the place that the network means, made exact by the image itself, with its size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.model.vision.centring import centre
from xinglin.model.vision.reading import voted
from xinglin.model.vision.runtime import InstanceMaps

Floats = NDArray[np.float32]
APART = 4.0
"""Millimetres by which the blob of the image may differ from the network's vote; further off it is another thing."""


@dataclass(frozen=True, slots=True)
class Nodule:
    """A place in an image of 1 mm voxels."""

    point: tuple[float, float, float]
    """Voxels z, y, x, sub-voxel."""
    logit: float
    """Of the strongest instance: a score, no probability."""
    diameter: float
    """Millimetres."""


def in_window(network: InstanceMaps, maps: Floats, hu: Floats) -> Nodule:
    """Return the likeliest place of a window.

    Args:
        network: whose maps they are.
        maps: (channels, z, y, x) of the window.
        hu: the window in HU, (z, y, x).
    """
    at = np.unravel_index(int(maps[0].argmax()), maps.shape[1:])
    return exact(network, maps, tuple(map(int, at)), hu)  # type: ignore[arg-type]


def exact(network: InstanceMaps, maps: Floats, at: tuple[int, int, int], hu: Floats) -> Nodule:
    """Return the nodule around a top of the maps.

    Args:
        network: whose maps they are.
        maps: (channels, z, y, x).
        at: instance z, y, x of the top.
        hu: the image of the maps, (z, y, x).
    """
    found = voted(network, maps, at)
    point = tuple(
        float(np.clip(value, 0, size - 1)) for value, size in zip(found.point, hu.shape, strict=True)
    )
    blob = centre(hu, point)  # type: ignore[arg-type]
    away = float(np.linalg.norm(np.subtract(blob.point, point)))
    diameter = blob.diameter if np.isnan(found.diameter) else found.diameter
    if blob.response <= 0 or away > APART:
        return Nodule(point, found.logit, diameter)  # type: ignore[arg-type]
    middle = tuple(float(value) for value in (np.array(point) + np.array(blob.point)) / 2)
    return Nodule(middle, found.logit, diameter)  # type: ignore[arg-type]
