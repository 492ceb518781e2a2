"""A sphere with what surrounds nodules: a vessel that enters, a wall it touches, nothing at all."""

from __future__ import annotations

import numpy as np
import pytest

from xinglin.apps.imaging.segment import segment, sphere_diameter
from xinglin.records.volumes.scan import Scan

SIZE = 41
MIDDLE = (20.0, 20.0, 20.0)


def scan(*dense: np.ndarray, spacing: float = 1.0) -> Scan:
    """Lung with noise; where any of the masks holds, soft tissue; blurred as a scanner blurs."""
    from scipy import ndimage

    hu = np.full((SIZE,) * 3, -860.0)
    for mask in dense:
        hu[mask] = 40.0
    hu = ndimage.gaussian_filter(hu, 0.6) + np.random.default_rng(1).normal(0, 15, hu.shape)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    return Scan(np.rint(hu).astype(np.int16), affine, "CT", "synthetic")


def ball(diameter: float) -> np.ndarray:
    return diameter / 2 >= np.linalg.norm(np.indices((SIZE,) * 3).T - 20, axis=-1).T


def rod(diameter: float) -> np.ndarray:
    z, y, _ = np.indices((SIZE,) * 3)
    return np.hypot(z - 20, y - 20) <= diameter / 2


@pytest.mark.parametrize("told", [6.0, 10.0, 14.0])
def test_the_size_is_the_image_s_not_the_detector_s(told: float) -> None:
    found = segment(scan(ball(10.0)), MIDDLE, told)
    assert found is not None
    assert found.diameter == pytest.approx(sphere_diameter(ball(10.0).sum()), abs=0.4)
    assert found.kind == "solid"


def test_a_vessel_that_enters_is_cut_off() -> None:
    alone, fed = (segment(scan(*masks), MIDDLE, 12.0) for masks in ([ball(12.0)], [ball(12.0), rod(3.0)]))
    assert alone is not None
    assert fed is not None
    assert fed.volume < 1.2 * alone.volume


def test_what_runs_on_is_no_nodule() -> None:
    wall = np.indices((SIZE,) * 3)[2] >= 20
    assert segment(scan(wall), MIDDLE, 10.0) is None


def test_nothing_there_is_nothing() -> None:
    assert segment(scan(), MIDDLE, 8.0) is None
    assert segment(scan(ball(6.0)), (8.0, 8.0, 8.0), 5.0) is None


def test_at_the_corner_of_a_scan() -> None:
    corner = np.linalg.norm(np.indices((SIZE,) * 3).T, axis=-1).T <= 5
    found = segment(scan(corner), (0.0, 0.0, 0.0), 10.0)
    assert found is None or found.volume == pytest.approx(corner.sum(), rel=0.3)
