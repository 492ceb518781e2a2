"""What the imaging pages are made of: pictures, drawings, open studies and their bounds."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xinglin.apps.imaging.grey import PRESETS, Window
from xinglin.apps.imaging.marks import Mark
from xinglin.errors import BusyError, InvalidInputError, UnknownNameError
from xinglin.records.volumes import Scan
from xinglin.serve.workbench import imaging_study
from xinglin.serve.workbench.imaging_intake import choices
from xinglin.serve.workbench.imaging_phrases import IMAGING
from xinglin.serve.workbench.imaging_planes import (
    AXES,
    PLANES,
    Plane,
    Ruler,
    drawing,
    picture,
    sizes,
    to_picture,
    to_voxel,
    values,
)
from xinglin.serve.workbench.imaging_study import Studies
from xinglin.serve.workbench.png import png
from xinglin.types import Point


def scan(frame: str = "1.2", shape: tuple[int, int, int] = (6, 8, 10), modality: str = "CT") -> Scan:
    array = np.arange(np.prod(shape)).reshape(shape).astype(np.int16)
    affine = np.diag([0.5, 0.75, 2.0, 1.0])
    affine[:3, 3] = [-10, 20, 300]
    return Scan(array, affine, modality, frame)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 4]), st.integers(0, 2**32 - 1))
def test_png_is_read_back_by_another_library(rows: int, columns: int, depth: int, seed: int) -> None:
    image = pytest.importorskip("PIL.Image")
    shape = (rows, columns) if depth == 1 else (rows, columns, depth)
    made = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    assert np.array_equal(np.asarray(image.open(io.BytesIO(png(made)))), made)


@pytest.mark.parametrize("plane", PLANES)
def test_a_place_in_a_picture_and_its_voxel_are_one(plane: Plane) -> None:
    image = pytest.importorskip("PIL.Image")
    held = scan()
    count = 0
    for x, y, z in np.ndindex(*sizes(held)):
        across, down = to_picture(held, plane, (x, y, z))
        index = (x, y, z)[AXES[plane].through]
        assert values(held.array, plane, index)[int(down), int(across)] == held.array[z, y, x]
        assert to_voxel(held, plane, across, down, (x, y, z)) == (x, y, z)
        count += 1
    assert count == 480
    window = Window(200, 500)
    shown = np.asarray(image.open(io.BytesIO(picture(held, plane, 2, window))))
    assert np.array_equal(shown, window.grey(values(held.array, plane, 2)))
    for index in (-1, 10):
        with pytest.raises(InvalidInputError):
            picture(held, plane, index, window)


def test_the_head_is_up_and_the_right_is_left() -> None:
    held = scan()
    assert to_picture(held, "coronal", (0, 0, 5))[1] < to_picture(held, "coronal", (0, 0, 0))[1]
    assert to_picture(held, "axial", (9, 0, 0))[0] > to_picture(held, "axial", (0, 0, 0))[0]
    assert AXES["axial"].letters[:2] == ("R", "L")


def test_a_slice_takes_less_than_fifteen_milliseconds() -> None:
    """On a noisy 512 x 512 x 300 CT, processor time: the machine of the tests is shared."""
    rng = np.random.default_rng(0)
    array = np.empty((300, 512, 512), np.int16)
    array[:] = rng.normal(-600, 300, (512, 512)).astype(np.int16)
    held = Scan(array, np.diag([0.7, 0.7, 1.0, 1.0]), "CT", "1")
    for plane in PLANES:
        spent = []
        for index in range(20, 40):
            begun = time.process_time()
            picture(held, plane, index, PRESETS["lung"][1])
            spent.append(time.process_time() - begun)
        assert sorted(spent)[10] < 0.015, plane


def test_a_ruler_measures_in_millimetres() -> None:
    assert Ruler("axial", (0, 0, 0), (6, 4, 0)).length(scan()) == pytest.approx(np.hypot(3, 3))
    assert Ruler("sagittal", (0, 0, 0), (0, 4, 2)).length(scan()) == pytest.approx(5)


def test_a_finding_is_drawn_where_the_slice_cuts_it() -> None:
    held = scan()
    mark = Mark(held.point((5, 4, 3)), 1.0, diameter=4.0)
    here = str(drawing(held, "axial", (0, 0, 3), marks=[(mark, "xi-mark")], cross=False))
    assert 'cx="5.50"' in here
    assert 'cy="4.50"' in here
    assert 'rx="8.00"' in here  # a radius of 4 mm in voxels of 0.5 mm
    assert "ellipse" in str(drawing(held, "axial", (0, 0, 4), marks=[(mark, "m")], cross=False))
    assert "ellipse" not in str(drawing(held, "axial", (0, 0, 5), marks=[(mark, "m")], cross=False))
    with pytest.raises(InvalidInputError, match="frame of reference"):
        drawing(held, "axial", (0, 0, 3), marks=[(Mark(Point(0, 0, 0, "other")), "m")])


def test_studies_belong_to_who_brought_them() -> None:
    studies = Studies()
    study = studies.open("li", "one", scan())
    assert studies.get(study.key, "li") is study
    assert not study.detected
    for key, user in ((study.key, "wang"), ("x", "li")):
        with pytest.raises(UnknownNameError):
            studies.get(key, user)
    with pytest.raises(UnknownNameError):
        studies.close(study.key, "wang")
    assert studies.of("wang") == []
    studies.close(study.key, "li")
    assert studies.of("li") == []


def test_studies_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    studies = Studies()
    first = studies.open("li", "0", scan())
    for number in range(1, 5):
        studies.open("li", str(number), scan())
    assert [study.name for study in studies.of("li")] == ["4", "3", "2", "1"]
    with pytest.raises(UnknownNameError):
        studies.get(first.key, "li")
    monkeypatch.setattr(imaging_study, "MAX_BYTES", 4500)
    with pytest.raises(BusyError):
        studies.open("wang", "x", scan())
    monkeypatch.setattr(imaging_study, "LIFETIME", -1.0)
    assert studies.of("li") == []


def test_a_detector_marks_ct_alone_and_in_its_frame() -> None:
    found = [Mark(Point(0, 0, 0, "1.2"), 1.0), Mark(Point(1, 0, 0, "1.2"), 3.0)]
    studies = Studies(lambda _: found)
    study = studies.open("li", "ct", scan())
    assert [mark.score for mark in study.marks] == [3.0, 1.0]
    assert study.detected
    assert not studies.open("li", "mr", scan(modality="MR")).detected
    with pytest.raises(InvalidInputError, match="frame of reference"):
        studies.open("li", "other", scan("9.9"))
    with pytest.raises(InvalidInputError, match="grid"):
        studies.open("li", "ct", scan(), heat=np.zeros((1, 1, 1)))


def test_what_was_sent_is_listed_and_goes(tmp_path: Path) -> None:
    studies = Studies()
    key = studies.begin("li")
    held = studies.upload(key, "li")
    folder = Path(held.folder.name)
    held.placing.place("a/note.txt").write_text("no image")
    held.placing.place("a/b.nii.gz").write_bytes(b"no image either")
    found, problems = choices(held)
    assert [choice.name for choice in found] == ["b.nii.gz"]
    assert len(problems) == 1
    assert "note.txt" in problems[0]
    with pytest.raises(InvalidInputError, match=r"b\.nii\.gz"):
        found[0].read("CT")
    with pytest.raises(UnknownNameError):
        studies.upload(key, "wang")
    studies.end(key, "li")
    assert not folder.exists()


def test_every_sentence_has_both_languages() -> None:
    assert len(IMAGING) > 50
    both: list[Any] = [pair for pair in IMAGING.values() if all(part.strip() for part in pair)]
    assert len(both) == len(IMAGING)
    for key, (zh, en) in IMAGING.items():
        slots = [sorted(part.split("}")[0] for part in text.split("{")[1:]) for text in (zh, en)]
        assert slots[0] == slots[1], key
