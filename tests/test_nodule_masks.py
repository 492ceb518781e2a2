"""The masks that the fully supervised arm of the nodule benchmark is taught by lie where the table of truth says."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from benchmarks._nodule_masks import mask_places


def test_masks_within_windows_meet_the_table(data: Path) -> None:
    folder = data / "imaging" / "luna16-nodule-cubes"
    with (folder / "windows_coordinates_eval_only.csv").open() as file:
        rows = list(csv.DictReader(file))[:40]
    centres, diameters = mask_places(folder, tuple(row["window_id"] for row in rows))
    assert centres.shape == (40, 3)
    told = np.array([[float(row[f"nodule_{axis}"]) for axis in "zyx"] for row in rows])
    assert np.abs(centres - told).max() < 0.02
    drawn = np.array([float(row["diameter_mm"]) for row in rows])
    assert np.corrcoef(diameters, drawn)[0, 1] > 0.8
    assert 0 < np.median(diameters - drawn) < 1.5  # a mask takes in the border
