"""The report in a real browser: nothing missing, nothing broken, nothing fetched, nothing cut off."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.explained import attribution, explanation, faithfulness
from xinglin.explain.pdf import as_pdf
from xinglin.explain.report import page as report

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="NO BROWSER TEST WAS RUN: apt-get install chromium fonts-noto-cjk"
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def look(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Open a report from its file; at the end: no error, and no request but the file itself."""
    broken: list[str] = []
    asked: list[str] = []

    def open_report(html: str, name: str, **options: Any) -> Any:
        path = tmp_path / f"{name}.html"
        path.write_text(html, encoding="utf-8")
        context = browser.new_context(**{"viewport": {"width": 1100, "height": 900}, **options})
        page = context.new_page()
        page.on("console", lambda message: broken.append(message.text))
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.on(
            "request", lambda request: asked.append(request.url) if request.url != path.as_uri() else None
        )
        page.goto(path.as_uri())
        folder = os.environ.get("XINGLIN_SCREENSHOTS")
        if folder:
            page.screenshot(path=Path(folder) / f"report-{name}.png", full_page=True)
        return page

    yield open_report
    assert broken == []
    assert asked == []


@pytest.mark.parametrize("lang", ["zh", "en", "both"])
@pytest.mark.parametrize("width", [1100, 390])
def test_nothing_is_cut_off(look: Any, lang: Any, width: int) -> None:
    bad = faithfulness(failed=("randomised",), randomised=0.93)
    page = look(
        report(explanation(faithfulness=bad), lang),
        f"{lang}-{width}",
        viewport={"width": width, "height": 800},
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for part in (
        ".xw-danger",
        ".xw-answer h1",
        ".xw-note mark",
        ".xw-fall",
        ".xw-alarm",
        ".xw-net",
        ".xw-change",
    ):
        assert page.locator(part).first.is_visible(), part
    assert "未经注册" in page.inner_text(".xw-foot") or lang == "en"
    order = page.evaluate(
        "['.xw-danger', '.xw-answer', '.xw-note', '.xw-fall', '.xw-net', '.xw-foot']"
        ".map(part => document.querySelector(part).getBoundingClientRect().top)"
    )
    assert order == sorted(order)


@pytest.mark.parametrize("width", [1100, 390])
def test_lines_meet_the_boxes(look: Any, width: int) -> None:
    page = look(report(explanation(), "both"), f"lines-{width}", viewport={"width": width, "height": 800})
    far = page.evaluate(
        """() => {
          const boxes = [...document.querySelectorAll('.xw-net .xw-column:first-child .xw-node')];
          const lines = [...document.querySelectorAll('.xw-lines')[0].querySelectorAll('path')];
          const middle = box => { const r = box.getBoundingClientRect(); return r.top + r.height / 2; };
          return boxes.map((box, i) => {
            const start = lines[i].getPointAtLength(0).matrixTransform(lines[i].getScreenCTM());
            return Math.abs(start.y - middle(box));
          });
        }"""
    )
    assert len(far) == 4
    assert max(far) < 2.0


def test_dark_and_print_are_legible(look: Any) -> None:
    html = report(explanation(), "zh")
    page = look(html, "dark", color_scheme="dark")

    def contrast() -> float:
        return float(
            page.evaluate(
                """() => {
                  const light = text => { const [r, g, b] = text.match(/[0-9.]+/g).slice(0, 3).map(v => v / 255)
                    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
                    return .2126 * r + .7152 * g + .0722 * b; };
                  const card = getComputedStyle(document.querySelector('.xw-card'));
                  const [a, b] = [light(card.color), light(card.backgroundColor)].sort((x, y) => y - x);
                  return (a + .05) / (b + .05);
                }"""
            )
        )

    assert contrast() > 7
    assert "rgb(24" in page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert contrast() > 7


def test_a_hostile_and_a_long_note(look: Any) -> None:
    attack = '<script>window.hacked=1</script><img src=x onerror="window.hacked=1">\'"&'
    text = attack + "胸痛" + "很长的病历," * 330
    assert len(text) > 2000
    marked = (("<script>", "word", None, 1.0), ("胸痛", "finding", "胸痛", 2.0))
    page = look(report(explanation(text=text, attribution=attribution(text, marked)), "both"), "hostile")
    assert page.evaluate("window.hacked") is None
    assert attack[8:] in page.inner_text(".xw-note")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1100


def test_a_pdf_holds_the_report(tmp_path: Path) -> None:
    printed = as_pdf(report(explanation(), "both"))
    assert printed.startswith(b"%PDF")
    assert len(printed) > 20_000
    assert 1 <= printed.count(b"/Type /Page\n") <= 4
