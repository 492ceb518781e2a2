"""A folder like luna16-nodule-cubes with a few cubes of our own making: balls in noise, dense ones rated calcified."""

from __future__ import annotations

import csv
import lzma
from pathlib import Path

import numpy as np

RATED = ("calcification", "lobulation", "malignancy", "margin", "spiculation", "texture")


def write_cubes(folder: Path, count: int = 12, seed: int = 0) -> Path:
    """Write cubes 0..count-1 (the last quarter valid) with a ball of 10 mm each; every other one is dense."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    cubes = generator.integers(8, 20, (count, 50, 50, 50)).astype(np.uint8)
    ball = np.linalg.norm(np.indices((50, 50, 50)) - 24.5, axis=0) <= 5
    rows, windows = [], []
    for index in range(count):
        dense = index % 2 == 0
        cubes[index][ball] = 85 if dense else 64
        split = "valid" if index >= count - count // 4 else "train"
        scan = f"1.2.{index + 1}"
        row = {
            "cube_id": f"c{index}",
            "split": split,
            "shard": 0,
            "row": index,
            "seriesuid": scan,
            "dir_xy": 1,
        }
        row |= {f"origin_{axis}": 0.0 for axis in "xyz"} | {f"ann_{axis}": 24.5 for axis in "xyz"}
        row |= {"ann_diameter_mm": 10.0}
        row |= {f"lidc_{name}": 1.0 for name in RATED}
        row |= {"lidc_calcification": 3.0 if dense else 6.0, "lidc_texture": 5.0, "lidc_margin": 5.0}
        rows.append(row)
        windows.append(
            {"window_id": f"w{index}", "split": split, "label": 0, "cube_id": f"c{index}", "seriesuid": scan}
            | {"z0": 30, "y0": 0, "x0": 0}
        )
    with lzma.open(folder / "cubes_00.npy.xz", "wb", preset=0) as file:
        np.save(file, cubes)
    for name, table in (("nodules.csv", rows), ("windows_train_labels.csv", windows)):
        with (folder / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, list(table[0]))
            writer.writeheader()
            writer.writerows(table)
    return folder
