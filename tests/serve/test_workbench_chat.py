"""The chat page in a real browser: a question, its sources, an emergency first, copy, stop, phone width."""

from __future__ import annotations

from typing import Any

import pytest

from tests.serve.conftest import running
from tests.serve.scripted import Scripted
from tests.serve.test_workbench import browser  # noqa: F401  (fixture)
from xinglin.apps.diagnosis.differential import Differential
from xinglin.serve.app import create_app
from xinglin.store import Store

pytestmark = pytest.mark.browser


def ask(page: Any, words: str) -> None:
    page.fill("[data-key=text]", words)
    page.wait_for_timeout(300)
    page.click("[data-key=analyse]")
    page.wait_for_selector("[data-key=copied-0], [data-key=copied-1]", state="attached", timeout=60_000)


def test_a_conversation(browser: Any, differential: Differential, store: Store) -> None:  # noqa: F811
    with running(create_app(differential, store)) as address:
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        page.goto(f"{address}/chat")
        ask(page, "高血压<script>alert(1)</script>有什么症状?")
        assert "头晕" in page.inner_text(".xc-turn")
        assert "人工智能生成" in page.inner_text(".xc-turn .xc-label")
        assert page.locator(".xc-side li").count() >= 5
        assert page.get_attribute(".xc-cite", "href") == "#s0-1"
        assert "来源 Sources:" in page.input_value("[data-key=copied-0]")
        assert "人工智能生成" in page.input_value("[data-key=copied-0]")
        page.fill("[data-key=text]", "我胸口压榨样疼,大汗")
        page.wait_for_timeout(300)
        page.click("[data-key=analyse]")
        page.wait_for_selector("[data-key=copied-1]", state="attached", timeout=60_000)
        second = page.locator(".xc-turn").nth(1)
        assert second.inner_text().startswith("【急】呼叫120")
        assert second.locator("[role=alert]").count() == 1
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_stop_and_unsupported(browser: Any, differential: Differential, store: Store) -> None:  # noqa: F811
    draft = "火星上有高血压病院。" * 400
    with running(create_app(differential, store, writer=Scripted(draft, pause=0.05))) as address:
        page = browser.new_page(viewport={"width": 1000, "height": 800})
        page.goto(f"{address}/chat")
        page.fill("[data-key=text]", "高血压有什么症状?")
        page.wait_for_timeout(300)
        page.click("[data-key=analyse]")
        page.wait_for_selector(".xc-unsupported", timeout=60_000)
        page.click("[data-key=stop]")
        page.wait_for_selector("text=已停止", timeout=60_000)
        assert page.locator(".xc-mark").first.inner_text() == "未获支持"
        assert page.locator(".xc-unsupported").count() < 400
