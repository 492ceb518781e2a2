"""A scan that is no larger than one training window, and how telling the detector's score is there.

On a whole CT a score is no probability: thousands of windows are looked at, and how often one without a nodule scores
high was not measured on whole scans. On a single window of 20 x 32 x 32 mm it was, on the validation windows: the
ratio of how likely a score is with a nodule inside to how likely it is without. ``window_ratio.json`` holds it for one
detector, made by ``xinglin train nodule-ratio``; for another detector there is none.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xinglin.apps.imaging.nodules import in_window
from xinglin.apps.imaging.slide import FLOOR, Candidate, isotropic
from xinglin.errors import InvalidInputError
from xinglin.model.vision.images import HU_AIR, WINDOW, scaled
from xinglin.model.vision.reading import averaged
from xinglin.model.vision.runtime import InstanceMaps
from xinglin.records.volumes.scan import Scan

FILE = Path(__file__).with_name("window_ratio.json")
LEAST = 0.75
"""Share of a window's length along each axis that a scan must have to count as one."""


@dataclass(frozen=True, slots=True)
class WindowRatio:
    """Likelihood ratios of a detector's score on single windows."""

    detector: str
    """Id of the checkpoint."""
    slope: float
    intercept: float
    """Log ratio = slope * score + intercept."""
    most: float
    """Largest ratio that so many windows without a nodule can show."""
    positives: int
    negatives: int

    def of(self, score: float) -> float:
        """Return the likelihood ratio of a score, at least 1: not finding a nodule is no evidence."""
        return float(np.clip(math.exp(min(self.slope * score + self.intercept, 50.0)), 1.0, self.most))


def read_ratio(path: Path = FILE) -> WindowRatio:
    """Read the measured ratios.

    Raises:
        InvalidInputError: the file is not what it should be.
    """
    try:
        body = json.loads(path.read_text("utf-8"))
        found = WindowRatio(
            str(body["detector"]),
            float(body["slope"]),
            float(body["intercept"]),
            float(body["most"]),
            int(body["positives"]),
            int(body["negatives"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInputError(
            f"{path.name}: {str(error)[:100]}: make it anew (xinglin train nodule-ratio)"
        ) from None
    if not (math.isfinite(found.intercept) and 0 < found.slope < 100 and 1 <= found.most <= 1e6):
        raise InvalidInputError(
            f"{path.name}: a ratio that is none: make it anew (xinglin train nodule-ratio)"
        )
    return found


def is_window(scan: Scan) -> bool:
    """Whether a scan is about as large as one training window."""
    extent = np.array(scan.array.shape) * np.array(scan.spacing[::-1])
    return bool((extent <= np.array(WINDOW) + 0.5).all() and (extent >= LEAST * np.array(WINDOW)).all())


def find_in_window(network: InstanceMaps, scan: Scan, floor: float = FLOOR) -> list[Candidate]:
    """Return the likeliest place of a scan of one window, if its score reaches ``floor``.

    Raises:
        InvalidInputError: the scan is not of a window's size.
    """
    if not is_window(scan):
        raise InvalidInputError(f"expected a scan of at most {' x '.join(map(str, WINDOW))} mm")
    x, y, z = scan.spacing
    small = isotropic(scan.array, (z, y, x))
    hu = np.full(WINDOW, HU_AIR, dtype=np.float32)
    hu[tuple(slice(0, size) for size in small.shape)] = small[tuple(slice(0, size) for size in WINDOW)]
    found = in_window(network, averaged(network, scaled(hu[None]))[0], hu)
    if found.logit < floor:
        return []
    place = np.minimum(np.array(found.point) / (z, y, x), np.array(scan.array.shape) - 0.51)
    return [Candidate((float(place[0]), float(place[1]), float(place[2])), found.diameter, found.logit)]
