"""Training sees labels and voxels, and nothing that says where."""

from __future__ import annotations

import csv
import lzma
import shutil

import numpy as np
import pytest

from xinglin.errors import InvalidInputError, MissingDataError
from xinglin.train.nodules.augment import thick_slices, turned, turned_point
from xinglin.train.nodules.windows import read_windows


@pytest.fixture
def folder(tmp_path):
    """Two shards of random cubes and the columns that training may see; no mask, no coordinate."""
    generator = np.random.default_rng(0)
    cubes = generator.integers(0, 88, (4, 50, 50, 50)).astype(np.uint8)
    for shard in range(2):
        with lzma.open(tmp_path / f"cubes_{shard:02d}.npy.xz", "wb", preset=0) as file:
            np.save(file, cubes[2 * shard : 2 * shard + 2])
    with (tmp_path / "nodules.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("cube_id", "shard", "row"), *((f"c{i}", i // 2, i % 2) for i in range(4))]
        )
    rows = [
        (f"w{i}", "train" if i < 4 else "valid", i % 2, f"c{i % 4}", f"s{i}", i, 2 * i, 18) for i in range(6)
    ]
    head = ("window_id", "split", "label", "cube_id", "seriesuid", "z0", "y0", "x0")
    with (tmp_path / "windows_train_labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    return tmp_path, cubes


def test_windows_are_where_the_table_says(folder):
    path, cubes = folder
    windows = read_windows(path)
    assert windows.images.shape == (6, 20, 32, 32)
    for i in range(6):
        assert np.array_equal(windows.images[i], cubes[i % 4, i : i + 20, 2 * i : 2 * i + 32, 18:50])
    assert windows.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert windows.valid.tolist() == [False] * 4 + [True] * 2
    assert windows.where(windows.valid).ids == ("w4", "w5")


def test_ready_windows_need_neither_cubes_nor_their_table(folder):
    path, _ = folder
    before = read_windows(path)
    with lzma.open(path / "windows.npy.xz", "wb") as file:
        np.save(file, before.images)
    for name in ("cubes_00.npy.xz", "cubes_01.npy.xz", "nodules.csv"):
        (path / name).unlink()
    assert read_windows(path).digest == before.digest


def test_the_digest_is_of_labels_too(folder):
    path, _ = folder
    before = read_windows(path).digest
    table = path / "windows_train_labels.csv"
    table.write_text(table.read_text().replace("w0,train,0", "w0,train,1"))
    assert read_windows(path).digest != before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("w0,train,0", "w0,train,2", "row 2"),
        ("w0,train,0", "w0,hidden,0", "row 2"),
        (",c0,", ",c9,", "not in nodules.csv"),
        ("s0,0,0,18", "s0,31,0,18", "z0"),
        ("s0,0,0,18", "s0,-1,0,18", "z0"),
        ("label", "truth", "missing label"),
    ],
)
def test_tables_that_do_not_fit(folder, old, new, said):
    path, _ = folder
    table = path / "windows_train_labels.csv"
    text = table.read_text()
    assert old in text
    table.write_text(text.replace(old, new, 1))
    with pytest.raises(InvalidInputError, match=said):
        read_windows(path)


def test_absent_parts_are_named(folder):
    path, _ = folder
    (path / "cubes_01.npy.xz").unlink()
    with pytest.raises(MissingDataError, match="cubes_01"):
        read_windows(path)


def test_real_windows_without_masks_and_coordinates(data, tmp_path):
    """The real folder, without masks and coordinates and with three columns of nodules.csv."""
    source = data / "imaging" / "luna16-nodule-cubes"
    shutil.copy(source / "windows_train_labels.csv", tmp_path)
    with (source / "nodules.csv").open() as file, (tmp_path / "nodules.csv").open("w", newline="") as out:
        csv.writer(out).writerows([(r["cube_id"], r["shard"], r["row"]) for r in csv.DictReader(file)])
    table = (tmp_path / "nodules.csv").read_text()
    (tmp_path / "nodules.csv").write_text("cube_id,shard,row\n" + table)
    shards = sorted(source.glob("cubes_*.npy.xz"))
    assert len(shards) == 11
    for shard in shards:
        (tmp_path / shard.name).symlink_to(shard)
    windows = read_windows(tmp_path)
    assert windows.images.shape == (1702, 20, 32, 32)
    assert int(windows.labels.sum()) == 696
    assert not set(windows.where(windows.valid).scans) & set(windows.where(~windows.valid).scans)


def test_points_turn_with_their_image():
    generator = np.random.default_rng(3)
    seen = 0
    for flips in np.ndindex(2, 2, 2):
        for swap in (False, True):
            point = np.array([generator.integers(0, 6), generator.integers(0, 8), generator.integers(0, 8)])
            image = np.zeros((6, 8, 8), np.float32)
            image[tuple(point)] = 1
            there = turned_point(point.astype(float), image.shape, np.array(flips, bool), swap)
            assert turned(image, np.array(flips, bool), swap)[tuple(there.astype(int))] == 1
            seen += 1
    assert seen == 16


@pytest.mark.parametrize("thickness", [2.0, 2.5, 5.0])
def test_thick_slices_average_and_keep_what_is_flat(thickness):
    matrix = thick_slices(20, thickness, 0.5)
    assert matrix.sum(1) == pytest.approx(np.ones(20), abs=1e-5)
    noise = np.random.default_rng(0).standard_normal(20)
    assert np.var(matrix @ noise) < np.var(noise)
    # A ramp stays a ramp but at the ends: slices stay where they are.
    assert (matrix @ np.arange(20.0))[3:17] == pytest.approx(np.arange(3.0, 17.0), abs=1e-4)
