"""Lung-RADS by size at the table's own limits."""

from __future__ import annotations

import numpy as np
import pytest

from xinglin.apps.imaging.lung_rads import category, highest
from xinglin.apps.imaging.measured import Nodule
from xinglin.apps.imaging.segment import Kind, Segment
from xinglin.types import Point


def nodule(kind: Kind | None, volume: float, solid: float | None = None) -> Nodule:
    cut = Segment(np.ones((1, 1, 1), bool), (0, 0, 0), volume, solid, kind)
    return Nodule(1, Point(0, 0, 0, "f"), (0, 0, 0), cut.diameter, 1.0, cut)


@pytest.mark.parametrize(
    ("kind", "volume", "solid", "expected"),
    [
        ("solid", 112, None, "2"),
        ("solid", 113, None, "3"),
        ("solid", 267, None, "3"),
        ("solid", 268, None, "4A"),
        ("solid", 1766, None, "4A"),
        ("solid", 1767, None, "4B"),
        ("part-solid", 112, 90, "2"),
        ("part-solid", 500, 112, "3"),
        ("part-solid", 500, 113, "4A"),
        ("part-solid", 500, 268, "4B"),
        ("non-solid", 14_136, None, "2"),
        ("non-solid", 14_137, None, "3"),
        ("calcified", 500, None, None),
        (None, 500, None, None),
    ],
)
def test_limits(kind: Kind | None, volume: float, solid: float | None, expected: str | None) -> None:
    assert category(nodule(kind, volume, solid)) == expected


def test_a_study_has_the_highest_or_none() -> None:
    assert highest([nodule("solid", 50), nodule("solid", 300), nodule("non-solid", 50)]) == "4A"
    assert highest([nodule("solid", 300), nodule(None, 5)]) is None
    assert highest([]) is None
