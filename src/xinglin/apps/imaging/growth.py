"""A nodule against the same nodule of an earlier scan: matched by place, compared by volume.

Volume doubling time of exponential growth, t ln 2 / ln(V2 / V1), the formula of Schwartz (1961) as the Hong Kong
Thoracic Society writes it out (hkresp.com, "How to calculate the doubling time of a solitary pulmonary nodule", 2006).
Volumes of small nodules on thick slices are so uncertain that the interval around a doubling time spans benign and
malignant (Nietert and others 2009, PMC5989730): slice distances are reported with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import log

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.imaging.measured import Nodule
from xinglin.apps.imaging.shift import translation
from xinglin.apps.imaging.source import Source
from xinglin.errors import InvalidInputError
from xinglin.records.volumes.scan import Scan

NEAR = 12.0
"""Millimetres between a nodule and its earlier self after moving: breath, posture, and the grid of the translation."""


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One nodule and its earlier self."""

    nodule: Nodule
    earlier: Nodule | None
    """``None``: not found earlier, which is not proof that it is new."""
    away: float | None
    """Millimetres between the two after moving."""
    doubling: float | None
    """Days in which the volume doubles; negative when it shrinks (halves in as many days); ``None`` if not known."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """A scan against an earlier one of the same patient."""

    changes: tuple[Change, ...]
    gone: tuple[Nodule, ...]
    """Earlier nodules without a later self."""
    days: int | None
    """Between the two; ``None`` if a date is not stated."""
    earlier_day: date | None
    moved: tuple[float, float, float]
    """Millimetres by which the earlier places were moved; zero if both scans share the frame of reference."""


def compare(
    earlier: tuple[Scan, Source, Sequence[Nodule]], later: tuple[Scan, Source, Sequence[Nodule]]
) -> Comparison:
    """Match the nodules of two scans.

    Each is matched with the nearest that has it as its own nearest, within ``NEAR``.

    Raises:
        InvalidInputError: the scans name different patients, or the prior is the later one.
    """
    names = [side[1].text("PatientID") for side in (earlier, later)]
    if None not in names and names[0] != names[1]:
        raise InvalidInputError("--prior: (0010,0020) PatientID differs: the prior is of another patient")
    days = None if earlier[1].day is None or later[1].day is None else (later[1].day - earlier[1].day).days
    if days is not None and days < 0:
        raise InvalidInputError("--prior: its date is after that of the scan: give the earlier one as prior")
    same = earlier[0].frame == later[0].frame
    moved = np.zeros(3) if same else translation(earlier[0], later[0])
    pairs = _pairs(_places(earlier[2]) + moved, _places(later[2]))
    before = {late: (early, away) for early, late, away in pairs}
    changes = []
    for at, nodule in enumerate(later[2]):
        if at not in before:
            changes.append(Change(nodule, None, None, None))
            continue
        match, away = earlier[2][before[at][0]], before[at][1]
        changes.append(Change(nodule, match, away, doubling_time(match.volume, nodule.volume, days)))
    matched = {early for early, _, _ in pairs}
    gone = tuple(nodule for at, nodule in enumerate(earlier[2]) if at not in matched)
    x, y, z = moved
    return Comparison(tuple(changes), gone, days, earlier[1].day, (float(x), float(y), float(z)))


def doubling_time(first: float | None, second: float | None, days: int | None) -> float | None:
    """Return the days in which a volume doubles, negative if it halves.

    Args:
        first: earlier volume, any unit.
        second: later volume, the same unit.
        days: between them.

    Returns:
        ``None`` if a figure is missing, no day lies between, or the volume did not change.
    """
    if not first or not second or not days or first == second:
        return None
    return days * log(2) / log(second / first)


def _places(nodules: Sequence[Nodule]) -> NDArray[np.float64]:
    return np.array([(one.point.x, one.point.y, one.point.z) for one in nodules], float).reshape(-1, 3)


def _pairs(first: NDArray[np.float64], second: NDArray[np.float64]) -> list[tuple[int, int, float]]:
    if not len(first) or not len(second):
        return []
    away = np.linalg.norm(first[:, None] - second[None], axis=2)
    ahead, back = away.argmin(axis=1), away.argmin(axis=0)
    return [
        (early, int(late), float(away[early, late]))
        for early, late in enumerate(ahead)
        if back[late] == early and away[early, late] <= NEAR
    ]
