"""The lung mask on what real CTs are at hand, and on a chest built to know the answer."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from xinglin.apps.imaging.lungs import LungMask, lung_mask
from xinglin.errors import InvalidInputError
from xinglin.records.volumes import Scan, read_scan


def chest() -> tuple[Scan, dict[str, np.ndarray]]:  # type: ignore[type-arg]
    """A body in air on a table, two lungs, a trachea, stomach gas, a nodule at the pleura and one within; 1.5 mm."""
    z, y, x = (axis * 1.5 for axis in np.indices((100, 140, 200)))
    rng = np.random.default_rng(0)
    values = np.full(z.shape, -1000.0)
    values[((x - 150) / 135) ** 2 + ((y - 95) / 85) ** 2 < 1] = 40
    values[(y > 192) & (y < 197)] = -200  # the table, with air between
    sides = {name: ((x - at) / 45) ** 2 + ((y - 95) / 60) ** 2 + ((z - 75) / 65) ** 2 < 1
             for name, at in (("right", 90), ("left", 210))}  # fmt: skip
    for side in sides.values():
        values[side] = -850
    trachea = ((x - 150) ** 2 + (y - 90) ** 2 < 8**2) & (z > 70)
    values[trachea] = -1000
    gas = ((x - 190) / 15) ** 2 + ((y - 50) / 12) ** 2 + ((z - 12) / 10) ** 2 < 1
    values[gas & ~sides["left"]] = -1000
    border = (x - 46) ** 2 + (y - 95) ** 2 + (z - 75) ** 2 < 7**2
    inner = (x - 215) ** 2 + (y - 95) ** 2 + (z - 75) ** 2 < 9**2
    values[border | inner] = 50
    values += rng.normal(0, 15, values.shape)
    scan = Scan(values.astype(np.int16), np.diag([1.5, 1.5, 1.5, 1.0]), "CT", "1.2")
    return scan, {
        **sides,
        "trachea": trachea,
        "gas": gas & ~sides["left"],
        "border": border & sides["right"],
        "inner": inner,
    }


def test_a_chest_built_to_know_the_answer() -> None:
    scan, parts = chest()
    mask = lung_mask(scan)
    found = np.stack(list(mask.on(scan)))
    assert found.shape == scan.array.shape
    truth = parts["right"] | parts["left"]
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.95
    assert found[parts["border"]].mean() > 0.65
    assert mask.inside(np.array([[47.0, 95, 75], [50, 95, 75]])).all()
    assert found[parts["inner"]].mean() > 0.99
    assert found[parts["trachea"]].mean() < 0.02
    assert found[parts["gas"]].mean() < 0.02
    assert not found[:, 128:].any()
    assert mask.litres == pytest.approx(truth.sum() * 1.5**3 / 1e6, rel=0.06)


def test_without_closing_the_nodule_at_the_pleura_is_lost() -> None:
    scan, parts = chest()
    found = np.stack(list(lung_mask(scan, closing=0).on(scan)))
    assert found[parts["border"]].mean() < 0.3


def test_real_chests(data: Path, tmp_path: Path) -> None:
    """Not Dice against a radiologist (none is at hand): volumes that can be, and Dice against a machine's lobes."""
    folder = data / "imaging" / "ct-sample-volumes"
    whole = lung_mask(read_scan(folder / "cip_ct-64.nrrd", stated="CT"))
    assert 3.5 < whole.litres < 6.5
    half = len(whole.array[0, 0]) // 2
    left, right = whole.array[:, :, half:].mean(), whole.array[:, :, :half].mean()
    assert 0.7 < left / right < 1.4
    scan = read_scan(folder / "trunk_3mm_sm.nii.gz", stated="CT")
    lobes = read_scan(folder / "trunk_3mm_sm_seg.nii.gz").array
    truth = (lobes >= 10) & (lobes <= 14)
    assert truth.sum() > 3000
    found = np.stack(list(lung_mask(scan).on(scan)))
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.75
    with zipfile.ZipFile(data / "imaging" / "dicom-samples" / "lungmask_2_chest_slices.zip") as opened:
        opened.extractall(tmp_path)
    scan = read_scan(tmp_path, stated="CT")
    found = np.stack(list(lung_mask(scan).on(scan)))
    share = scan.array[found]
    assert found.mean() > 0.08
    assert np.median(share) < -500


def test_slice_by_slice_is_the_same_as_place_by_place() -> None:
    rng = np.random.default_rng(0)
    grid = np.array([[2, 0.1, 0, -20.3], [-0.1, 2, 0.2, -30.7], [0, -0.2, 2.1, 5.1], [0, 0, 0, 1]])
    mask = LungMask(rng.random((20, 24, 28)) < 0.5, grid, "1")
    turned = np.array(
        [[0.7, 0.2, 0.1, -25.11], [-0.3, 0.81, 0.2, -28.3], [0.1, -0.2, 1.3, 1.7], [0, 0, 0, 1]]
    )
    scan = Scan(np.zeros((30, 70, 80), np.int16), turned, "CT", "1")
    found = np.stack(list(mask.on(scan)))
    z, y, x = np.indices(scan.array.shape).reshape(3, -1)
    asked = mask.inside(scan.to_lps(np.column_stack([x, y, z]))).reshape(found.shape)
    assert 0.1 < asked.mean() < 0.4  # the scan reaches beyond the mask
    assert np.array_equal(found, asked)


def test_what_is_no_chest() -> None:
    flat = Scan(np.full((20, 30, 30), 40, np.int16), np.diag([2.0, 2, 2, 1]), "CT", "1")
    mask = lung_mask(flat)
    assert mask.litres == 0
    air = Scan(np.full((20, 30, 30), -1000, np.int16), np.diag([2.0, 2, 2, 1]), "CT", "1")
    assert lung_mask(air).litres == 0
    with pytest.raises(InvalidInputError, match="CT"):
        lung_mask(Scan(flat.array, flat.affine, "MR", "1"))
    with pytest.raises(InvalidInputError, match="frame of reference"):
        next(mask.on(Scan(flat.array, flat.affine, "CT", "2")))
    assert not mask.inside(np.array([[1e6, 0, 0]])).any()
