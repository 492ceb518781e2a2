"""A whole CT, window by window: what the network was trained to see, in bounded memory.

The CT is brought to 1 mm slice by slice, then windows of the training's own size are laid so that their inner blocks
(8 x 16 x 16 mm) tile it, and only the inner block of each is kept: every instance has context on all sides, and its
logits are exactly those of that window read alone. Windows without lung are skipped. So the network sees edges where
training had them; a pass over a whole slab at once would show it a world without edges, which it never saw.

What comes out are scores. No probability: how often a nodule is in a random window of a CT is not what it was in
training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import dist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.imaging.nodules import Nodule, exact
from xinglin.apps.imaging.resample import resampled
from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.model.vision.images import HU_AIR, WINDOW, scaled
from xinglin.model.vision.reading import averaged
from xinglin.model.vision.runtime import InstanceMaps, MapNetwork

INNER = (8, 16, 16)
"""Voxels z, y, x of a window that are kept."""
MARGIN = tuple((size - inner) // 2 for size, inner in zip(WINDOW, INNER, strict=True))
MAX_MM = (2000, 800, 800)
"""Largest CT."""
LUNG_HU = -500.0
"""A window is read when some of its inner block is darker than this and some of it is not outside air."""
FLOOR = 0.0
"""Logit below which a top is not reported."""
DISTANCE = 6.0
"""Millimetres that two reported places are apart at least."""
_BATCH = 8
Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One place in a CT."""

    voxel: tuple[float, float, float]
    """Index z, y, x in the CT as it came, sub-voxel."""
    diameter: float
    """Millimetres."""
    score: float
    """Logit of the strongest instance; higher is likelier. No probability."""


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """What a pass over a CT leaves."""

    candidates: list[Candidate]
    """Best first."""
    logits: NDArray[np.float32]
    """(z, y, x) of the instances, on the 1 mm grid from ``network.offset`` by ``network.stride``; -inf where not read."""


