"""Real windows of one shard: what a test needs of luna16-nodule-cubes without reading all of it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xinglin.model.vision.images import WINDOW, read_array


def real_windows(data: Path, label: str, count: int, *, split: str = "valid") -> NDArray[np.uint8]:
    """Return the first ``count`` windows with a label that lie in shard 10, the smallest."""
    folder = data / "imaging" / "luna16-nodule-cubes"
    with (folder / "nodules.csv").open() as file:
        rows = {row["cube_id"]: int(row["row"]) for row in csv.DictReader(file) if row["shard"] == "10"}
    cubes = read_array(folder / "cubes_10.npy.xz", limit=200 * 50**3)
    found = []
    with (folder / "windows_train_labels.csv").open() as file:
        for row in csv.DictReader(file):
            if row["cube_id"] in rows and (row["label"], row["split"]) == (label, split):
                z, y, x = (int(row[key]) for key in ("z0", "y0", "x0"))
                box = tuple(slice(a, a + n) for a, n in zip((z, y, x), WINDOW, strict=True))
                found.append(cubes[rows[row["cube_id"]]][box])
    if len(found) < count:
        raise LookupError(f"expected {count} windows labelled {label} in shard 10, got {len(found)}")
    return np.stack(found[:count])
