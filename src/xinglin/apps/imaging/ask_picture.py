"""A sentence's map over a CT as a picture: the three planes through the best place, the warmer the better."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.imaging.ask import Asked
from xinglin.apps.imaging.grey import PRESETS, Window
from xinglin.errors import InvalidInputError

LARGEST = 320
"""Pixels along the longer side of a plane, about."""
GAP = 6
HALF = 0.55
"""Opacity of the warmest place."""


def picture(asked: Asked, spacing: tuple[float, float, float]) -> NDArray[np.uint8]:
    """Return the planes side by side as (rows, columns, 4) of red, green, blue, opacity.

    Args:
        asked: with at least one place.
        spacing: millimetres along x, y, z of the scan that was asked.

    Raises:
        InvalidInputError: there is no place to show.
    """
    if not asked.places:
        raise InvalidInputError("没有可显示的位置。There is no place to show")
    x, y, z = spacing
    at = [round(v * s) for v, s in zip(asked.places[0].voxel, (z, y, x), strict=True)]
    at = [int(np.clip(v, 0, n - 1)) for v, n in zip(at, asked.millimetres.shape, strict=True)]
    heat = _warmth(asked)
    planes = [_plane(asked, heat, axis, at) for axis in range(3)]
    height = max(len(plane) for plane in planes)
    width = sum(plane.shape[1] for plane in planes) + GAP * (len(planes) - 1)
    whole = np.zeros((height, width, 4), np.uint8)
    whole[..., 3] = 255
    left = 0
    for plane in planes:
        whole[: len(plane), left : left + plane.shape[1]] = plane
        left += plane.shape[1] + GAP
    return whole


def _warmth(asked: Asked) -> NDArray[np.float32]:
    """The map between 0 and 1 on the grid of 1 mm: 0 for the upper quartile and below, 1 for the best."""
    read = asked.heat[np.isfinite(asked.heat)]
    low, high = float(np.quantile(read, 0.75)), float(read.max())
    scaled = np.clip((np.where(np.isfinite(asked.heat), asked.heat, low) - low) / max(high - low, 1e-6), 0, 1)
    fine = scaled.repeat(2, 0).repeat(2, 1).repeat(2, 2).astype(np.float32)
    shape = asked.millimetres.shape
    padded = np.zeros(shape, np.float32)
    part = tuple(slice(0, min(a, b)) for a, b in zip(shape, fine.shape, strict=True))
    padded[part] = fine[part]
    return padded


def _plane(asked: Asked, heat: NDArray[np.float32], axis: int, at: list[int]) -> NDArray[np.uint8]:
    index = tuple(at[axis] if other == axis else slice(None) for other in range(3))
    hu, warm = asked.millimetres[index].astype(np.float32), heat[index]
    if axis:  # coronal and sagittal: head up
        hu, warm = hu[::-1], warm[::-1]
    window: Window = PRESETS["lung"][1]
    grey = np.clip((hu - (window.centre - window.width / 2)) / window.width, 0, 1)[..., None]
    colour = np.stack([np.ones_like(warm), 0.85 - 0.6 * warm, 0.15 * np.ones_like(warm)], -1)
    mixed = grey * (1 - HALF * warm[..., None]) + colour * HALF * warm[..., None]
    row, column = (at[other] for other in range(3) if other != axis)
    if axis:
        row = len(hu) - 1 - row
    _cross(mixed, row, column)
    zoom = max(1, round(LARGEST / max(mixed.shape[:2])))
    shown = (255 * mixed).astype(np.uint8).repeat(zoom, 0).repeat(zoom, 1)
    return np.concatenate([shown, np.full((*shown.shape[:2], 1), 255, np.uint8)], -1)


def _cross(mixed: NDArray[np.float32], row: int, column: int) -> None:
    """Four short strokes around the place, not over it."""
    for away in range(5, 9):
        for down, right in ((away, 0), (-away, 0), (0, away), (0, -away)):
            r, c = row + down, column + right
            if 0 <= r < len(mixed) and 0 <= c < mixed.shape[1]:
                mixed[r, c] = (0.2, 1.0, 0.9)
