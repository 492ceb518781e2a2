"""Scores of predictions written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from xinglin.apps.imaging.evaluate import evaluate_windows
from xinglin.errors import InvalidInputError, MissingDataError

PREDICTIONS = """window_id,probability,z,y,x,world_x,world_y,world_z,diameter_mm
a,0.9,10,10,10,0,0,0,6
b,0.8,5,5,9,0,0,0,9
c,0.4,1,1,1,0,0,0,4
d,0.85,2,2,2,0,0,0,4
z,0.5,2,2,2,0,0,0,4
"""
TRUTH = """window_id,label,nodule_z,nodule_y,nodule_x,diameter_mm,source
a,1,10,10,12,5,x
b,1,5,5,5,9,x
c,0,,,,,
d,0,,,,,
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "p.csv").write_text(PREDICTIONS)
    (tmp_path / "t.csv").write_text(TRUTH)
    return tmp_path


def test_figures_by_hand(files):
    found = evaluate_windows(files / "p.csv", [files / "t.csv"])
    # Pairs: a above c and d, b above c only: 3 of 4. a is 2 mm off (radius 2.5), b 4 mm off (radius 4.5): both hit.
    assert found.figures["auroc"].value == 0.75
    assert found.figures["hit_rate"].value == 1.0
    assert found.figures["hit_rate_luna16"].value == 1.0
    assert found.figures["median_mm"].value == 3.0
    assert found.figures["diameter_mae_mm"].value == 0.5
    assert (found.windows, found.positives, found.ignored) == (4, 2, 1)


def test_diameters_are_held_against_masks_where_the_truth_counts_their_voxels(files):
    rows = [line + (",mask_diameter_mm" if at == 0 else ",6") for at, line in enumerate(PREDICTIONS.split())]
    (files / "p.csv").write_text("\n".join(rows) + "\n")
    masks = f"window_id,mask_voxels\na,{np.pi / 6 * 5**3}\nb,{np.pi / 6 * 9**3}\n"
    (files / "m.csv").write_text(masks)
    found = evaluate_windows(files / "p.csv", [files / "t.csv", files / "m.csv"]).figures
    assert found["mask_diameter_mae_mm"].value == pytest.approx((1 + 3) / 2)
    assert found["diameter_mae_mm"].value == 0.5


def test_truth_may_come_in_parts_and_be_split(files):
    (files / "l.csv").write_text("window_id,split,label\na,valid,1\nb,train,1\nc,valid,0\nd,train,0\n")
    (files / "c.csv").write_text(
        "window_id,split,nodule_z,nodule_y,nodule_x,diameter_mm\na,valid,10,10,12,5\n"
    )
    found = evaluate_windows(files / "p.csv", [files / "l.csv", files / "c.csv"], split="valid")
    assert (found.windows, found.positives) == (2, 1)
    assert found.figures["auroc"].value == 1.0
    with pytest.raises(InvalidInputError, match="split"):
        evaluate_windows(files / "p.csv", [files / "l.csv"], split="test")


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("p.csv", "a,0.9", "q,0.9", "have no prediction"),
        ("p.csv", "a,0.9", "a,nan", "finite"),
        ("p.csv", "a,0.9,10", "a,0.9,", "finite"),
        ("p.csv", "probability", "score", "missing probability"),
        ("p.csv", "b,0.8", "a,0.8", "none twice"),
        ("t.csv", "a,1", "a,2", "label"),
        ("t.csv", "12,5,x", "12,,x", "diameter"),
        ("t.csv", "label", "truth", "column label"),
    ],
)
def test_what_cannot_be_scored_is_refused(files, name, old, new, said):
    path = files / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InvalidInputError, match=said):
        evaluate_windows(files / "p.csv", [files / "t.csv"])


def test_absent_files_are_named(files):
    with pytest.raises(MissingDataError, match="nothing"):
        evaluate_windows(files / "nothing.csv", [files / "t.csv"])
