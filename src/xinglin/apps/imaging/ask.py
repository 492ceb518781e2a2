"""Where a sentence is true in a CT: 毛刺结节, *spiculated nodule* -> a map and its best places in LPS millimetres.

The CT is read window by window as the detector reads it (:mod:`xinglin.apps.imaging.slide`), and every place is scored
by how well it fits the sentence. Scores are an order within one CT and one sentence, no probabilities, and the model
answers any sentence: it points at the best places even where nothing of the kind is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.imaging.lungs import lung_mask
from xinglin.apps.imaging.slide import DISTANCE, Report, isotropic, volume_maps
from xinglin.apps.imaging.window_scan import is_window
from xinglin.errors import InvalidInputError
from xinglin.model.align.runtime import LungWords
from xinglin.model.vision.images import HU_AIR, WINDOW, scaled
from xinglin.model.vision.peaks import highest, suppressed
from xinglin.records.volumes.scan import Scan
from xinglin.types import DISCLAIMER, Point

Floats = NDArray[np.float32]
SMALL = 64.0
"""Millimetres along every axis up to which a scan is a cut-out: it is searched everywhere, for no lung can be told."""
SCORES = (
    "分数只在本次图像与本句之内排序,不是概率;即使没有此类所见,也会指出最像之处。训练文字为模板拼成。",
    "Scores are an order within this image and this sentence, no probabilities; the likeliest places are named even where "
    "there is nothing of the kind. The sentences of training were templated.",
)
EVERYWHERE = (
    "图像很小,未分割肺,全部体素均已查看。",
    "A small cut-out: no lung was told apart, every voxel was looked at.",
)


@dataclass(frozen=True, slots=True)
class AskedPlace:
    """One place that fits the sentence."""

    point: Point
    """LPS millimetres."""
    voxel: tuple[float, float, float]
    """Index z, y, x in the scan, sub-voxel."""
    score: float
    """Logit; higher fits better. No probability."""


@dataclass(frozen=True, eq=False)
class Asked:
    """What a sentence points at."""

    text: str
    places: tuple[AskedPlace, ...]
    """Best first."""
    heat: Floats
    """(z, y, x) on a grid of 2 mm from the first voxel's corner; -inf where nothing was read."""
    millimetres: NDArray[np.int16]
    """The scan in HU at 1 mm, (z, y, x), on which the map lies."""
    notes: tuple[tuple[str, str], ...]


class _Heat:
    """The towers as a network of maps: one channel, how well each place fits one sentence."""

    def __init__(self, words: LungWords, text: str) -> None:
        self.channels: tuple[str, ...] = ("logit",)
        self.stride = words.stride
        self._words, self._sentence = words, words.sentences([text])[0]

    def maps(self, images: Floats) -> Floats:
        """Return the maps of scaled images."""
        return self._words.heat(self._words.places(images), self._sentence)[:, None]


def ask(
    words: LungWords, scan: Scan, text: str, *, most: int = 5, views: int = 1, report: Report | None = None
) -> Asked:
    """Ask a CT where a sentence is true.

    Args:
        words: the loaded model.
        scan: a CT; a whole one is searched within its lungs, a cut-out of at most 64 mm everywhere.
        text: the sentence, Chinese or English, at most 500 characters.
        most: places at most.
        views: flips averaged.
        report: called with (windows done, windows).

    Raises:
        InvalidInputError: not a CT, no lung with air, or no word that the model knows.
        InputTooLargeError: too long a text, or too large a CT.
    """
    if scan.modality != "CT":
        raise InvalidInputError(f"expected a CT in Hounsfield units, got {scan.modality or 'no modality'}")
    network = _Heat(words, text)
    x, y, z = scan.spacing
    hu = isotropic(scan.array, (z, y, x))
    notes = [SCORES]
    if is_window(scan):
        heat = _window(network, hu)
        notes.append(EVERYWHERE)
    else:
        inside = None
        if max(np.array(scan.array.shape) * (z, y, x)) > SMALL:
            inside = _lungs(scan, hu.shape)
        else:
            inside = np.ones(hu.shape, bool)
            notes.append(EVERYWHERE)
        heat = volume_maps(network, hu, inside=inside, views=views, report=report)[0]
    places = _tops(heat, words, hu.shape, most)
    found = []
    for point, score in places:
        at = np.minimum(np.array(point) / (z, y, x), np.array(scan.array.shape) - 0.51)
        voxel = (float(at[0]), float(at[1]), float(at[2]))
        found.append(AskedPlace(scan.point((voxel[2], voxel[1], voxel[0])), voxel, score))
    return Asked(text, tuple(found), heat, hu, tuple(notes))


def as_json(asked: Asked) -> dict[str, Any]:
    """Return what was found as JSON values."""
    return {
        "text": asked.text,
        "places": [
            {
                "rank": rank,
                "lps_mm": [one.point.x, one.point.y, one.point.z],
                "voxel_zyx": list(one.voxel),
                "score": one.score,
            }
            for rank, one in enumerate(asked.places, 1)
        ],
        "scores_are_probabilities": False,
        "notes": [{"zh": zh, "en": en} for zh, en in asked.notes],
        "disclaimer": DISCLAIMER,
    }


def _window(network: _Heat, hu: NDArray[np.int16]) -> Floats:
    whole = np.full(WINDOW, HU_AIR, dtype=np.float32)
    whole[tuple(slice(0, size) for size in hu.shape)] = hu[tuple(slice(0, size) for size in WINDOW)]
    heat: Floats = network.maps(scaled(whole[None]))[0, 0]
    return heat


def _lungs(scan: Scan, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    lungs = lung_mask(scan)
    if not lungs.array.any():
        raise InvalidInputError(
            "看不到含气的肺,未查找。No lung with air is seen in the scan, so it was not searched: this reads CT of the chest"
        )
    mask = np.empty(scan.array.shape, np.uint8)
    for at, plane in enumerate(lungs.on(scan)):
        mask[at] = plane
    x, y, z = scan.spacing
    return np.asarray(isotropic(mask, (z, y, x)) > 0)


def _tops(
    heat: Floats, words: LungWords, shape: tuple[int, ...], most: int
) -> list[tuple[tuple[float, float, float], float]]:
    """The tops of a map in millimetre voxels: the best places, each ``DISTANCE`` from all better ones."""
    from scipy.ndimage import maximum_filter

    read = np.isfinite(heat)
    if not read.any():
        return []
    top = read & (heat == maximum_filter(np.where(read, heat, -1e9), 3, mode="nearest"))
    at = np.argwhere(top)
    points = (at * words.stride + words.offset).astype(np.float64)
    kept = suppressed(points, heat[top], DISTANCE)[:most]
    found = []
    for index in kept:
        low = np.maximum(at[index] - 1, 0)
        box = heat[tuple(slice(start, start + 3) for start in low)]
        near = np.where(np.isfinite(box), box, box[np.isfinite(box)].min())
        place = np.array(highest(near, words.stride, words.offset, (6, 6, 6))) + low * words.stride
        z, y, x = np.clip(place, 0, np.array(shape) - 1).tolist()
        found.append(((z, y, x), float(heat[tuple(at[index])])))
    return found