def search_volume(
    network: InstanceMaps,
    hu: NDArray[Any],
    spacing: tuple[float, float, float],
    *,
    mask: NDArray[np.bool_] | None = None,
    most: int = 50,
    floor: float = FLOOR,
    views: int = 1,
    report: Report | None = None,
) -> Searched:
    """Read a CT and return its likeliest places and the map of instance logits.

    Args:
        network: a loaded detector.
        hu: Hounsfield units (z, y, x); may be a memory map, read one slice at a time.
        spacing: millimetres between voxels along z, y, x.
        mask: where to look, same shape as ``hu`` (a lung mask); without it, wherever there is air inside.
        most: places at most.
        floor: logit below which nothing is reported.
        views: flips averaged; 1 is fastest.
        report: called with (windows done, windows); what it raises ends the search.

    Raises:
        InvalidInputError: no three axes, spacing that is not positive, or a mask of another shape.
        InputTooLargeError: larger than ``MAX_MM``.
    """
    millimetres = isotropic(hu, spacing)
    inside = None if mask is None else isotropic(_masked(mask, hu.shape), spacing) > 0
    maps = volume_maps(network, millimetres, inside=inside, views=views, report=report)
    found = tops(network, maps, millimetres, most=most, floor=floor)
    candidates = []
    for nodule in found:
        z, y, x = (place / step for place, step in zip(nodule.point, spacing, strict=True))
        candidates.append(Candidate((z, y, x), nodule.diameter, nodule.logit))
    within = tuple(
        slice(-(-size // network.stride)) for size in millimetres.shape
    )  # blocks reach beyond the CT
    return Searched(candidates, maps[0][within])


def isotropic(values: NDArray[Any], spacing: tuple[float, float, float]) -> NDArray[np.int16]:
    """Return an array resampled to 1 mm (:func:`~.resample.resampled`); memory beyond the result: a few slices.

    Raises:
        InvalidInputError, InputTooLargeError: as :func:`search_volume`.
    """
    if values.ndim != 3 or not all(np.isfinite(step) and step > 0 for step in spacing):
        raise InvalidInputError(
            f"CT: expected three axes and three positive spacings in mm, got {values.ndim} axes, {spacing}"
        )
    extent = [size * step for size, step in zip(values.shape, spacing, strict=True)]
    if any(mm > limit for mm, limit in zip(extent, MAX_MM, strict=True)):
        raise InputTooLargeError(
            f"CT: expected at most {' x '.join(map(str, MAX_MM))} mm, got {' x '.join(f'{mm:.0f}' for mm in extent)}"
        )
    return resampled(values, spacing, 1.0, np.int16)


def volume_maps(
    network: MapNetwork,
    hu: NDArray[np.int16],
    *,
    inside: NDArray[np.bool_] | None = None,
    views: int = 1,
    report: Report | None = None,
) -> NDArray[np.float32]:
    """Return the maps (channels, z/2, y/2, x/2) of a CT of 1 mm; where nothing was read, the logit is -inf.

    Args:
        network: a loaded detector.
        hu: (z, y, x), 1 mm.
        inside: where to look, same shape.
        views: flips averaged.
        report: called with (windows done, windows).
    """
    blocks = [-(-size // inner) for size, inner in zip(hu.shape, INNER, strict=True)]
    step = network.stride
    kept = [inner // step for inner in INNER]
    maps = np.zeros(
        (len(network.channels), *(n * k for n, k in zip(blocks, kept, strict=True))), dtype=np.float32
    )
    maps[0] = -np.inf
    places = [place for place in np.ndindex(*blocks) if _worth(hu, inside, place)]
    for start in range(0, len(places), _BATCH):
        batch = places[start : start + _BATCH]
        found = averaged(network, scaled(np.stack([window_at(hu, place) for place in batch])), views)
        inner = tuple(slice(m // step, m // step + k) for m, k in zip(MARGIN, kept, strict=True))
        for place, answer in zip(batch, found, strict=True):
            target = tuple(slice(p * k, (p + 1) * k) for p, k in zip(place, kept, strict=True))
            maps[(slice(None), *target)] = answer[(slice(None), *inner)]
        if report is not None:
            report(min(start + _BATCH, len(places)), len(places))
    return maps


def window_at(hu: NDArray[np.int16], place: tuple[int, ...]) -> NDArray[np.int16]:
    """Return the window whose inner block is the one at ``place``; beyond the CT its outermost voxels go on.

    Air there, or a mirror, would make a ball of each vessel that the border cuts off; so it stays a vessel.
    """
    low = (np.array(place) * INNER - MARGIN).tolist()
    index = [np.arange(a, a + w).clip(0, n - 1) for a, w, n in zip(low, WINDOW, hu.shape, strict=True)]
    window: NDArray[np.int16] = hu[np.ix_(*index)]
    return window


def tops(
    network: InstanceMaps,
    maps: NDArray[np.float32],
    hu: NDArray[np.int16],
    *,
    most: int = 50,
    floor: float = FLOOR,
) -> list[Nodule]:
    """Return the places that maps of a CT mean, best first, none nearer than ``DISTANCE`` to a better one."""
    from scipy.ndimage import maximum_filter

    logits = maps[0]
    peaks = np.argwhere(
        (logits == maximum_filter(logits, 3, mode="constant", cval=-np.inf)) & (logits > floor)
    )
    found: list[Nodule] = []
    for z, y, x in peaks[np.argsort(-logits[tuple(peaks.T)], kind="stable")]:
        nodule = exact(network, maps, (int(z), int(y), int(x)), hu)
        if all(dist(nodule.point, better.point) >= DISTANCE for better in found):
            found.append(nodule)
        if len(found) == most:
            break
    return found


def _worth(hu: NDArray[np.int16], inside: NDArray[np.bool_] | None, place: tuple[int, ...]) -> bool:
    box = tuple(slice(p * i, (p + 1) * i) for p, i in zip(place, INNER, strict=True))
    if inside is not None:
        return bool(inside[box].any())
    block = hu[box]
    return bool((block < LUNG_HU).any() and (block > HU_AIR + 50).any())


def _masked(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    if mask.shape != shape:
        raise InvalidInputError(f"mask: expected the CT's shape {shape}, got {mask.shape}")
    return mask.view(np.uint8) if mask.dtype == np.bool_ else (mask > 0).astype(np.uint8)
