"""Grey levels: which range of values becomes black to white.

The linear function of PS3.3 C.11.2.1.2.1. The presets are the ranges in everyday use (authored, unreviewed; vendors differ
by a few tens of units). MR has no unit: its window is taken from the scan's own distribution of values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError
from xinglin.records.volumes.scan import Scan


@dataclass(frozen=True, slots=True)
class Window:
    """A range of values by its centre and width."""

    centre: float
    width: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.centre) and 1 < self.width < 1e7):
            raise InvalidInputError(f"window: expected a width above 1, got {self.centre:g} / {self.width:g}")

    def grey(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Return values as grey levels from 0 to 255."""
        share = (values.astype(np.float32) - np.float32(self.centre - 0.5)) * np.float32(
            255 / (self.width - 1)
        )
        return np.asarray(np.clip(share + np.float32(128), 0, 255), np.uint8)


PRESETS: dict[str, tuple[str, Window]] = {
    "lung": ("肺窗 Lung", Window(-600, 1500)),
    "mediastinum": ("纵隔窗 Mediastinum", Window(40, 400)),
    "bone": ("骨窗 Bone", Window(400, 1800)),
    "brain": ("脑窗 Brain", Window(40, 80)),
    "abdomen": ("腹部窗 Abdomen", Window(50, 350)),
}
"""For CT, in Hounsfield units: name -> what a person reads, and the window."""


def own_window(scan: Scan) -> Window:
    """Return a window from the 1st to the 99th percentile of what was measured, for values without a unit.

    Zeros are left out: scanners write them where there is no signal. At most about a million voxels are looked at.
    """
    step = max(1, round((scan.array.size / 1e6) ** (1 / 3)))
    part = np.s_[::step, ::step, ::step]
    values = scan.array[part]
    if scan.measured is not None:
        values = values[scan.measured[part]]
    values = values[values != 0]
    if values.size == 0:
        return Window(0, 2)
    low, high = np.percentile(values, [1, 99])
    return Window(float(low + high) / 2, float(max(high - low, 2)))


def normalised(scan: Scan) -> NDArray[np.float32]:
    """Return the values (z, y, x) brought to 0 to 1 by the scan's own window, for MR.

    A percentile normalisation: scans become comparable in range, not in tissue; no claim beyond showing is made on it.
    """
    window = own_window(scan)
    out = np.empty(scan.array.shape, np.float32)
    for at, plane in enumerate(scan.array):
        out[at] = np.clip((plane - window.centre) / window.width + 0.5, 0, 1)
    return out
