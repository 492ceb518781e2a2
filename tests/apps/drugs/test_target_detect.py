"""Detected pockets: a hollow that was made, known sites of real structures, and none in a solid or a chain."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from xinglin.apps.drugs.target.detect import LEAST_VOLUME, find_pockets
from xinglin.apps.drugs.target.prepare import prepare_target
from xinglin.apps.drugs.target.read import read_structure
from xinglin.errors import InvalidInputError


def solid(hollow: tuple[float, float, float] | None, radius: float = 6.0) -> np.ndarray:
    """Atoms 2 Å apart in a ball of 18 Å, with a hollow that is open to one side."""
    axis = np.arange(-18.0, 19.0, 2.0)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    points = points[np.linalg.norm(points, axis=1) <= 18]
    if hollow is not None:
        centre = np.array(hollow)
        inside = np.linalg.norm(points - centre, axis=1) < radius
        mouth = (np.linalg.norm((points - centre)[:, :2], axis=1) < 4) & (points[:, 2] > centre[2])
        points = points[~inside & ~mouth]
    return points


def test_a_hollow_is_found_where_it_was_made_wherever_the_body_lies() -> None:
    for shift in (np.zeros(3), np.array([103.3, -47.7, 0.41])):
        pockets = find_pockets(solid((2.0, -3.0, 4.0)) + shift)
        assert pockets
        assert np.linalg.norm(np.array(pockets[0].center) - shift - (2, -3, 4)) < 3.0
        assert pockets[0].volume >= LEAST_VOLUME


def test_a_solid_and_a_thread_have_no_pocket() -> None:
    assert find_pockets(solid(None)) == []
    assert find_pockets(np.stack([np.arange(0, 60, 1.5), np.zeros(40), np.zeros(40)], 1)) == []


def test_known_sites_lie_in_the_first_box(data: Path) -> None:
    folder = data / "molecules" / "docking-mood-5targets"
    boxes = json.loads((folder / "boxes.json").read_text())
    found = {}
    for name in ("parp1", "fa7"):
        structure = read_structure(folder / f"{name}.pdbqt.gz").structure
        atoms = np.array([a.atom.pos.tolist() for a in structure[0].all() if not a.atom.is_hydrogen()])
        pockets = find_pockets(atoms)
        found[name] = bool(pockets[0].box(1, len(pockets)).holds(np.array([boxes[name]["center"]]))[0])
    assert found == {"parp1": True, "fa7": True}


def test_detection_says_that_it_may_be_wrong_and_refuses_where_there_is_nothing(
    data: Path, tmp_path: Path
) -> None:
    packed = data / "molecules" / "docking-mood-5targets" / "fa7.pdbqt.gz"
    target = prepare_target(packed, detect=True)
    assert "detected" in {remark.kind for remark in target.remarks}
    assert target.box.origin == f"detected 1 of {len(target.about['pockets'])}"
    line = "ATOM  {:5d}  CA  ALA A{:4d}    {:8.3f}   0.000   0.000  1.00  0.00     0.100 C \n"
    (tmp_path / "thread.pdbqt").write_text("".join(line.format(i, i, 3.8 * i) for i in range(1, 60)))
    with pytest.raises(InvalidInputError, match="no pocket"):
        prepare_target(tmp_path / "thread.pdbqt", detect=True)
    with pytest.raises(InvalidInputError, match="too large"):
        find_pockets(np.array([[0.0, 0, 0], [3000, 3000, 3000]]))
