"""The imaging page in a real browser: a study sent, looked through, measured, decided on, and compared with a prior."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np
import pytest
from scipy import ndimage

from tests.apps.imaging.test_lungs import chest
from tests.records.test_archive import put
from tests.serve.conftest import running
from tests.serve.test_workbench import browser, place, pytestmark, shoot  # noqa: F401  (fixtures)
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.imaging import lung_mask
from xinglin.apps.imaging.marks import decisions
from xinglin.apps.imaging.measured import Algorithm
from xinglin.apps.imaging.search import Found, Searcher
from xinglin.apps.imaging.slide import Candidate
from xinglin.ledger import entries, verify
from xinglin.ledger.grants import give_consent, grant
from xinglin.records.archive import create_dataset
from xinglin.records.volumes import Scan, keep, read_scan
from xinglin.serve.app import create_app
from xinglin.store import Store, open_store
from xinglin.types import Record

nibabel = pytest.importorskip("nibabel")
INNER = (215.0, 95.0, 75.0)
"""Where ``chest`` has its larger nodule, LPS millimetres."""
GOES_ON = threading.Event()
GOES_ON.set()


@pytest.fixture
def held() -> Iterator[None]:
    """Searches stop half way until ``GOES_ON`` is set."""
    GOES_ON.clear()
    yield
    GOES_ON.set()


def blobs(scan: Scan, report: Any) -> Found:
    """Round dense blobs inside the lungs of the chest that the tests build: a detector of the plainest kind, and slow.

    It stops half way while ``GOES_ON`` is not set.
    """
    inside = np.stack(list(lung_mask(scan).on(scan)))
    labels, _ = ndimage.label((scan.array > -300) & inside)
    for done in range(40):
        report(done, 40)
        time.sleep(0.03)
        while done == 20 and not GOES_ON.is_set():
            report(done, 40)  # raises when the search is stopped
            time.sleep(0.03)
    found = []
    for at, box in enumerate(ndimage.find_objects(labels), 1):
        part = labels[box] == at
        volume = part.sum() * abs(np.linalg.det(scan.affine[:3, :3]))
        if volume > 300 and part.mean() > 0.3:
            z, y, x = np.add(ndimage.center_of_mass(part), [side.start for side in box])
            diameter = 2 * (3 * volume / (4 * np.pi)) ** (1 / 3)
            found.append(Candidate((z, y, x), float(diameter), float(np.log(volume))))
    grid = np.diag([2.0, 2.0, 2.0, 1.0])
    heat = np.where(scan.array[::2, ::2, ::2] > -300, 0.7, 0.0).astype(np.float32)
    return Found(tuple(found), Scan(heat, scan.affine @ grid, None, scan.frame))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("studies")
    scan, _ = chest()
    affine = np.diag([-1.0, -1, 1, 1]) @ scan.affine
    nibabel.save(nibabel.Nifti1Image(scan.array.transpose(2, 1, 0), affine), folder / "now.nii.gz")
    moved = affine.copy()
    moved[:3, 3] += [-12, 0, 9]  # the patient lay elsewhere: 12 mm further left, 9 mm further up
    older = scan.array.copy()
    older[0, 0, 0] = -999
    nibabel.save(nibabel.Nifti1Image(older.transpose(2, 1, 0), moved), folder / "old.nii.gz")
    (folder / "bad.zip").write_bytes(b"PK\x03\x04 no archive")
    return {path.name.split(".")[0]: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def room(
    differential: Differential, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Store, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("reading")
        patch.setenv("XINGLIN_HOME", str(home))
        store = open_store(f"sqlite:///{home / 'x.db'}")
        app = create_app(differential, store, searcher=Searcher(blobs, Algorithm("blobs", "1")))
        desk = next(item.kwargs["desk"] for item in app.user_middleware if "desk" in item.kwargs)
        with running(app) as address:
            yield address, store, desk
        store.close()


@pytest.fixture
def enter(browser: Any, room: Any) -> Iterator[Callable[..., Any]]:  # noqa: F811
    contexts: list[Any] = []
    broken: list[str] = []

    def open_page(path: str, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": 1366, "height": 768}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.on("response", lambda answer: broken.append(answer.url) if answer.status >= 500 else None)
        page.goto(room[0] + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert broken == []


def choose_ct(page: Any) -> None:
    page.click("[data-key=stated]")
    page.click(".q-menu .q-item:has-text('CT')")


def send(page: Any, path: Path) -> None:
    page.wait_for_selector("[data-key=files]", state="attached")
    page.wait_for_function("!!window.xinglinSend")
    choose_ct(page)
    page.set_input_files("[data-key=files]", str(path))


def slice_(page: Any, plane: str) -> int:
    return int(page.inner_text(f"[data-plane={plane}] .xi-bottom-left b").split("/")[0])


def millimetres(page: Any) -> list[float]:
    return [float(word) for word in re.findall(r"-?\d+\.\d", page.inner_text(".xi-place b >> nth=0"))]


def at_slice(page: Any, plane: str, number: int) -> None:
    page.wait_for_function(
        "([plane, at]) => document.querySelector(`[data-plane=${plane}] .xi-bottom-left b`).textContent.startsWith(at)",
        arg=[plane, f"{number} /"],
    )


def shown(page: Any, plane: str, part: str) -> None:
    """Wait until the picture itself is there: loaded, and of this address."""
    page.wait_for_function(
        "([plane, part]) => { const image = document.querySelector(`[data-plane=${plane}] img`);"
        " return image.complete && image.naturalWidth > 0 && image.currentSrc.includes(part); }",
        arg=[plane, part],
    )


def test_a_study_is_sent_looked_through_and_decided_on(
    enter: Any,
    room: Any,
    files: dict[str, Path],
    held: None,
    shoot: Any,  # noqa: F811
) -> None:
    address, store, desk = room
    page = enter("/imaging")
    shoot(page, "imaging-open")
    send(page, files["now"])
    page.wait_for_url("**/imaging?study=*")
    page.wait_for_selector("[data-plane=sagittal] img")
    assert "未经注册" in page.inner_text(".xl-foot")

    # Nothing is found before it is asked for. A search can be stopped, and the page turns slices while one runs.
    assert page.locator(".xi-finding").count() == 0
    assert "尚未检测" in page.inner_text(".xi-tools")
    assert page.locator("[data-key=heat]").is_disabled()
    page.click("[data-key=find]")
    page.click("[data-key=find-cancel]")
    page.wait_for_selector("[data-key=find]")
    assert page.locator(".xi-finding").count() == 0
    page.click("[data-key=find]")
    page.wait_for_selector("[data-key=find-cancel]")
    page.wait_for_function("/\\d+ \\/ 40/.test(document.querySelector('.xi-search').textContent)")
    page.reload()
    page.wait_for_selector("[data-key=find-progress]")  # the search goes on, and the page finds it again
    page.wait_for_function("window.xinglinImaging")  # wheel and keys
    begun = slice_(page, "axial")
    page.hover("[data-plane=axial]")
    page.mouse.wheel(0, 100)
    at_slice(page, "axial", begun - 1)
    assert page.locator("[data-key=find-cancel]").is_visible()
    GOES_ON.set()

    # The list leads the cross to the nodule, in millimetres.
    page.wait_for_selector(".xi-finding")
    assert page.locator(".xi-finding").count() == 2
    page.click("[data-key=finding-1]")
    page.wait_for_selector(".xi-finding-now")
    page.wait_for_function("document.querySelector('.xi-place').textContent.includes('21')")
    assert np.abs(np.subtract(millimetres(page), INNER)).max() < 2
    assert page.locator("[data-plane=axial] ellipse.xi-mark-now").count() == 1
    shown(page, "axial", f"/axial/{slice_(page, 'axial') - 1}.png")
    # Drawing and picture cover each other to the pixel, and the circle lies where the voxel is.
    svg, image = (page.locator(f"[data-plane=axial] {part}").first.bounding_box() for part in ("svg", "img"))
    assert all(abs(svg[side] - image[side]) < 1 for side in ("x", "y", "width", "height")), (svg, image)
    ring = page.locator("[data-plane=axial] ellipse.xi-mark-now").bounding_box()
    centre = ring["x"] + ring["width"] / 2, ring["y"] + ring["height"] / 2
    said = [(at / 1.5 + 0.5) / count for at, count in zip(INNER, (200, 140), strict=False)]
    assert abs(image["x"] + said[0] * image["width"] - centre[0]) < 2
    assert abs(image["y"] + said[1] * image["height"] - centre[1]) < 2

    # The wheel: a slice a notch, and it is on the screen at once.
    box = page.locator("[data-plane=axial]").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    begun, delays = slice_(page, "axial"), []
    for turned in range(1, 7):
        clock = time.perf_counter()
        page.mouse.wheel(0, 100)
        at_slice(page, "axial", begun - turned)
        shown(page, "axial", f"/axial/{begun - turned - 1}.png")
        delays.append(time.perf_counter() - clock)
    print(f"\nwheel to picture, median of {len(delays)}: {median(delays) * 1000:.0f} ms")
    assert median(delays) < 1.0
    page.mouse.wheel(0, -600)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")

    # A window by key, a measure by two clicks.
    page.keyboard.press("2")
    shown(page, "coronal", "c=40&w=400")
    page.keyboard.press("m")
    page.wait_for_selector("[data-key=measure].xi-on")
    image = page.locator("[data-plane=axial] img").bounding_box()
    for across in (0.25, 0.75):
        page.mouse.click(image["x"] + across * image["width"], image["y"] + image["height"] / 2)
        page.wait_for_timeout(150)
    page.wait_for_function("/\\d mm/.test(document.querySelector('[data-key=measured]').textContent)")
    told = float(page.inner_text("[data-key=measured]").split(" mm")[0])
    assert told == pytest.approx(150, abs=1.5)  # half of 200 voxels of 1.5 mm
    assert page.locator("[data-plane=axial] line.xi-ruler").count() == 1
    page.keyboard.press("m")
    page.keyboard.press("1")

    # A click moves the cross, the other planes follow.
    coronal = page.locator("[data-plane=coronal] img").bounding_box()
    page.mouse.click(coronal["x"] + coronal["width"] / 2, coronal["y"] + coronal["height"] / 4)
    at_slice(page, "axial", 75)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    page.wait_for_function(
        "document.querySelector('[data-plane=coronal] .xi-picture').style.transform.includes('1.25')"
    )
    assert page.locator("[data-plane=axial] svg image").count() == 0  # off until asked for
    page.click("[data-key=heat]")
    page.wait_for_selector("[data-plane=axial] svg image", state="attached")
    page.click("[data-key=heat]")

    # Accept and reject are kept, and there again after a reload.
    page.click("[data-key=finding-1]")
    page.keyboard.press("a")
    page.wait_for_selector(".xi-finding .xl-badge-good")
    page.click("[data-key=finding-2]")
    page.keyboard.press("r")
    page.wait_for_function("document.querySelectorAll('.xi-finding .xl-badge').length == 2")
    page.click("[data-key=add_mark]")  # on the finding that was rejected: it is taken up, not doubled
    page.wait_for_function("document.querySelectorAll('.xi-finding .xl-badge-good').length == 2")
    assert page.locator(".xi-finding").count() == 2
    page.keyboard.press("r")
    page.wait_for_function("document.querySelectorAll('.xi-finding .xl-badge-good').length == 1")
    at = page.locator("[data-plane=axial] img").bounding_box()
    page.mouse.click(at["x"] + at["width"] / 3, at["y"] + at["height"] / 3)
    page.wait_for_timeout(300)
    page.click("[data-key=add_mark]")
    page.wait_for_function("document.querySelectorAll('.xi-finding').length == 3")
    shoot(page, "imaging")
    frame = desk.studies.of("local")[0].scan.frame
    kept = {(one.state, one.mark.score is None) for one in decisions(store, frame)}
    assert kept == {("present", False), ("absent", False), ("present", True)}
    with store.read() as connection:
        made = [entry for entry in entries(connection) if entry.action == "imaging.decide"]
        assert len(made) == 5
        assert verify(connection) >= 5
        assert frame not in str(made)
    page.reload()
    page.wait_for_function("document.querySelectorAll('.xi-finding .xl-badge').length == 3")

    # The threshold hides what scores less.
    track = page.locator("[data-key=threshold]").bounding_box()
    page.mouse.click(track["x"] + track["width"] - 1, track["y"] + track["height"] / 2)
    page.wait_for_function("document.querySelectorAll('.xi-finding').length == 2")

    # Another slice than there is, another study than one's own.
    key = page.url.split("study=")[1]
    assert httpx.get(f"{address}/imaging/slice/{key}/axial/5.png?c=0&w=400").status_code == 200
    for wrong in (f"{key}/axial/100.png?c=0&w=400", "nobody/axial/5.png?c=0&w=400", f"{key}/other/5.png?c=0&w=9",
                  f"{key}/axial/5.png?c=nan&w=400", f"{key}/axial/x.png?c=0&w=400"):  # fmt: skip
        assert 400 <= httpx.get(f"{address}/imaging/slice/{wrong}").status_code < 500, wrong


def test_a_prior_is_linked_only_after_it_was_aligned(
    enter: Any,
    room: Any,
    files: dict[str, Path],
    shoot: Any,  # noqa: F811
) -> None:
    desk = room[2]
    now = desk.studies.open("local", "now", read_scan(files["now"], stated="CT"))
    desk.studies.search(now.key, "local").wait(60)
    page = enter(f"/imaging?study={now.key}&prior=")
    send(page, files["old"])
    page.wait_for_url(re.compile("prior=.+"))
    page.wait_for_selector("[data-plane=prior-axial] img")
    prior = page.url.split("prior=")[1]
    assert "坐标系不同" in page.inner_text(".xi-tools")
    old = desk.studies.get(prior, "local")
    before = slice_(page, "prior-axial")
    page.click("[data-key=finding-1]")
    page.wait_for_function("document.querySelector('.xi-place').textContent.includes('21')")
    assert slice_(page, "prior-axial") == before  # not linked: the prior stays where it was

    # The same anatomy in the prior: its own nodule, 9 mm higher by its own millimetres, on the same slice of the array.
    z, y, x = (
        round(float(v)) for v in old.scan.to_voxels([[INNER[0] + 12, INNER[1], INNER[2] + 9]])[0][::-1]
    )
    assert old.scan.array[z, y, x] > 0
    image = page.locator("[data-plane=prior-axial]").bounding_box()
    page.mouse.move(image["x"] + image["width"] / 2, image["y"] + image["height"] / 2)
    for _ in range(abs(before - 1 - z)):
        page.mouse.wheel(0, 100 if before - 1 > z else -100)
        page.wait_for_timeout(40)
    at_slice(page, "prior-axial", z + 1)
    picture = page.locator("[data-plane=prior-axial] img").bounding_box()
    columns, rows = old.scan.array.shape[2], old.scan.array.shape[1]
    page.mouse.click(
        picture["x"] + (x + 0.5) / columns * picture["width"],
        picture["y"] + (y + 0.5) / rows * picture["height"],
    )
    page.wait_for_timeout(300)
    page.click("[data-key=align]")
    page.wait_for_function("document.querySelector('.xi-tools').textContent.includes('未配准')")
    shoot(page, "imaging-prior")
    page.click("[data-key=finding-2]")
    page.wait_for_selector("[data-key=finding-2].xi-finding-now")
    page.wait_for_function("!document.querySelector('.xi-place').textContent.includes('21')")
    page.mouse.move(100, 200)
    begun = slice_(page, "axial"), slice_(page, "prior-axial")
    assert abs(begun[0] - begun[1]) <= 1
    page.keyboard.press("ArrowDown")
    at_slice(page, "prior-axial", begun[1] - 1)
    # All three planes go together: the planes of the prior show what lies at the same millimetres after the shift.
    now_scan, shift = now.scan, np.array([12.0, 0.0, 9.0])
    y_now = slice_(page, "coronal") - 1
    y_old = old.scan.to_voxels(now_scan.to_lps([(0, y_now, 0)]) + shift)[0][1]
    assert abs(slice_(page, "prior-coronal") - 1 - y_old) <= 1
    x_old = old.scan.to_voxels(now_scan.to_lps([(slice_(page, "sagittal") - 1, 0, 0)]) + shift)[0][0]
    assert abs(slice_(page, "prior-sagittal") - 1 - x_old) <= 1
    page.hover("[data-plane=prior-sagittal]")
    page.keyboard.press("ArrowDown")  # moved apart from the study: no longer linked
    page.wait_for_function("document.querySelector('.xi-tools').textContent.includes('坐标系不同')")


def test_a_record_of_the_archive_is_opened_after_a_grant(
    enter: Any, room: Any, files: dict[str, Path], tmp_path: Path
) -> None:
    _, store, desk = room
    volume = keep(read_scan(files["now"], stated="CT"), tmp_path)
    with store.write() as connection:
        create_dataset(connection, "chest", by="steward")
        give_consent(connection, "chest", subject=None, purpose="care", basis="treatment", by="board")
    put(store, "chest", Record("ct-1", "p1", volumes=(volume,)))
    page = enter("/imaging")
    page.fill("[data-key=archived-dataset]", "chest")
    page.fill("[data-key=archived-record]", "ct-1")
    page.click("[data-key=open-archived]")
    page.wait_for_selector(".xl-note-negative")  # nobody granted it
    with store.write() as connection:
        grant(connection, "chest", grantee="local", purpose="care", by="steward")
    page.click("[data-key=open-archived]")
    page.wait_for_url("**/imaging?study=*")
    page.wait_for_selector("[data-plane=sagittal] img")
    assert page.locator("[data-key=find]").is_visible()
    held = desk.studies.of("local")[0]
    assert (held.name, held.scan.frame) == ("ct-1", volume.frame)


def test_what_cannot_be_read_is_told_by_name(enter: Any, files: dict[str, Path]) -> None:
    page = enter("/imaging")
    send(page, files["bad"])
    page.wait_for_selector(".xl-note-negative")
    assert "bad.zip" in page.inner_text(".xl-note-negative")


def test_the_page_in_english_and_on_a_telephone(
    enter: Any,
    room: Any,
    files: dict[str, Path],
    shoot: Any,  # noqa: F811
) -> None:
    desk = room[2]
    scan = read_scan(files["now"], stated="MR")
    warm = np.zeros(scan.array.shape, np.float32)
    warm[40:60, 50:90, 120:160] = 0.8
    study = desk.studies.open("local", "MR study", scan, heat=Scan(warm, scan.affine, None, scan.frame))
    page = enter(f"/imaging?study={study.key}")
    page.wait_for_selector("[data-plane=axial] img")
    assert "检测模型只用于 CT" in page.inner_text(".xi-tools")
    assert page.locator("[data-plane=axial] svg image").count() == 0  # off until asked for
    page.click("[data-key=heat]")
    page.wait_for_selector("[data-plane=axial] svg image", state="attached")
    address = page.locator("[data-plane=axial] svg image").get_attribute("href")
    assert httpx.get(room[0] + address).headers["content-type"] == "image/png"
    shoot(page, "imaging-heat")
    page.click("[data-key=language]")
    page.wait_for_function("document.body.textContent.includes('The detector is for CT only')")
    page.set_viewport_size({"width": 400, "height": 800})
    page.wait_for_timeout(400)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    shoot(page, "imaging-telephone")
