"""Nodules with all that a report says of them: place, size, type, and the image on which each is seen best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from xinglin.apps.imaging.segment import Kind, Segment, segment
from xinglin.apps.imaging.slide import Candidate
from xinglin.errors import InvalidInputError
from xinglin.records.volumes.scan import Scan
from xinglin.types import Point

Detect = Callable[[Scan], Sequence[Candidate]]
"""What finds nodules in a CT."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """What found the nodules, as every product names it."""

    name: str
    version: str
    calibrated: bool = False
    """Whether its scores on whole scans are calibrated probabilities; if not, they are only an order."""


@dataclass(frozen=True, slots=True, eq=False)
class Nodule:
    """One nodule of a scan."""

    number: int
    """From 1, by falling score."""
    point: Point
    """Centre, LPS millimetres."""
    voxel: tuple[float, float, float]
    """Index z, y, x of the centre, sub-voxel."""
    diameter: float
    """Millimetres: of the sphere of the same volume, or the detector's own where nothing could be cut out."""
    score: float
    """Higher is likelier."""
    segment: Segment | None
    """Its voxels; ``None`` where it has no border of its own."""

    @property
    def volume(self) -> float | None:
        """Cubic millimetres, ``None`` where nothing could be cut out: a volume is never made of a diameter."""
        return None if self.segment is None else self.segment.volume

    @property
    def kind(self) -> Kind | None:
        """Type, where it could be told."""
        return None if self.segment is None else self.segment.kind

    @property
    def slice(self) -> int:
        """Index z of the nearest slice."""
        return round(self.voxel[0])


def measure(scan: Scan, candidates: Sequence[Candidate]) -> tuple[Nodule, ...]:
    """Measure what a detector found.

    Args:
        scan: the CT it was found in.
        candidates: places, in any order.

    Returns:
        Nodules by falling score.

    Raises:
        InvalidInputError: not a CT; a place outside the scan, or a size or score that is no finite number.
    """
    if scan.modality != "CT":
        raise InvalidInputError(f"expected a CT in Hounsfield units, got {scan.modality or 'no modality'}")
    limits = np.array(scan.array.shape) - 0.5
    for one in candidates:
        numbers = np.array([*one.voxel, one.diameter, one.score], float)
        inside = np.isfinite(numbers).all() and (numbers[:3] > -0.5).all() and (numbers[:3] < limits).all()
        if not inside or one.diameter <= 0:
            raise InvalidInputError("the detector names a place outside the scan, or a number that is none")
    ranked = sorted(candidates, key=lambda one: -one.score)
    return tuple(_measured(scan, number, one) for number, one in enumerate(ranked, 1))


def _measured(scan: Scan, number: int, one: Candidate) -> Nodule:
    z, y, x = one.voxel
    cut = segment(scan, one.voxel, one.diameter)
    size = one.diameter if cut is None else cut.diameter
    return Nodule(number, scan.point((x, y, z)), one.voxel, size, one.score, cut)
