"""A CT read window by window: same logits as the window alone, the right place whatever the spacing."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy.ndimage import maximum_filter

from xinglin.apps.imaging.nodules import exact
from xinglin.apps.imaging.slide import (
    DISTANCE,
    INNER,
    MARGIN,
    isotropic,
    search_volume,
    tops,
    volume_maps,
    window_at,
)
from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.model.shipped import shipped_folder
from xinglin.model.vision.images import WINDOW, hounsfield, read_array, scaled
from xinglin.model.vision.runtime import InstanceMaps


@pytest.fixture(scope="session")
def detector() -> InstanceMaps:
    return InstanceMaps.load(shipped_folder("lung-nodules"))


@pytest.fixture(scope="session")
def cube(data):
    """A real cube of a validation scan with one nodule, and the nodule's place."""
    folder = data / "imaging" / "luna16-nodule-cubes"
    with (folder / "nodules.csv").open() as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["split"] == "valid" and row["shard"] == "0" and row["n_luna_nodules_in_cube"] == "1"
            and 6 < float(row["ann_diameter_mm"]) < 10
        ]  # fmt: skip
    assert rows
    row = rows[0]
    cubes = read_array(folder / "cubes_00.npy.xz", limit=100 * 50**3)
    return hounsfield(cubes[int(row["row"])]), np.array([float(row[f"mc_{axis}"]) for axis in "zyx"])


def test_the_same_logits_as_the_window_alone(detector, cube):
    hu = cube[0].astype(np.int16)
    maps = volume_maps(detector, hu, inside=np.ones(hu.shape, bool))
    seen = 0
    for place in np.ndindex(*(-(-size // inner) for size, inner in zip(hu.shape, INNER, strict=True))):
        alone = detector.maps(scaled(window_at(hu, place))[None])[0]
        kept = tuple(slice(m // 2, (m + i) // 2) for m, i in zip(MARGIN, INNER, strict=True))
        there = tuple(slice(p * i // 2, (p + 1) * i // 2) for p, i in zip(place, INNER, strict=True))
        assert np.allclose(maps[(slice(None), *there)], alone[(slice(None), *kept)], atol=1e-4)
        seen += 1
    assert seen == 7 * 4 * 4


def test_windows_are_cut_where_they_should_be():
    hu = np.arange(24 * 40 * 40, dtype=np.int16).reshape(24, 40, 40) % 1000
    window = window_at(hu, (1, 1, 1))
    low = np.array([1, 1, 1]) * INNER - MARGIN
    assert np.array_equal(
        window[:16], hu[low[0] : 24, low[1] : low[1] + 32, low[2] : low[2] + 32][:16, :32, :32]
    )
    padded = np.pad(hu, [(6, 20), (8, 32), (8, 32)], mode="edge")
    seen = 0
    for at in np.ndindex(3, 3, 3):
        low = np.array(at) * INNER
        slow = padded[tuple(slice(a, a + w) for a, w in zip(low, WINDOW, strict=True))]
        assert np.array_equal(window_at(hu, at), slow), at
        seen += 1
    assert seen == 27
    assert window_at(np.zeros((1, 2, 3), np.int16), (0, 0, 0)).shape == WINDOW


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.5, 0.7, 0.7), (0.6, 0.8, 0.8)])
def test_finds_the_nodule_whatever_the_spacing(detector, cube, spacing):
    """The real cube brought to another spacing; the place comes back in that grid's voxels."""
    from scipy.ndimage import affine_transform

    hu, middle = cube
    shape = tuple(int((size - 1) / step) + 1 for size, step in zip(hu.shape, spacing, strict=True))
    other = affine_transform(hu, np.array(spacing), output_shape=shape, order=1, mode="nearest")
    found = search_volume(detector, other, spacing, most=5, floor=-10.0, views=2).candidates
    assert 1 <= len(found) <= 5
    away = [np.linalg.norm(np.multiply(one.voxel, spacing) - middle) for one in found]
    assert min(away[:2]) < 2.0
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("step", [0.5, 0.7, 1.0, 2.5, 5.0])
def test_resampling_keeps_ramps_and_places(step):
    size = int(60 / step)
    ramp = (np.arange(size) * step * 10).astype(np.float32)
    image = np.broadcast_to(ramp[:, None, None], (size, 4, 4))
    out = isotropic(image, (step, 1.0, 1.0))
    assert out.shape[0] == int((size - 1) * step) + 1
    assert np.abs(out[3:-3, 0, 0] - 10 * np.arange(out.shape[0])[3:-3]).max() <= 1
    across = isotropic(np.moveaxis(image, 0, 2), (1.0, 1.0, step))
    assert np.array_equal(np.moveaxis(across, 2, 0), out)


def test_resampling_does_not_change_1_mm():
    image = np.random.default_rng(0).integers(-1000, 400, (6, 7, 8)).astype(np.int16)
    assert np.array_equal(isotropic(image, (1.0, 1.0, 1.0)), image)


def test_nothing_is_read_outside_the_mask(detector, cube):
    hu = cube[0].astype(np.int16)
    mask = np.zeros(hu.shape, bool)
    maps = volume_maps(detector, hu, inside=mask)
    assert np.isneginf(maps[0]).all()
    assert tops(detector, maps, hu) == []


def test_the_best_of_each_place_is_kept(detector, cube):
    """Against the slow way: every top made exact, then each that a better one lies near is struck off."""
    hu = cube[0].astype(np.int16)
    maps = volume_maps(detector, hu, inside=np.ones(hu.shape, bool))
    found = tops(detector, maps, hu, most=8, floor=-4.0)
    peaks = np.argwhere((maps[0] == maximum_filter(maps[0], 3)) & (maps[0] > -4.0))
    every = sorted(
        (exact(detector, maps, tuple(at), hu) for at in peaks.tolist()), key=lambda one: -one.logit
    )
    kept = []
    for one in every:
        if all(np.linalg.norm(np.subtract(one.point, better.point)) >= DISTANCE for better in kept):
            kept.append(one)
    assert len(every) > len(kept) > 8
    assert found == kept[:8]


def test_input_that_is_no_ct(detector):
    with pytest.raises(InvalidInputError):
        search_volume(detector, np.zeros((4, 4), np.int16), (1.0, 1.0, 1.0))
    for spacing in ((0.0, 1.0, 1.0), (-1.0, 1.0, 1.0), (float("nan"), 1.0, 1.0)):
        with pytest.raises(InvalidInputError, match="spacing"):
            search_volume(detector, np.zeros((4, 4, 4), np.int16), spacing)
    with pytest.raises(InputTooLargeError):
        search_volume(detector, np.zeros((4, 4, 4), np.int16), (1000.0, 1.0, 1.0))
    with pytest.raises(InvalidInputError, match="mask"):
        search_volume(detector, np.zeros((4, 4, 4), np.int16), (1.0, 1.0, 1.0), mask=np.ones((3, 3, 3), bool))
