"""The lungs searched: where the detector's map lies, what is not searched, and how a search is ended."""

from __future__ import annotations

import numpy as np
import pytest

from xinglin.apps.imaging.search import heat_of, search_lungs
from xinglin.apps.imaging.slide import search_volume
from xinglin.errors import InvalidInputError
from xinglin.model.shipped import shipped_folder
from xinglin.model.vision.runtime import InstanceMaps
from xinglin.records.volumes.scan import Scan


@pytest.fixture(scope="module")
def detector() -> InstanceMaps:
    return InstanceMaps.load(shipped_folder("lung-nodules"))


def ball(spacing: tuple[float, float, float], centre: tuple[float, float, float]) -> Scan:
    """Dark tissue with a ball of 8 mm at a place in millimetres x, y, z of the grid, on oblique axes."""
    shape = tuple(round(48 / step) for step in spacing[::-1])
    z, y, x = np.indices(shape)
    away = np.linalg.norm(
        [axis * step - at for axis, step, at in zip((x, y, z), spacing, centre, strict=True)], axis=0
    )
    noise = 30 * np.random.default_rng(0).standard_normal(shape)
    hu = (-850 + 880 * np.clip(4.5 - away, 0, 1) + noise).astype(np.int16)
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turn * spacing, (100, -50, 20)
    return Scan(hu, affine, "CT", "1.2")


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 0.7, 2.0)])
def test_the_map_is_hottest_where_the_ball_lies(
    detector: InstanceMaps, spacing: tuple[float, float, float]
) -> None:
    centre = (25.0, 20.0, 24.0)
    scan = ball(spacing, centre)
    x, y, z = scan.spacing
    found = search_volume(detector, scan.array, (z, y, x), mask=np.ones(scan.array.shape, bool))
    heat = heat_of(detector, scan, found.logits)
    assert heat.frame == scan.frame
    assert 0 <= heat.array.min() <= heat.array.max() <= 1
    hottest = np.unravel_index(int(heat.array.argmax()), heat.array.shape)[::-1]
    true = scan.to_lps([np.divide(centre, spacing)])[0]
    assert np.linalg.norm(heat.to_lps([hottest])[0] - true) < 4
    best = scan.to_lps([found.candidates[0].voxel[::-1]])[0]
    assert np.linalg.norm(best - true) < 1.5


def test_what_is_too_thin_or_no_lung_is_not_searched(detector: InstanceMaps) -> None:
    with pytest.raises(InvalidInputError, match=r"2\.0 mm thick"):
        search_lungs(detector, Scan(np.zeros((2, 64, 64), np.int16), np.eye(4), "CT", "a"))
    body = np.full((30, 80, 80), 40, np.int16)
    body[:, 30:42, 30:42] = -700  # 4 ml of air in tissue: gas of a bowel
    with pytest.raises(InvalidInputError, match="No lung with air"):
        search_lungs(detector, Scan(body, np.eye(4), "CT", "a"))
    with pytest.raises(InvalidInputError, match="MR"):
        search_lungs(detector, Scan(body, np.eye(4), "MR", "a"))


def test_what_the_report_raises_ends_the_search(detector: InstanceMaps) -> None:
    scan, seen = ball((1.0, 1.0, 1.0), (25, 20, 24)), []

    def stop(done: int, total: int) -> None:
        seen.append((done, total))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search_volume(detector, scan.array, (1, 1, 1), report=stop)
    assert len(seen) == 1
    assert seen[0][0] < seen[0][1]
