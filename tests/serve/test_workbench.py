"""The workbench in a real browser, against the real server."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from xinglin.serve.access import add_user
from xinglin.store import open_store

CHROMIUM = Path("/usr/bin/chromium")
SEED = "患者男性,58岁,胸痛3天,心电图显示ST段压低"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason="NO BROWSER TEST WAS RUN: apt-get install chromium fonts-noto-cjk"
    ),
]
BUNDLE = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {"resource": {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1950-02-01"}},
        {
            "resource": {
                "resourceType": "AllergyIntolerance",
                "code": {"text": "Penicillin"},
                "patient": {"reference": "Patient/p1"},
            }
        },
        {
            "resource": {
                "resourceType": "Observation",
                "status": "final",
                "effectiveDateTime": "2026-03-01",
                "code": {
                    "coding": [{"system": "http://loinc.org", "code": "2823-3", "display": "Potassium"}]
                },
                "valueQuantity": {"value": 6.9, "unit": "mmol/L", "code": "mmol/L"},
            }
        },
        {
            "resource": {
                "resourceType": "DiagnosticReport",
                "status": "final",
                "code": {"text": "note"},
                "conclusion": "乏力、心悸2天,无胸痛。",
            }
        },
    ],
}


@contextmanager
def served(home: Path, *arguments: str) -> Iterator[str]:
    """The service as a user starts it, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "XINGLIN_HOME": str(home)}
    environment.pop("XINGLIN_DATABASE_URL", None)
    environment.pop("PYTEST_CURRENT_TEST", None)
    command = [sys.executable, "-m", "xinglin", "serve", "--port", str(port), *arguments]
    home.mkdir(parents=True, exist_ok=True)
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, cwd=home, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            if process.poll() is not None:
                break
            try:
                urllib.request.urlopen(f"{address}/api/health", timeout=5)
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.1)
        assert process.poll() is None, (home / "server.log").read_text()
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workbench")


