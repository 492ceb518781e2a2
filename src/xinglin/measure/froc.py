"""Free-response ROC as LUNA16 defines it: sensitivity against false positives a scan.

Rules (Setio et al., Medical Image Analysis 2017, section 4, and the challenge's own evaluation script):

- a mark hits a nodule when its distance to the centre is **below the radius**; of an excluded finding without a
  diameter the radius is 2.5 mm;
- a nodule hit by several marks counts once, with the highest score; the other marks on it are no false positives;
- a mark on an excluded finding is dropped, neither hit nor false positive;
- every other mark is a false positive; a nodule without a mark stays missed at every threshold;
- the score (CPM) is the mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives a scan;
- the interval comes from resampling scans.

Where we differ: the script reads the curve on a grid of 10,001 rates, at the point just below each of the seven; we
read it at the rate itself. Its interval is that of the resampled mean curve; ours is the percentile interval around
the measured value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.measure.intervals import Figure, bootstrap

Array = NDArray[np.float64]
RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives a scan at which LUNA16 reads the curve."""
UNSIZED = 5.0
"""Diameter in mm of an excluded finding that has none."""


@dataclass(frozen=True, eq=False)
class Annotations:
    """What the readers marked in one scan."""

    centres: Array
    """Millimetres, shape (nodules, 3)."""
    diameters: Array
    """Millimetres, shape (nodules,); negative or NaN: not measured."""
    excluded: NDArray[np.bool_]
    """Findings that count neither way, shape (nodules,)."""


@dataclass(frozen=True, eq=False)
class Matched:
    """One scan's marks held against its annotations."""

    hits: Array
    """Highest score on each nodule that was hit."""
    false: Array
    """Scores of the false positives."""
    nodules: int
    """Nodules that count, hit or not."""


@dataclass(frozen=True, slots=True)
class Froc:
    """A curve read at the seven rates."""

    sensitivity: tuple[Figure, ...]
    """At ``RATES``, each with its interval over scans."""
    cpm: Figure
    """Their mean."""
    scans: int
    nodules: int


def match(marks: Array, scores: Array, annotated: Annotations) -> Matched:
    """Hold one scan's marks against its annotations.

    Args:
        marks: millimetres in the annotations' frame, shape (marks, 3).
        scores: shape (marks,).
        annotated: the scan's nodules and excluded findings.

    Raises:
        ValueError: shapes that do not belong together, a value that is not finite, or a nodule that counts and has
            no diameter: without one the radius rule cannot be applied.
    """
    marks = np.asarray(marks, float).reshape(-1, 3)
    scores = np.asarray(scores, float)
    centres = np.asarray(annotated.centres, float).reshape(-1, 3)
    diameters = np.asarray(annotated.diameters, float)
    excluded = np.asarray(annotated.excluded, bool)
    if scores.shape != marks.shape[:1] or not diameters.shape == excluded.shape == centres.shape[:1]:
        raise ValueError(
            f"expected a score a mark and a diameter and a flag a nodule, got {marks.shape}, {scores.shape}, "
            f"{centres.shape}, {diameters.shape}, {excluded.shape}"
        )
    if not (np.isfinite(marks).all() and np.isfinite(scores).all() and np.isfinite(centres).all()):
        raise ValueError("expected finite marks, scores and centres, got NaN or infinity")
    unsized = ~(diameters > 0)
    if (unsized & ~excluded).any():
        raise ValueError("expected a positive diameter of every nodule that counts")
    radii = np.where(unsized, UNSIZED, diameters) / 2
    distance = np.linalg.norm(marks[:, None] - centres[None], axis=2)
    on = distance < radii  # (marks, nodules)
    counted = on[:, ~excluded]
    hits = [scores[column].max() for column in counted.T if column.any()]
    return Matched(np.array(hits, float), scores[~on.any(axis=1)], int((~excluded).sum()))


def curve(scans: Sequence[Matched]) -> tuple[Array, Array]:
    """Return false positives a scan and sensitivity, from no mark at all to all of them.

    Raises:
        ValueError: no scan, or no nodule in any.
    """
    nodules = sum(scan.nodules for scan in scans)
    if not nodules:
        raise ValueError(f"expected at least one nodule that counts, got none in {len(scans)} scans")
    hits = np.sort(np.concatenate([scan.hits for scan in scans]))
    false = np.sort(np.concatenate([scan.false for scan in scans]))
    thresholds = np.unique(np.concatenate([hits, false]))[::-1]
    found = len(hits) - np.searchsorted(hits, thresholds)
    wrong = len(false) - np.searchsorted(false, thresholds)
    return np.concatenate([[0.0], wrong / len(scans)]), np.concatenate([[0.0], found / nodules])


def sensitivity_at(scans: Sequence[Matched], rates: Sequence[float] = RATES) -> Array:
    """Return the sensitivity at each rate; beyond the last mark the curve stays where it is."""
    return np.asarray(np.interp(rates, *curve(scans)))


def froc(scans: Sequence[Matched], *, seed: int = 0, repetitions: int = 1000) -> Froc:
    """Return sensitivity at the seven rates and their mean, with intervals from resampled scans.

    Args:
        scans: every scan of the set, those without nodules or marks too.
        seed: of the resampling.
        repetitions: number of resamples.

    Raises:
        ValueError: no scan, or no nodule in any.
    """
    memory: dict[bytes, Array] = {}

    def read(index: NDArray[np.int64]) -> Array:
        key = index.tobytes()
        if key not in memory:
            chosen = [scans[i] for i in index]
            # A resample may hold no nodule at all; it has no figure and drops out of the interval.
            empty = not sum(scan.nodules for scan in chosen)
            memory[key] = np.full(len(RATES), np.nan) if empty else sensitivity_at(chosen)
        return memory[key]

    sensitivity_at(scans)  # refuses what has no figure
    figures = tuple(
        bootstrap(lambda index, k=k: float(read(index)[k]), len(scans), seed=seed, repetitions=repetitions)  # type: ignore[misc]
        for k in range(len(RATES))
    )
    cpm = bootstrap(lambda index: float(read(index).mean()), len(scans), seed=seed, repetitions=repetitions)
    return Froc(figures, cpm, len(scans), sum(scan.nodules for scan in scans))
