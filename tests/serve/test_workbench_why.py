"""The tab *Why* in a real browser, and the report that it gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.serve.test_workbench import (  # noqa: F401  (fixtures)
    SEED,
    address,
    analyse,
    browser,
    place,
    pytestmark,
    shoot,
    visit,
)


def why(page: Any) -> None:
    page.click("[data-key=tab-why]")
    page.wait_for_selector(".xl-basis .xw-note", timeout=90_000)


def test_the_tab_is_lazy_shows_the_report_and_is_kept(visit: Any, shoot: Any, tmp_path: Path) -> None:  # noqa: F811
    page = visit()
    analyse(page, SEED)
    assert page.locator(".xw").count() == 0
    assert page.get_attribute("[data-key=tab-answer]", "aria-selected") == "true"
    page.click("[data-key=tab-why]")
    page.wait_for_selector(".xl-basis-wait >> text=询问模型", state="attached")  # short on a fast machine
    page.wait_for_selector(".xl-basis .xw-note", timeout=90_000)
    assert not page.is_visible(".xl-basis-wait")
    assert not page.is_visible(".xl-differential")
    assert page.is_visible(".xl-triage")
    shown = page.inner_text(".xl-basis")
    for word in ("急性", "到这份病历", "这份解释可信吗", "图谱中的路径", "什么会改变答案", "模型与数据版本"):
        assert word in shown, word
    assert page.locator(".xl-basis mark.xw-for").count() >= 2
    assert page.locator(".xl-basis svg.xw-lines path").count() >= 2
    assert page.locator(".xl-basis .xw-meter").count() >= 5
    shoot(page, "why")
    page.click("[data-key=tab-answer]")
    page.wait_for_selector(".xl-differential", timeout=4_000)
    page.click("[data-key=tab-why]")
    page.wait_for_selector(".xl-basis .xw-note", timeout=4_000)
    with page.expect_download() as caught:
        page.click("[data-key=why-download]")
    caught.value.save_as(tmp_path / "why.html")
    html = (tmp_path / "why.html").read_text(encoding="utf-8")
    assert html.startswith("<!DOCTYPE html>")
    assert "Why this diagnosis" in html
    page.reload()
    page.wait_for_selector(".xl-triage")
    page.click("[data-key=tab-why]")
    page.wait_for_selector(".xl-basis .xw-note", timeout=4_000)  # kept: no second computation


def test_another_candidate_and_another_language(visit: Any, shoot: Any) -> None:  # noqa: F811
    page = visit(color_scheme="dark", viewport={"width": 390, "height": 844})
    page.fill("[data-key=text]", "胸痛,大汗")
    page.click("[data-key=analyse]")
    page.wait_for_selector(".xl-triage")
    why(page)
    first = page.inner_text(".xl-basis h1")
    page.click("[data-key=why-target]")
    page.locator(".q-menu .q-item").nth(1).click()
    page.wait_for_function(
        "before => document.querySelector('.xl-basis h1')?.innerText !== before", arg=first
    )
    page.wait_for_selector(".xl-basis .xw-note", timeout=90_000)
    assert "第 2 位" in page.inner_text(".xl-basis .xw-answer")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    shoot(page, "why-narrow")
    page.click("[data-key=language]")
    page.wait_for_selector("text=Differential diagnosis")
    why(page)
    assert "What would change the answer" in page.inner_text(".xl-basis")
    assert "这份解释" not in page.inner_text(".xl-basis")


def test_a_new_answer_gives_up_the_old_explanation(visit: Any) -> None:  # noqa: F811
    page = visit()
    analyse(page, "胸痛3天,大汗,恶心,头晕,乏力")
    page.click("[data-key=tab-why]")
    page.wait_for_selector(".xl-basis-wait >> text=询问模型", state="attached")  # short on a fast machine
    page.fill("[data-key=text]", "胸痛")
    page.wait_for_selector(".xl-stale")
    page.click("[data-key=analyse]")
    page.wait_for_selector(".xl-stale", state="detached")
    assert page.is_visible(".xl-differential")
    why(page)
    assert page.inner_text(".xl-basis .xw-note").startswith("胸痛")


COMPLAINTS = ("头痛", "恶心", "腹泻", "心慌", "出汗", "腰酸", "鼻塞", "咽痛", "失眠", "口干")
LONG = "咳嗽3天,咳黄痰,发热39度,乏力。" + "。".join(
    f"第{day}天{what},夜里加重,白天稍好,家里人陪着去药店看过" for day, what in enumerate(COMPLAINTS)
)
"""A note whose explanation takes long enough to be cancelled."""


def test_cancelling_and_trying_again(visit: Any) -> None:  # noqa: F811
    page = visit()
    analyse(page, LONG)
    page.click("[data-key=tab-why]")
    page.wait_for_selector("[data-key=why-cancel]")
    page.click("[data-key=why-cancel]")
    page.wait_for_selector(".xl-basis-wait", state="hidden")
    assert page.locator(".xw").count() == 0
    page.click("[data-key=tab-answer]")
    why(page)


def test_markup_in_the_note_stays_text(visit: Any) -> None:  # noqa: F811
    page = visit()
    analyse(page, '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script> 胸痛3天')
    why(page)
    assert "<script>" in page.inner_text(".xl-basis .xw-note").replace("+", "").replace("−", "")
    assert page.evaluate("window.hacked") is None


@pytest.fixture
def record() -> dict[str, Any]:
    return {"findings": [{"name": "胸痛"}, {"name": "大汗"}]}


def test_a_record_without_words(visit: Any, record: dict[str, Any]) -> None:  # noqa: F811
    from tests.serve.test_workbench import from_record

    page = visit()
    from_record(page, record)
    page.wait_for_selector(".xl-triage")
    page.click("[data-key=tab-why]")
    page.wait_for_selector(".xl-basis >> text=没有文字可供逐词解释", timeout=30_000)
