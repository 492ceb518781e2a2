"""Another grid, the same millimetres: against direct interpolation, a linear field, and a real scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from xinglin.apps.imaging.grey import PRESETS, Window, normalised, own_window
from xinglin.apps.imaging.resample import isotropic, upright
from xinglin.errors import InvalidInputError
from xinglin.records.volumes import Scan, read_scan

FIELD = np.array([3.0, -2.0, 5.0])


def linear(affine: np.ndarray, shape: tuple[int, int, int], modality: str = "CT") -> Scan:  # type: ignore[type-arg]
    """Values that are a linear function of the place in millimetres: interpolation gives them back exactly."""
    index = np.indices(shape).reshape(3, -1)[::-1].T
    values = (index @ affine[:3, :3].T + affine[:3, 3]) @ FIELD
    return Scan(values.reshape(shape).astype(np.float32), affine, modality, "1.2")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32 - 1),
    old=st.tuples(*[st.floats(0.4, 4)] * 3),
    new=st.floats(0.4, 1.0),
)
def test_a_linear_field_keeps_its_value_at_its_place(seed: int, old: tuple[float, ...], new: float) -> None:
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = rotation * old, [10, -20, 30]
    scan = linear(affine, (5, 6, 7))
    made = isotropic(scan, new)
    index = np.argwhere(np.ones(made.array.shape))[:, ::-1]
    inner = index
    if new > min(old):  # coarser along an axis: the widened triangle is cut off at the border
        margin = np.ceil(new / np.array(old)).astype(int) + 1
        voxels = scan.to_voxels(made.to_lps(index))
        sizes = np.array(scan.array.shape[::-1])
        inner = index[((voxels >= margin) & (voxels <= sizes - 1 - margin)).all(axis=1)]
    said = made.to_lps(inner) @ FIELD
    assert made.spacing == pytest.approx((new, new, new))
    assert np.abs(made.array[tuple(inner[:, ::-1].T)] - said).max(initial=0) < 2e-2
    assert np.allclose(made.to_lps([[0, 0, 0]]), scan.to_lps([[0, 0, 0]]))


def test_a_real_scan_equals_direct_interpolation(data: Path) -> None:
    scan = read_scan(data / "imaging" / "ct-sample-volumes" / "trunk_3mm_sm.nii.gz", stated="CT")
    made = isotropic(scan, 1.7)
    rng = np.random.default_rng(0)
    index = rng.integers(0, made.array.shape[::-1], (500, 3))
    voxels = scan.to_voxels(made.to_lps(index))[:, ::-1]
    said = map_coordinates(scan.array.astype(float), voxels.T, order=1)
    assert np.abs(made.array[tuple(index[:, ::-1].T)] - said).max() < 1e-2


def test_noise_shrinks_and_does_not_alias_on_a_coarser_grid() -> None:
    array = np.zeros((40, 40, 40), np.int16)
    array[:, :, ::2] = 1000  # the finest stripes that there are
    made = isotropic(Scan(array, np.eye(4), "CT", "1"), 3.0)
    assert np.abs(made.array[2:-2, 2:-2, 2:-2] - 500).max() < 60


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(across=st.floats(-1.5, 1.5), along=st.floats(-1.5, 1.5))
def test_a_tilt_is_undone_without_moving_anything(across: float, along: float) -> None:
    affine = np.diag([0.7, 0.8, 3.0, 1.0])
    affine[0, 2], affine[1, 2], affine[:3, 3] = across, along, [5, 6, 7]
    scan = linear(affine, (6, 12, 14))
    made = upright(scan)
    assert made.orthogonal
    if scan.orthogonal:
        assert made is scan
        return
    assert made.measured is not None
    index = np.argwhere(made.measured)[:, ::-1]
    assert len(index) >= 6 * 11 * 13 - 6
    assert np.abs(made.array[tuple(index[:, ::-1].T)] - made.to_lps(index) @ FIELD).max() < 1e-2
    assert set(made.array[~made.measured].tolist()) <= {-1000.0}
    skew = np.eye(4)
    skew[0, 1] = 0.5
    with pytest.raises(InvalidInputError):
        upright(Scan(scan.array, skew, "CT", "1"))


def test_what_was_not_measured_stays_so() -> None:
    array = np.full((10, 10, 10), -1000, np.int16)
    measured = np.ones(array.shape, bool)
    measured[:, :, :4] = False
    array[measured] = 40
    made = isotropic(Scan(array, np.diag([1.0, 1, 1, 1]), "CT", "1", measured=measured), 0.5)
    assert made.measured is not None
    assert not made.measured[:, :, :7].any()
    assert made.measured[:, :, 8:].all()


@pytest.mark.parametrize("spacing", [0, -1, 0.05, 21, float("nan")])
def test_a_senseless_spacing_is_refused(spacing: float) -> None:
    with pytest.raises(InvalidInputError):
        isotropic(linear(np.eye(4), (3, 3, 3)), spacing)


def test_windows_follow_the_standard() -> None:
    window = Window(40, 400)
    values = np.array([[-3000, -160, 39.5, 40, 239, 4000]])
    expected = [
        0 if x <= 39.5 - 199.5 else 255 if x > 39.5 + 199.5 else ((x - 39.5) / 399 + 0.5) * 255
        for x in values[0]
    ]
    assert np.abs(window.grey(values)[0].astype(float) - expected).max() <= 1
    assert {name for name, _ in PRESETS.items()} >= {"lung", "mediastinum", "bone"}
    with pytest.raises(InvalidInputError):
        Window(0, 0)


def test_mr_is_normalised_by_its_own_values(data: Path) -> None:
    scan = read_scan(data / "imaging" / "ct-sample-volumes" / "mr_3mm_sm.nii.gz", stated="MR")
    window = own_window(scan)
    assert scan.array.min() <= window.centre <= scan.array.max()
    found = normalised(scan)
    assert (found.min(), found.max()) == (0, 1)
    scaled = Scan((scan.array.astype(np.float32) * 7), scan.affine, "MR", scan.frame)
    assert np.abs(normalised(scaled) - found).max() < 0.02
    flat = Scan(np.zeros((3, 3, 3), np.int16), np.eye(4), "MR", "1")
    assert own_window(flat) == Window(0, 2)
