"""The lungs of a CT searched for nodules: candidates, and the detector's map where it lies in the patient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.imaging.lungs import lung_mask
from xinglin.apps.imaging.measured import Algorithm
from xinglin.apps.imaging.slide import Candidate, Report, search_volume
from xinglin.errors import InvalidInputError
from xinglin.model.vision.runtime import InstanceMaps
from xinglin.records.volumes.scan import Scan

THINNEST = 20.0
"""Millimetres of a scan along each axis at least: the shortest side of the windows that the detector was trained on."""
LEAST_LUNG = 0.03
"""Litres of lung below which none counts as seen: so much may be gas of stomach and bowel (authored, unreviewed)."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a detector says of a scan."""

    candidates: tuple[Candidate, ...]
    """Best first."""
    heat: Scan | None = None
    """0 to 1, the higher the likelier, no probability; on the detector's own coarse grid, in the scan's frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Searcher:
    """A loaded detector by name."""

    search: Callable[[Scan, Report | None], Found]
    """Searches a CT; the report is called with (windows done, windows), and what it raises ends the search."""
    algorithm: Algorithm


def search_lungs(network: InstanceMaps, scan: Scan, *, most: int = 50, report: Report | None = None) -> Found:
    """Search the lungs of a chest CT; scores are logits, no probabilities.

    Args:
        network: a loaded detector.
        scan: a CT of the chest.
        most: candidates at most.
        report: called with (windows done, windows).

    Raises:
        InvalidInputError: not a CT, too thin, or no lung with air is seen: searching elsewhere would find what is no
            lung nodule, and finding nothing would look like an answer.
        InputTooLargeError: larger than ``slide.MAX_MM``.
    """
    thin = min(size * step for size, step in zip(scan.array.shape, scan.spacing[::-1], strict=True))
    if thin < THINNEST:
        raise InvalidInputError(
            f"未做检测:扫描范围不足 {THINNEST:g} mm。The scan is {thin:.1f} mm thick; the detector needs {THINNEST:g} mm "
            "on every side to tell a nodule from a vessel: give it the whole series"
        )
    lungs = lung_mask(scan)
    if lungs.litres < LEAST_LUNG:
        raise InvalidInputError(
            "看不到含气的肺,未做检测。No lung with air is seen in the scan, so it was not searched: this detector "
            "reads CT of the chest; it cannot read lungs without air"
        )
    mask = np.empty(scan.array.shape, bool)
    for at, plane in enumerate(lungs.on(scan)):
        mask[at] = plane
    x, y, z = scan.spacing
    found = search_volume(network, scan.array, (z, y, x), mask=mask, most=most, report=report)
    return Found(tuple(found.candidates), heat_of(network, scan, found.logits))


def heat_of(network: InstanceMaps, scan: Scan, logits: NDArray[np.float32]) -> Scan:
    """Return a map of logits as a scan of its own: their sigmoid, 0 where nothing was read.

    Instance k lies at ``offset + k * stride`` millimetres along each of the scan's axes, from the centre of voxel 0.
    """
    grid = np.eye(4)
    for axis, step in enumerate(scan.spacing):
        grid[axis, axis], grid[axis, 3] = network.stride / step, network.offset / step
    with np.errstate(over="ignore"):
        heat = 1 / (1 + np.exp(-logits))
    return Scan(heat.astype(np.float32), scan.affine @ grid, None, scan.frame)
