"""From *about here* to *exactly here*: the blob of the image nearest to where the network points, with its size.

The network, trained on yes and no alone, points at a nodule to about 2 mm. The image itself knows better where a
round thing has its centre: the scale-normalised Laplacian of Gaussian (Lindeberg 1998) peaks at the centre of a ball
of diameter ``2 sqrt(3) sigma``. So the response is multiplied by a Gaussian around the network's point, its maximum
over place and scale chooses the blob, and the blob's own top, with a parabola through the neighbours for the fraction
of a voxel, is the centre. No coordinate of any truth is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Place = tuple[float, float, float]
Cube = NDArray[Any]
SCALES = (1.2, 1.5, 1.9, 2.4, 3.0, 3.8, 4.8)
"""Standard deviations in mm: balls of 4 to 17 mm."""
REACH = 5
"""Millimetres from the network's point within which the centre is looked for."""
SPREAD = 3.0
"""Standard deviation in mm of the Gaussian around the network's point."""
CLIMB = 3
"""Steps of a voxel from the best weighted response to the response's own top."""
INNER = REACH + CLIMB + 1
"""Voxels around the network's point whose response is ever looked at."""
TOP = 200.0
"""HU above which nothing counts more: bone and calcium would draw the centre to themselves."""


@dataclass(frozen=True, slots=True)
class Centred:
    """A blob."""

    point: Place
    """Voxels z, y, x; fractions count."""
    diameter: float
    """Millimetres, of the ball with the same best scale."""
    response: float
    """Scale-normalised response in HU; at or below 0 there is no bright blob, and ``point`` is the network's."""


def centre(hu: Cube, point: Place, /) -> Centred:
    """Return the blob nearest to a point.

    Args:
        hu: Hounsfield units, 1 mm voxels, shape (z, y, x); a window or a whole CT: only the surroundings are read.
        point: voxels z, y, x, inside ``hu``.
    """
    about = np.asarray(point, float)
    low, box = _around(hu, about, REACH + int(np.ceil(3 * SCALES[-1])))
    first, inner = _around(hu, about, INNER)
    near = np.sqrt(
        sum((axis - at) ** 2 for axis, at in zip(np.indices(inner.shape), about - first, strict=True))
    )
    weight = np.where(near <= REACH, np.exp(-(near**2) / (2 * SPREAD**2)), 0.0)
    kept = [(int(start), int(start) + size) for start, size in zip(first - low, inner.shape, strict=True)]
    clipped = np.minimum(np.asarray(box, dtype=np.float32), TOP)
    responses = np.stack([_response(clipped, scale, kept) for scale in SCALES])
    weighted = responses * weight
    best = np.unravel_index(int(weighted.argmax()), weighted.shape)
    response = float(responses[best])
    if response <= 0:
        return Centred((float(about[0]), float(about[1]), float(about[2])), 2 * 3**0.5 * SCALES[0], response)
    # The weight has chosen the blob; where its top is, the image alone says.
    top = _climbed(responses[best[0]], tuple(map(int, best[1:])))
    refined = parabolic(responses[best[0]], top)
    z, y, x = top
    scale = float(np.exp(_vertex(np.log(SCALES), responses[:, z, y, x], int(best[0]))))
    place = (refined + first).tolist()
    return Centred((place[0], place[1], place[2]), 2 * 3**0.5 * scale, response)


def _around(hu: Cube, about: NDArray[np.float64], margin: int) -> tuple[NDArray[np.int64], Cube]:
    """The first voxel of the box around a place, and the box, cut off at the image's border."""
    low = np.maximum(np.floor(about).astype(int) - margin, 0)
    high = np.minimum(np.ceil(about).astype(int) + margin + 1, hu.shape)
    return low, hu[tuple(map(slice, low, high))]


def _response(box: Cube, scale: float, kept: Sequence[tuple[int, int]]) -> Cube:
    """The scale-normalised Laplacian of a part of a box: three products with banded matrices, an axis each."""
    smooth, bend = (
        [_operator(size, scale, order)[a:b] for size, (a, b) in zip(box.shape, kept, strict=True)]
        for order in (0, 2)
    )
    flat = box.reshape(len(box), -1)
    smooth_z, bend_z = ((matrix @ flat).reshape(-1, *box.shape[1:]) for matrix in (smooth[0], bend[0]))
    across = bend[1] @ smooth_z + smooth[1] @ bend_z
    found: Cube = across @ smooth[2].T + (smooth[1] @ smooth_z) @ bend[2].T
    return -(scale**2) * found


@cache
def _operator(size: int, scale: float, order: int) -> Cube:
    """The Gaussian filter of a line, or its second derivative, as a matrix."""
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(np.eye(size), scale, axis=0, order=order, mode="nearest"), np.float32)


def parabolic(values: Cube, at: tuple[int, ...]) -> NDArray[np.float64]:
    """Return where the parabola through a maximum and its two neighbours along each axis has its top.

    At the border, or where the three values do not bend down, the axis keeps the whole number.
    """
    found = np.array(at, float)
    for axis, index in enumerate(at):
        if not 0 < index < values.shape[axis] - 1:
            continue
        around: tuple[Any, ...] = (*at[:axis], slice(index - 1, index + 2), *at[axis + 1 :])
        line = values[around]
        bend = float(line[0] - 2 * line[1] + line[2])
        if bend < 0:
            found[axis] += np.clip(0.5 * float(line[0] - line[2]) / bend, -0.5, 0.5)
    return found


def _climbed(values: Cube, at: tuple[int, ...]) -> tuple[int, ...]:
    """Return the local maximum that steps to the best of the 26 neighbours lead to, at most ``CLIMB`` of them."""
    for _ in range(CLIMB):
        low = [max(0, index - 1) for index in at]
        box = values[tuple(slice(start, index + 2) for start, index in zip(low, at, strict=True))]
        step = np.unravel_index(int(box.argmax()), box.shape)
        there = tuple(int(start + move) for start, move in zip(low, step, strict=True))
        if there == at:
            break
        at = there
    return at


def _vertex(places: NDArray[np.float64], values: Cube, index: int) -> float:
    """The same along an axis with uneven steps (the logarithm of the scale)."""
    if not 0 < index < len(values) - 1:
        return float(places[index])
    left, right = places[index - 1 : index + 2 : 2] - places[index]
    down, up = values[index - 1 : index + 2 : 2].astype(float) - float(values[index])
    bend = (up / right - down / left) / (right - left)
    if bend >= 0:
        return float(places[index])
    slope = down / left - bend * left
    return float(places[index] + np.clip(-slope / (2 * bend), left / 2, right / 2))
