"""A scan of one window: found as windows are, with a measured likelihood ratio; never below 1."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.apps.imaging.real_windows import real_windows
from xinglin.apps.imaging.window_scan import find_in_window, is_window, read_ratio
from xinglin.errors import InvalidInputError
from xinglin.model.shipped import shipped_folder
from xinglin.model.vision.images import hounsfield
from xinglin.model.vision.runtime import InstanceMaps
from xinglin.records.volumes.scan import Scan


def scan_of(array: np.ndarray, spacing: float = 1.0) -> Scan:
    return Scan(array, np.diag([spacing, spacing, spacing, 1.0]), "CT", "sha256:test")


@pytest.fixture(scope="module")
def detector() -> InstanceMaps:
    return InstanceMaps.load(shipped_folder("lung-nodules"))


def test_real_windows_with_a_nodule_are_more_telling_than_those_without(
    data: Path, detector: InstanceMaps
) -> None:
    ratio = read_ratio()
    assert ratio.detector == detector.id
    found = {
        label: [
            ratio.of(find_in_window(detector, scan_of(hounsfield(window)), floor=-50.0)[0].score)
            for window in real_windows(data, label, 4)
        ]
        for label in ("0", "1")
    }
    assert np.median(found["1"]) > 10 * np.median(found["0"])
    assert min(found["0"]) == 1.0  # nothing found is no evidence of absence
    assert max(found["1"]) <= ratio.most < ratio.negatives  # no more than so few windows can show


def test_only_a_window_is_one(detector: InstanceMaps) -> None:
    assert is_window(scan_of(np.zeros((20, 32, 32), np.int16)))
    assert is_window(scan_of(np.zeros((8, 13, 13), np.int16), 2.5))
    for shape in ((50, 50, 50), (4, 32, 32), (20, 32, 40)):
        scan = scan_of(np.zeros(shape, np.int16))
        assert not is_window(scan)
        with pytest.raises(InvalidInputError, match="expected a scan of at most"):
            find_in_window(detector, scan)


@pytest.mark.parametrize(
    "change",
    [
        {"slope": -1},
        {"slope": "x"},
        {"most": 0.5},
        {"intercept": float("inf")},
        {"detector": None, "most": None},
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    whole = {"detector": "a", "slope": 1.0, "intercept": 0.0, "most": 40.0, "positives": 9, "negatives": 9}
    path = tmp_path / "ratio.json"
    path.write_text(json.dumps(whole | change))
    with pytest.raises(InvalidInputError, match=r"ratio\.json"):
        read_ratio(path)
