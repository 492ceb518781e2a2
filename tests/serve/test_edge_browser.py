"""The page in real Chromium: offline, silent, the server's answers, and every failure named."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.serve.conftest import running
from xinglin.apps.diagnosis import load_differential
from xinglin.serve.app import create_app
from xinglin.serve.edge import mount_edge
from xinglin.store import Store

CHROMIUM = Path("/usr/bin/chromium")
MINUTES = 240_000.0
"""Milliseconds; a shared machine starts WebAssembly slowly."""
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.is_file(), reason="Debian's chromium is not installed"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield opened
        opened.close()


def served(edge_folder: Path) -> Any:
    app = FastAPI()
    mount_edge(app, edge_folder)
    return running(app)


Visit = Callable[..., Any]


@pytest.fixture(scope="module")
def visit(browser: Any) -> Iterator[Visit]:
    contexts: list[Any] = []

    def open_page(address: str, init: str | None = None, **options: Any) -> Any:
        shape = {"viewport": {"width": 390, "height": 844}, "locale": "zh-CN", **options}
        context = browser.new_context(**shape)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(MINUTES)
        if init is not None:
            page.add_init_script(init)
        page.goto(f"{address}/edge/")
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def page(visit: Visit, edge_folder: Path) -> Iterator[Any]:
    """One open tab for the tests that follow, its network cut and everything that it sends noted."""
    with served(edge_folder) as address:
        opened = visit(address)
        opened.wait_for_selector("html[data-ready]")
        opened.wait_for_selector("#badge[data-state=kept]")
        opened.sent = []
        opened.context.on("request", lambda request: opened.sent.append(request.url))
        opened.broken = []
        opened.on("pageerror", lambda error: opened.broken.append(str(error)))
        opened.context.set_offline(True)
        yield opened


def analyse(page: Any, text: str) -> None:
    page.fill("#text", text)
    page.click("#go")
    page.wait_for_selector("#go:not([disabled])")


def test_a_case_offline_in_both_languages(page: Any) -> None:
    page.click("#sample")
    page.click("#go")
    page.wait_for_selector("#answer .triage")
    said = page.inner_text("#answer")
    assert "120" in page.inner_text("#answer .triage")
    for part in ("危险信号", "鉴别诊断", "急性心肌梗死", "建议检查", "心电图", "文本模型"):
        assert part in said, part
    assert page.locator("#answer section").first.get_attribute("class") == "card red"
    assert "离线" in page.inner_text("#badge")
    assert "不上传" in page.inner_text(".private")
    page.click("#lang")
    page.wait_for_selector("#answer .triage:has-text('ambulance')")
    english = page.inner_text("#answer")
    for part in ("Red flags", "Differential", "acute myocardial infarction", "Recommended examinations"):
        assert part.lower() in english.lower(), part
    assert "胸痛" not in page.inner_text("#answer .red")
    assert "never replaces a clinician" in page.inner_text("#disclaimer")
    page.click("#lang")
    page.wait_for_selector("#answer .triage:has-text('呼叫')")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_ticked_finding_and_a_header_enter_the_case(page: Any) -> None:
    page.click("#clear")
    page.click("summary[data-say=header]")
    page.fill("#finding", "no such finding")
    page.click("[data-tick=present]")
    assert "没有这个名称" in page.inner_text("#tick-error")
    page.fill("#finding", "呕血")
    page.click("[data-tick=present]")
    page.fill("#age", "61")
    page.select_option("#sex", "male")
    page.click("#go")
    page.wait_for_selector("#answer .triage")
    assert "呕血" in page.inner_text("#answer")
    page.fill("#age", "400")
    page.click("#go")
    assert "0 到 130" in page.inner_text("#error")
    page.click("#clear")
    assert page.locator("#ticked li").count() == 0
    assert page.inner_text("#answer") == ""


def test_bad_input_is_said(page: Any) -> None:
    page.click("#clear")
    page.click("#go")
    assert "请先描述" in page.inner_text("#error")
    analyse(page, "咳" * 20_001)
    assert "20001" in page.inner_text("#error")
    analyse(page, "😀" * 5)
    assert page.inner_text("#error") == ""
    assert "不作排序" in page.inner_text("#answer")
    analyse(page, "<img src=x onerror=alert(1)>胸痛")
    assert page.locator("#answer img").count() == 0


def test_the_engine_in_the_tab_is_the_servers(page: Any, store: Store) -> None:
    body = {"text": "患者男性,58岁,胸痛3天,心电图显示ST段压低", "engine": "graph"}
    with TestClient(
        create_app(load_differential(), store, workbench=False), base_url="http://127.0.0.1"
    ) as client:
        wanted = client.post("/api/diagnose", json=body).json()
    page.click("#selftest")
    page.wait_for_selector("#selftested:has-text('一致')")
    agreed, of = (int(part) for part in page.inner_text("#selftested").split()[:3:2])
    assert agreed == of >= 100
    analyse(page, body["text"])
    first = page.locator(".candidates summary b").all_inner_texts()
    assert wanted["candidates"][0]["code"]["display"] in first


def test_every_control_has_a_name(page: Any) -> None:
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea, summary")]
          .filter((node) => !(node.labels?.length || node.ariaLabel || node.textContent.trim()))
          .map((node) => node.outerHTML)"""
    )
    assert unnamed == []
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement !== document.body")


def test_nothing_went_out_and_nothing_was_stored(page: Any) -> None:
    """Last of those that share the tab."""
    assert page.sent == []
    assert page.broken == []
    kept = page.evaluate(
        "async () => [localStorage.length, sessionStorage.length, document.cookie, (await indexedDB.databases()).length]"
    )
    assert kept == [0, 0, "", 0]
    assert len(page.evaluate("async () => await caches.keys()")) == 1


@pytest.mark.slow
def test_a_second_visit_needs_no_network(page: Any) -> None:
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert "离线" in page.inner_text("#badge")
    analyse(page, "胸痛3天,大汗")
    assert page.inner_text("#answer") != ""


@pytest.mark.parametrize("name", ["xinglin.zip", "edge.json", "NOTICE.md"])
def test_a_damaged_file_is_named_and_nothing_runs(
    visit: Visit, edge_folder: Path, tmp_path: Path, name: str
) -> None:
    copy = tmp_path / "site"
    shutil.copytree(edge_folder, copy)
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with served(copy) as address:
        opened = visit(address)
        opened.wait_for_selector("#fatal:not([hidden])")
        assert name in opened.inner_text("#fatal")
        assert "已损坏" in opened.inner_text("#fatal")
        assert opened.locator("#go").is_disabled()


def test_an_absent_file_is_named(visit: Visit, edge_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "site"
    shutil.copytree(edge_folder, copy)
    (copy / "model" / "model.onnx").unlink()
    with served(copy) as address:
        opened = visit(address)
        opened.wait_for_selector("#fatal:not([hidden])")
        assert "model/model.onnx" in opened.inner_text("#fatal")


def test_a_browser_without_webassembly_is_told(visit: Visit, edge_folder: Path) -> None:
    with served(edge_folder) as address:
        opened = visit(address, init="delete window.WebAssembly")
        opened.wait_for_selector("#fatal:not([hidden])")
        assert "WebAssembly" in opened.inner_text("#fatal")
        assert "更新浏览器" in opened.inner_text("#fatal")
        assert opened.locator("#go").is_disabled()
