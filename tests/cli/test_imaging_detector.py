"""The shipped detector as ``xinglin imaging`` loads it: it searches lungs, or says that it sees none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xinglin.cli.imaging_detector import load_detector
from xinglin.cli.serve import _searcher
from xinglin.errors import CheckpointError, InvalidInputError
from xinglin.records.volumes.scan import Scan


def test_a_scan_without_lungs_is_not_searched() -> None:
    detect, algorithm = load_detector(None, most=5, threads=1)
    assert algorithm.name == "xinglin lung-nodules"
    assert not algorithm.calibrated
    body = Scan(np.full((20, 40, 40), 40, np.int16), np.diag([5.0, 5.0, 5.0, 1.0]), "CT", "a")
    with pytest.raises(InvalidInputError, match="No lung with air"):
        detect(body)


def test_only_the_lungs_are_searched() -> None:
    """A synthetic chest: a body with two lungs, a ball in one of them and a like ball in the air outside."""
    z, y, x = np.indices((22, 100, 140))
    hu = np.full(z.shape, -1000, np.int16)
    hu[((y - 50) / 46) ** 2 + ((x - 70) / 64) ** 2 < 1] = 40
    for middle in (42, 98):
        hu[((y - 50) / 32) ** 2 + ((x - middle) / 20) ** 2 < 1] = -860
    for place in ((11, 50, 42), (11, 5, 8)):
        away = [z - place[0], 2 * (y - place[1]), 2 * (x - place[2])]
        hu[np.linalg.norm(away, axis=0) < 4.5] = 40  # millimetres
    detect, _ = load_detector(None, most=5, threads=1)
    spacing = np.diag([2.0, 2.0, 1.0, 1.0])
    found = detect(Scan(hu, spacing, "CT", "a"))
    assert len(found) >= 1
    assert np.abs(np.array(found[0].voxel) - (11, 50, 42)).max() < 2.5
    assert max(abs(one.voxel[1] - 50) for one in found) < 36


def test_the_workbench_says_when_it_has_no_detector(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = _searcher(None)
    assert found is not None
    assert found.algorithm.name == "xinglin lung-nodules"
    with pytest.raises(CheckpointError):  # named, and not there: no silent fallback
        _searcher(tmp_path)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("xinglin.model.shipped.SHIPPED", tmp_path)
    assert _searcher(None) is None
    assert "the workbench finds no nodules" in capsys.readouterr().err
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert _searcher(None) is None
    assert 'pip install "xinglin[imaging]"' in capsys.readouterr().err
