"""Doubling time against its definition, and the translation between two scans against a planted one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.apps.imaging.growth import doubling_time
from xinglin.apps.imaging.shift import translation
from xinglin.records.volumes.scan import Scan


@given(st.floats(10, 5000), st.floats(20, 900), st.integers(1, 2000))
def test_doubling_time_is_when_the_volume_has_doubled(volume: float, days: float, interval: int) -> None:
    later = volume * 2 ** (interval / days)
    if later == volume:
        return
    assert doubling_time(volume, later, interval) == pytest.approx(days, rel=1e-6)
    assert doubling_time(later, volume, interval) == pytest.approx(-days, rel=1e-6)


@pytest.mark.parametrize(
    "told", [(None, 5.0, 9), (5.0, None, 9), (5.0, 6.0, None), (5.0, 6.0, 0), (5.0, 5.0, 9)]
)
def test_what_is_not_known_stays_unknown(told: tuple[float | None, float | None, int | None]) -> None:
    assert doubling_time(*told) is None


@pytest.mark.parametrize("flip", [False, True])
def test_the_translation_between_a_chest_and_a_part_of_it(flip: bool) -> None:
    """Smooth random tissue; the later scan is a part of it, moved, on another grid and, once, with flipped axes."""
    from scipy import ndimage

    rng = np.random.default_rng(3)
    hu = ndimage.gaussian_filter(rng.normal(0, 1, (60, 80, 80)), 3)
    hu = (hu / np.abs(hu).max() * 900 - 300).astype(np.int16)
    first = Scan(hu, np.diag([3.0, 3.0, 3.0, 1.0]), "CT", "a")
    moved = np.array([30.0, -21.0, 12.0])
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = np.array([10, 12, 8]) * 3.0 + moved
    part = hu[8:58, 12:72, 10:70]
    if flip:
        part = part[:, ::-1, ::-1]
        affine[:3, 3] += affine[:3, :3] @ [59, 59, 0]
        affine[:3, :2] *= -1
    second = Scan(np.ascontiguousarray(part), affine, "CT", "b")
    assert np.abs(translation(first, second) - moved).max() <= 3.5
