"""What the imaging pages are made of: pictures, drawings, open studies and their bounds."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.records.test_archive import put
from xinglin.apps.imaging.grey import PRESETS, Window
from xinglin.apps.imaging.marks import Mark
from xinglin.apps.imaging.measured import Algorithm
from xinglin.apps.imaging.search import Found, Searcher
from xinglin.apps.imaging.slide import Candidate
from xinglin.errors import BusyError, InvalidInputError, NotPermittedError, UnknownNameError
from xinglin.ledger import entries, verify
from xinglin.ledger.grants import give_consent, grant
from xinglin.records.archive import create_dataset
from xinglin.records.volumes import Scan
from xinglin.records.volumes import keep as keep_volume
from xinglin.serve.workbench import imaging_study
from xinglin.serve.workbench.imaging_intake import archived, choices
from xinglin.serve.workbench.imaging_phrases import IMAGING
from xinglin.serve.workbench.imaging_planes import (
    AXES,
    PLANES,
    Plane,
    Ruler,
    drawing,
    heat_box,
    heat_picture,
    picture,
    sizes,
    to_picture,
    to_voxel,
    values,
)
from xinglin.serve.workbench.imaging_study import Studies
from xinglin.serve.workbench.png import png
from xinglin.store import Store
from xinglin.types import Point, Record


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


NAMED = Algorithm("painted", "1")


def finding(*places: tuple[float, float], slow: threading.Event | None = None) -> Searcher:
    """A detector that names voxels (x, score) of row 4 and slice 3; a slow one waits for its event between windows."""

    def search(held: Scan, report: Any) -> Found:
        for done in range(200 if slow else 1):
            report(done, 200)
            if slow is not None and slow.wait(0.02):
                break
        heat = Scan(
            np.full((3, 4, 5), 0.5, np.float32), held.affine @ np.diag([2.0, 2, 2, 1]), None, held.frame
        )
        return Found(tuple(Candidate((3, 4, x), 2.0, score) for x, score in places), heat)

    return Searcher(search, NAMED)


def test_a_search_marks_a_ct_in_its_frame_and_is_noted(store: Store) -> None:
    studies = Studies(finding((2, 1.0), (5, 3.0)), store)
    study = studies.open("li", "ct", scan())
    assert not study.detected
    search = studies.search(study.key, "li")
    search.wait(10)
    assert search.state == "done"
    assert [mark.score for mark in study.marks] == [3.0, 1.0]
    assert study.marks[0].point == study.scan.point((5, 4, 3))
    assert study.detected
    assert study.heat is not None
    with store.read() as connection:
        noted = [entry for entry in entries(connection) if entry.action == "imaging.find"]
        assert verify(connection) == len(list(entries(connection)))
    assert [(entry.actor, entry.detail["nodules"], entry.detail["algorithm"]) for entry in noted] == [
        ("li", 2, "painted")
    ]
    assert "1.2" not in str(noted[0].subjects)
    with pytest.raises(UnknownNameError):
        studies.search(study.key, "wang")
    with pytest.raises(InvalidInputError, match="no CT"):
        studies.search(studies.open("li", "mr", scan(modality="MR")).key, "li")
    nobody = Studies()
    alone = nobody.open("li", "ct", scan()).key
    with pytest.raises(InvalidInputError, match="No detector"):
        nobody.search(alone, "li")


def test_a_search_can_be_ended_and_the_next_waits_for_it() -> None:
    held = threading.Event()
    studies = Studies(finding((2, 1.0), slow=held))
    first, second = studies.open("li", "a", scan()), studies.open("li", "b", scan())
    running = studies.search(first.key, "li")
    assert studies.search(first.key, "li") is running  # asked twice, run once
    waiting = studies.search(second.key, "li")
    time.sleep(0.3)
    assert (running.state, waiting.state) == ("running", "waiting")
    running.cancel()
    running.wait(10)
    assert running.state == "cancelled"
    assert not first.detected
    assert first.marks == ()
    held.set()
    waiting.wait(10)
    assert waiting.state == "done"
    again = studies.search(first.key, "li")  # a search that was ended can be asked for again
    again.wait(10)
    assert again.state == "done"
    held.clear()
    closed = studies.search(first.key, "li")
    studies.close(first.key, "li")
    closed.wait(10)
    assert closed.state == "cancelled"
    held.clear()
    last = studies.search(second.key, "li")
    studies.stop()
    assert last.state == "cancelled"


def test_why_a_search_failed_is_kept_without_the_patient() -> None:
    def no_lung(held: Scan, report: Any) -> Found:
        raise InvalidInputError("no lung is seen")

    def broken(held: Scan, report: Any) -> Found:
        raise RuntimeError("Zhang San, born 1950")

    for search, problem in ((no_lung, "no lung is seen"), (broken, "RuntimeError")):
        studies = Studies(Searcher(search, NAMED))
        study = studies.open("li", "ct", scan())
        asked = studies.search(study.key, "li")
        asked.wait(10)
        assert (asked.state, asked.problem, study.detected) == ("failed", problem, False)


def test_findings_and_maps_of_another_frame_are_refused() -> None:
    studies = Studies()
    with pytest.raises(InvalidInputError, match="frame of reference"):
        studies.open("li", "other", scan("9.9"), marks=[Mark(Point(0, 0, 0, "1.2"), 1.0)])
    with pytest.raises(InvalidInputError, match="frame of reference"):
        studies.open("li", "ct", scan(), heat=scan("9.9"))


@pytest.mark.parametrize("plane", PLANES)
def test_a_map_lies_where_its_millimetres_say(plane: Plane) -> None:
    """A map of a coarser grid: its one hot voxel is drawn around the scan's voxel at the same millimetres."""
    image = pytest.importorskip("PIL.Image")
    held = scan()
    grid = np.diag([2.0, 2.0, 2.0, 1.0])
    grid[:3, 3] = 0.5
    warm = np.zeros((3, 4, 5), np.float32)
    warm[1, 2, 3] = 1.0
    heat = Scan(warm, held.affine @ grid, None, held.frame)
    x, y, z = held.to_voxels(heat.to_lps([(3, 2, 1)]))[0]  # the hot voxel's centre in the scan
    index = int((x, y, z)[AXES[plane].through])
    shown = np.asarray(image.open(io.BytesIO(heat_picture(heat, held, plane, index))))[..., 3]
    assert shown.max() == 160
    row, column = np.argwhere(shown == 160)[0]
    left, top, width, height = heat_box(heat, held, plane)
    rows, columns = shown.shape
    across, down = to_picture(held, plane, (float(x), float(y), float(z)))
    assert left + (column + 0.5) / columns * width == pytest.approx(across)
    assert top + (row + 0.5) / rows * height == pytest.approx(down)
    with pytest.raises(InvalidInputError, match="slice"):
        heat_picture(heat, held, plane, 99)


def test_a_record_of_the_archive_is_opened_for_care(store: Store, tmp_path: Path) -> None:
    held = scan()
    volume = keep_volume(held, tmp_path / "volumes")
    with store.write() as connection:
        create_dataset(connection, "chest", by="admin")
    put(store, "chest", Record("ct-1", "p1", volumes=(volume,)), Record("text-1", "p1", "a text"))
    with pytest.raises(NotPermittedError):
        archived(store, "chest", "ct-1", "li")
    with store.write() as connection:
        grant(connection, "chest", grantee="li", purpose="care", by="admin")
        give_consent(connection, "chest", subject=None, purpose="care", basis="treatment", by="admin")
    found = archived(store, "chest", "ct-1", "li")
    assert [choice.name for choice in found] == ["ct-1"]
    opened = found[0].read(None)
    assert np.array_equal(opened.array, held.array)
    assert opened.frame == held.frame
    with pytest.raises(InvalidInputError, match="no volume"):
        archived(store, "chest", "text-1", "li")
    with pytest.raises(UnknownNameError):
        archived(store, "chest", "ct-9", "li")


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
