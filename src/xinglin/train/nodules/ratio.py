"""How telling a detector's score is on one window: likelihood ratios on the validation windows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from xinglin.measure.intervals import upper_bound_zero_or_more
from xinglin.model.vision.images import hounsfield, scaled
from xinglin.model.vision.reading import averaged
from xinglin.model.vision.runtime import InstanceMaps
from xinglin.train.nodules.ship import platt
from xinglin.train.nodules.windows import read_windows


def measure_ratio(data: Path, detector: Path) -> dict[str, Any]:
    """Return what ``window_ratio.json`` holds.

    The score is the logit of the strongest instance, as reports give it. The odds that a logistic curve gives (Platt
    1999), over the odds of the windows themselves, are the ratio. The largest ratio that is claimed has as its
    denominator the one-sided 95 % bound of a rate of which not one was seen among the windows without a nodule.

    Raises:
        MissingDataError, InvalidInputError, CheckpointError: data or detector are not what they should be.
    """
    network = InstanceMaps.load(detector)
    windows = read_windows(data)
    valid = windows.where(windows.valid)
    parts = [
        averaged(network, scaled(hounsfield(valid.images[at : at + 16])))[:, 0]
        for at in range(0, len(valid), 16)
    ]
    scores = np.concatenate(parts).max((1, 2, 3))
    slope, intercept = platt(scores, valid.labels)
    positives = int(valid.labels.sum())
    negatives = len(valid) - positives
    return {
        "detector": network.id,
        "slope": round(slope, 6),
        "intercept": round(intercept - float(np.log(positives / negatives)), 6),
        "most": round(1 / upper_bound_zero_or_more(0, negatives), 3),
        "positives": positives,
        "negatives": negatives,
        "windows": valid.digest,
        "split": "valid",
    }


def write_ratio(body: dict[str, Any], path: Path) -> None:
    """Write the measured ratios."""
    path.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
