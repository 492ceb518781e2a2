"""The patient's CT on the case page, in a real browser: chosen, counted once a reader accepts, printed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.apps.imaging.test_lungs import chest
from tests.serve.conftest import running
from tests.serve.test_workbench import browser, place, pytestmark, shoot  # noqa: F401  (fixtures)
from tests.serve.test_workbench_imaging import blobs
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.imaging.marks import decide
from xinglin.apps.imaging.measured import Algorithm
from xinglin.apps.imaging.search import Searcher
from xinglin.serve.app import create_app
from xinglin.store import Store, open_store

WORDS = "男,63岁,咳嗽2个月,痰中带血,消瘦,吸烟40年,癌胚抗原 12 ng/mL"


@pytest.fixture(scope="module")
def room(
    differential: Differential, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Store, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("fusing")
        patch.setenv("XINGLIN_HOME", str(home))
        store = open_store(f"sqlite:///{home / 'x.db'}")
        app = create_app(differential, store, searcher=Searcher(blobs, Algorithm("blobs", "1")))
        desk = next(item.kwargs["desk"] for item in app.user_middleware if "desk" in item.kwargs)
        with running(app) as address:
            yield address, store, desk
        store.close()


def analyse(page: Any) -> None:
    page.click("[data-key=analyse]")
    page.wait_for_selector("[data-key=image-share]")


def test_a_ct_counts_once_its_reader_accepts(browser: Any, room: Any, shoot: Any) -> None:  # noqa: F811
    address, store, desk = room
    scan, _ = chest()
    study = desk.studies.open("local", "胸部 CT 2026-01-05", scan)
    search = desk.studies.search(study.key, "local")
    deadline = time.monotonic() + 60
    while not search.over and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(study.marks) >= 1
    context = browser.new_context(viewport={"width": 1366, "height": 1400}, color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(30_000)
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.goto(address)
    page.fill("[data-key=text]", WORDS)
    page.click("[data-key=study]")
    page.click(".q-menu .q-item:has-text('胸部 CT')")
    analyse(page)
    card = page.inner_text("[data-key=image-share]")
    assert "只有模型分数" in card
    assert "医师确认后" in card
    before = page.inner_text("[data-key=image-share] .xl-shares")
    assert "图像" not in before
    decide(store, scan.series or scan.frame, study.marks[0], "present", actor="local")
    page.click("[data-key=analyse]")
    page.wait_for_selector("[data-key=image-share]:has-text('医师已确认')")
    assert "图像" in page.inner_text("[data-key=image-share] .xl-shares")
    exams = page.inner_text(".xl-exams")
    assert "胸部CT" not in exams.replace("\n", " ").split()
    page.locator("[data-key=image-share]").scroll_into_view_if_needed()
    shoot(page, "image-share")
    page.emulate_media(media="print")
    assert "图像的份额" in page.inner_text(".xl-report")
    shoot(page, "image-share-print")
    page.emulate_media(media="screen")
    desk.studies.close(study.key, "local")
    page.fill("[data-key=text]", WORDS + ",乏力")
    page.click("[data-key=analyse]")
    page.wait_for_selector("[data-key=image-share]", state="detached")
    context.close()
    assert broken == []