@pytest.fixture(scope="module")
def address(place: Path) -> Iterator[str]:
    with served(place / "home") as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Open pages in fresh contexts; at the end: no script error, and no request left this machine."""
    contexts: list[Any] = []
    foreign: list[str] = []
    broken: list[str] = []

    def watch(page: Any) -> None:
        page.on("request", lambda request: foreign.append(request.url) if away(request.url) else None)
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.on("response", lambda answer: broken.append(answer.url) if answer.status >= 500 else None)
        page.on("console", lambda message: broken.append(message.text) if message.type == "error" else None)

    def away(url: str) -> bool:
        return not url.startswith((address, address.replace("http", "ws"), "blob:", "data:"))

    def open_page(path: str = "/", **options: Any) -> Any:
        shape = {"viewport": {"width": 1366, "height": 768}, "color_scheme": "light", **options}
        context = browser.new_context(**shape)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(8000)
        watch(page)
        page.goto(address + path)
        page.wait_for_selector(".xl-card, .xl-empty, .xl-story")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert foreign == []
    assert broken == []


@pytest.fixture(scope="module")
def shoot(place: Path) -> Callable[[Any, str], None]:
    folder = Path(os.environ.get("XINGLIN_SCREENSHOTS", place / "screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return lambda page, name: page.screenshot(path=folder / f"{name}.png")


def analyse(page: Any, text: str) -> None:
    page.fill("[data-key=text]", text)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".xl-triage")


def from_record(page: Any, content: object, name: str = "bundle.json") -> None:
    data = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
    page.set_input_files("input[type=file]", {"name": name, "mimeType": "application/json", "buffer": data})


def test_the_seed_patient_from_words_to_examinations(visit: Any, shoot: Any) -> None:
    page = visit()
    analyse(page, SEED)
    assert "转急诊" in page.inner_text(".xl-triage") or "120" in page.inner_text(".xl-triage")
    assert page.locator(".xl-triage svg").count() == 1
    assert "急性冠脉综合征" in page.inner_text(".xl-red")
    marks = page.locator(".xl-right .xl-card .xl-text .xl-mark-present")
    assert [marks.nth(i).inner_text()[:2] for i in range(marks.count())] == ["胸痛", "ST"]
    assert "chest-pain" in marks.nth(0).get_attribute("title")
    bars = page.locator("details.xl-cand")
    assert bars.count() >= 5
    names = page.inner_text(".xl-differential")
    assert "急性冠脉综合征" in names
    assert "I2" in names
    assert "不显示百分比" in names
    assert "%" not in names.replace("百分比", "")
    bars.nth(0).locator("summary").click()
    opened = bars.nth(0)
    assert "ST段压低" in opened.locator(".xl-for").inner_text()
    assert opened.locator(".xl-check").count() >= 5
    assert "未核查" in opened.inner_text()
    assert "未经审阅" in opened.inner_text()
    exams = page.inner_text(".xl-exams")
    assert "心电图" in exams
    assert "肌钙蛋白" in exams
    assert "需转诊" in exams
    assert page.locator(".xl-signs li").count() >= 3
    assert "未经注册" in page.inner_text(".xl-foot")
    order = page.evaluate(
        "[...document.querySelectorAll('.xl-triage, .xl-red, .xl-right .xl-text, .xl-differential, .xl-exams, "
        ".xl-danger, .xl-papers')].filter(e => e.offsetParent).map(e => e.getBoundingClientRect().top)"
    )
    assert len(order) == 7
    assert order == sorted(order)
    shoot(page, "seed")


def test_the_header_checks_the_options(visit: Any, shoot: Any) -> None:
    page = visit()
    page.fill("[data-key=age]", "30")
    page.click("[data-key=sex] >> text=女")
    page.fill("[data-key=allergies]", "青霉素、某某散")
    page.fill("[data-key=drugs]", "无")
    page.fill("[data-key=egfr]", "20")
    analyse(page, "咳嗽、咳黄痰4天,发热39℃,右下肺湿啰音,胸片示右下肺实变影")
    facts = page.inner_text(".xl-right .xl-facts")
    assert "30岁" in facts.replace(" ", "")
    assert "青霉素" in facts
    assert "某某散" in page.inner_text(".xl-warn")
    page.locator("details.xl-cand summary").first.click()
    page.wait_for_selector("details.xl-cand[open]")
    assert page.locator("details.xl-cand[open] .xl-check-avoid").count() >= 1
    avoid = page.locator("details.xl-cand[open] .xl-check-avoid").first
    assert "避免使用" in avoid.inner_text()
    assert avoid.locator("svg").count() == 1
    shoot(page, "options")
    page.fill("[data-key=age]", "580")
    assert "过期" in page.inner_text(".xl-stale-notice")
    page.click("[data-key=analyse]")
    page.wait_for_selector(".xl-note-negative >> text=年龄")


def test_an_edited_case_is_marked_out_of_date(visit: Any, shoot: Any) -> None:
    page = visit()
    analyse(page, SEED)
    assert page.locator(".xl-stale").count() == 0
    page.fill("[data-key=text]", SEED + ",大汗")
    page.wait_for_selector(".xl-stale")
    assert "结果已过期" in page.inner_text(".xl-stale-notice")
    assert page.locator("[data-key=answer-1]").is_disabled()
    page.click("[data-key=save]")
    page.wait_for_selector(".xl-note-negative >> text=重新分析")
    shoot(page, "stale")
    page.fill("[data-key=text]", SEED)
    page.wait_for_selector(".xl-stale", state="detached")
    page.fill("[data-key=text]", SEED + ",大汗")
    page.click("[data-key=analyse]")
    page.wait_for_selector(".xl-right .xl-text >> text=大汗")
    assert page.locator(".xl-stale").count() == 0


def test_ask_mode_answers_by_key_and_undoes(visit: Any, shoot: Any) -> None:
    page = visit()
    analyse(page, SEED)
    page.evaluate("document.activeElement.blur()")
    first = page.inner_text(".xl-question p")
    page.keyboard.press("1")
    page.wait_for_function(
        "before => document.querySelector('.xl-question p').innerText !== before", arg=first
    )
    second = page.inner_text(".xl-question p")
    page.keyboard.press("2")
    page.wait_for_function(
        "before => document.querySelector('.xl-question p').innerText !== before", arg=second
    )
    page.keyboard.press("3")
    page.wait_for_function("document.querySelectorAll('.xl-given button').length === 3")
    given = page.locator(".xl-given button")
    assert [given.nth(i).inner_text().split()[0] for i in range(3)] == ["有", "无", "不知道"]
    shoot(page, "ask")
    page.locator(".xl-given button").nth(0).click()
    page.wait_for_function("document.querySelectorAll('.xl-given button').length === 2")
    assert page.inner_text(".xl-question p") == first


def close(page: Any) -> None:
    """Close a dialog and wait until it is gone: until then it takes the focus back."""
    page.click("[data-key=close]")
    page.wait_for_selector(".q-dialog__inner", state="detached")


def test_note_save_history_reopen_confirm_delete(visit: Any, shoot: Any, tmp_path: Path) -> None:
    page = visit()
    page.fill("[data-key=allergies]", "青霉素")
    analyse(page, SEED)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("1")
    page.wait_for_selector(".xl-given button")
    page.click("[data-key=note]")
    area = page.locator("textarea[data-key=paper]")
    assert "主诉" in area.input_value()
    assert SEED in area.input_value()
    area.fill(area.input_value() + "\n补充:已联系家属")
    shoot(page, "note")
    with page.expect_download() as caught:
        page.click("[data-key=download]")
    caught.value.save_as(tmp_path / "note.txt")
    assert "已联系家属" in (tmp_path / "note.txt").read_text(encoding="utf-8-sig")
    page.click("[data-key=keep-note]")
    page.wait_for_selector(".xl-note-positive")
    close(page)
    page.click("[data-key=referral]")
    page.wait_for_selector("h2:text('转诊单')")
    close(page)
    page.fill("[data-key=confirm-search]", "I21")
    page.locator(".xl-matches button", has_text="急性心肌梗死").first.click()
    page.click("[data-key=confirm]")
    page.wait_for_selector(".xl-note-positive >> text=急性心肌梗死")
    page.click("nav >> text=历史")
    row = page.locator("tbody tr", has_text="58岁")
    row.first.wait_for()
    assert row.count() == 1
    assert "急性心肌梗死" in row.inner_text()
    shoot(page, "history")
    row.locator("text=打开").click()
    page.wait_for_selector(".xl-triage")
    assert page.input_value("[data-key=text]") == SEED
    assert page.input_value("[data-key=allergies]") == "青霉素"
    assert page.locator(".xl-given button").count() == 1
    page.click("[data-key=note]")
    assert "已联系家属" in page.locator("textarea[data-key=paper]").input_value()
    close(page)
    page.click("nav >> text=历史")
    page.fill("[data-key=search]", "没有这样的病例")
    row.first.wait_for(state="detached")
    page.fill("[data-key=search]", "ST段")
    row.locator("text=删除").click()
    page.click("[data-key=erase]")
    row.first.wait_for(state="detached")


def test_graph_search_neighbours_and_report(visit: Any, shoot: Any) -> None:
    page = visit("/graph")
    page.fill("[data-key=search]", "心肌梗")
    page.locator(".xl-matches a", has_text="急性心肌梗死").first.click()
    page.wait_for_selector(".xl-radial")
    assert page.locator(".xl-radial a").count() >= 20
    page.fill("[data-key=filter]", "胸痛")
    page.wait_for_selector("tbody tr >> text=胸痛")
    shoot(page, "graph")
    page.locator("tbody tr").first.locator("text=报告错误").click()
    page.fill("[data-key=report-message]", "频率偏高,见指南")
    page.click("[data-key=report-send]")
    page.wait_for_selector(".xl-note-positive")
    page.goto(page.url.split("?")[0] + "?node=nothing-like-this")
    page.wait_for_selector(".xl-note-negative")


def test_language_and_colours_are_remembered_with_the_text(visit: Any, shoot: Any) -> None:
    page = visit()
    analyse(page, SEED)
    page.click("[data-key=language]")
    page.wait_for_selector("text=Differential diagnosis")
    assert page.input_value("[data-key=text]") == SEED
    assert page.get_attribute("html", "lang") == "en-US"
    assert "emergency" in page.inner_text(".xl-triage")
    assert "acute coronary syndrome" in page.inner_text(".xl-differential").lower()
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("[data-key=dark]")
    page.wait_for_selector("body.body--dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    shoot(page, "dark-en")
    page.reload()
    page.wait_for_selector("body.body--dark .xl-triage")
    page.click("nav >> text=About")
    page.wait_for_selector("body.body--dark .xl-story")
    assert "Not registered as a medical device" in page.inner_text(".xl-foot")
    assert "starter" in page.inner_text("main")


def test_a_fhir_bundle_is_read(visit: Any) -> None:
    page = visit()
    from_record(page, BUNDLE)
    page.wait_for_selector(".xl-triage")
    assert "bundle.json" in page.inner_text(".xl-record")
    assert "76" in page.inner_text(".xl-right .xl-facts")
    assert "青霉素" in page.inner_text(".xl-right .xl-facts")
    assert "乏力" in page.inner_text(".xl-right .xl-text")
    page.click("summary:has-text('全部发现')")
    assert "6.9" in page.inner_text(".xl-right .xl-table")
    page.click("text=移除记录")
    page.wait_for_selector(".xl-stale")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\xff\xfe\x00", "UTF-8"), (b"{not json", "JSON"), (b'{"resourceType": "Patient"}', "Bundle")],
)
def test_a_broken_file_is_refused_in_words(visit: Any, content: bytes, words: str) -> None:
    page = visit()
    from_record(page, content)
    page.wait_for_selector(f".xl-note-negative >> text={words}")
    assert "Traceback" not in page.content()


def test_markup_in_the_text_stays_text(visit: Any) -> None:
    page = visit()
    attack = (
        '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>{{constructor.constructor('
        "'window.hacked=1')()}}</textarea><svg onload=window.hacked=1> 胸痛3天"
    )
    page.fill("[data-key=allergies]", "<img src=x onerror=window.hacked=1>")
    analyse(page, attack)
    assert "<script>" in page.inner_text(".xl-right .xl-text")
    page.click("[data-key=save]")
    page.wait_for_selector(".xl-note-positive")
    page.click("[data-key=note]")
    page.wait_for_selector("textarea[data-key=paper]")
    close(page)
    page.click("nav >> text=历史")
    page.wait_for_selector("tbody tr >> text=onerror")
    page.goto(page.url.replace("/history", "/graph?node=<script>window.hacked=1</script>"))
    page.wait_for_selector(".xl-note-negative")
    assert page.evaluate("window.hacked") is None


def test_too_much_text_is_refused_not_cut(visit: Any) -> None:
    page = visit()
    page.evaluate("navigator")
    page.focus("[data-key=text]")
    page.evaluate("document.execCommand('insertText', false, '胸痛'.repeat(12000))")
    page.click("[data-key=analyse]")
    page.wait_for_selector(".xl-note-negative >> text=20000")
    assert page.locator(".xl-triage").count() == 0
    page.click("[data-key=clear]")
    page.click("[data-key=restore]")
    page.wait_for_function("document.querySelector('[data-key=text]').value.length > 20000")


def test_nothing_typed_and_an_unknown_address(visit: Any, address: str) -> None:
    page = visit()
    page.click("[data-key=analyse]")
    page.wait_for_selector(".xl-note-negative >> text=请先输入")
    page.keyboard.press("?")
    page.wait_for_selector(".xl-keys")
    request = urllib.request.Request(address + "/nowhere", headers={"Accept": "text/html"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 404
    assert "没有这个页面" in caught.value.read().decode()


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (820, 1180)])
def test_it_fits_the_screen(visit: Any, shoot: Any, width: int, height: int) -> None:
    page = visit(viewport={"width": width, "height": height})
    page.click("[data-key=samples]")
    page.click("[data-key=sample-2]")
    page.wait_for_selector(".xl-triage")
    page.locator("details.xl-cand summary").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shoot(page, f"lab-{width}")


def test_print_is_a_short_report(visit: Any, place: Path) -> None:
    page = visit()
    analyse(page, SEED)
    page.emulate_media(media="print")
    assert page.locator(".xl-report h1").is_visible()
    assert not page.locator(".xl-top").is_visible()
    assert not page.locator(".xl-left").is_visible()
    assert "急性冠脉综合征" in page.inner_text(".xl-report")
    assert "未经注册" in page.inner_text(".xl-report")
    pages = page.pdf(format="A4", prefer_css_page_size=True).count(b"/Type /Page\n")
    assert 1 <= pages <= 2


def test_two_users_do_not_see_each_other(browser: Any, place: Path) -> None:
    home = place / "ward"
    home.mkdir()
    store = open_store(f"sqlite:///{home / 'xinglin.db'}")
    for name in ("li", "wang"):
        add_user(store, name, "a long password")
    store.close()
    with served(home, "--host", "0.0.0.0") as address:
        pages = {}
        for name in ("li", "wang"):
            page = browser.new_context().new_page()
            page.set_default_timeout(8000)
            page.goto(address)
            assert page.url.endswith("/login")
            page.fill("#name", name)
            page.fill("#password", "a long password")
            page.click("button")
            page.wait_for_selector("[data-key=text]")
            pages[name] = page
        analyse(pages["li"], SEED)
        pages["li"].click("[data-key=save]")
        pages["li"].wait_for_selector(".xl-note-positive")
        pages["wang"].goto(f"{address}/history")
        pages["wang"].wait_for_selector("text=还没有保存的病例")
        other = pages["li"].context.new_page()
        other.goto(f"{address}/history")
        other.wait_for_selector("tbody tr >> text=58岁")
        other.click("text=退出")
        other.wait_for_url("**/login")
        pages["li"].click("[data-key=save]")
        pages["li"].wait_for_url("**/login")
        for page in pages.values():
            page.context.close()
