"""The federation page in a real browser, on the coordinator's own tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serve.federated import HOSTILE, ROUNDS, SITES, answers, begin, fill
from tests.serve.test_workbench import (  # noqa: F401  (fixtures)
    browser,
    place,
    pytestmark,
    served,
    shoot,
    visit,
)
from xinglin.federate.history import record_round
from xinglin.store import Store, open_store


@pytest.fixture(scope="module")
def home(place: Path) -> Path:  # noqa: F811
    return place / "federation"


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    with served(home, "--engine", "graph") as running:
        yield running


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{home / 'xinglin.db'}")
    yield opened
    opened.close()


def test_a_federation_is_seen_as_it_is(
    visit: Callable[..., Any],  # noqa: F811
    store: Store,
    shoot: Any,  # noqa: F811
) -> None:
    page = visit("/federation")
    page.wait_for_selector("text=还没有医院")
    assert "xinglin federate up" in page.inner_text(".xl-main")
    fill(store)
    page.click("[data-key=refresh]")
    page.wait_for_selector(".xf-chart")
    assert "未经注册" in page.inner_text(".xl-foot")
    assert page.locator(".xf-chart polyline").count() == len(SITES) + 1 + 2, "their mean, and two gaps"
    assert page.locator(".xf-chart circle").count() == (len(SITES) + 1) * ROUNDS - 3, (
        "nothing is drawn for silence"
    )
    told = page.inner_text(".xf-page")
    assert "heart-disease" in told
    assert f"{ROUNDS} / {ROUNDS} 轮" in told
    last = answers(ROUNDS)["beijing-1"]
    assert last.budget is not None
    assert f"{last.evaluate['accuracy']:.4f}" in told
    assert page.locator(".xf-budgets li").count() == len(SITES)
    assert f"剩余 {last.budget.left:.3g}" in told
    bar = page.locator(".xf-bar > i").first.get_attribute("style")
    assert bar == f"width:{100 * last.budget.spent / 4:.1f}%"
    assert "norm of the update 913.2" in told
    assert HOSTILE in told, "shown as text"
    assert page.evaluate("window.hacked") is None
    assert "no answer within 60 s" in told
    assert "xian-7" in told
    shoot(page, "federation")
    page.click("[data-key=metric]")
    page.click(".q-menu >> text=loss")
    page.wait_for_selector("svg[aria-label^='loss']")
    page.click("[data-key=job]")
    page.click(".q-menu >> text=stopped-early")
    page.wait_for_selector(".xf-why")
    assert "1 hospital was admitted" in page.inner_text(".xf-why")
    assert "no grant covers the purpose research" in page.inner_text(".xf-page")
    assert "准入" in page.inner_text(".xf-page")


def test_a_running_job_is_followed(
    visit: Callable[..., Any],  # noqa: F811
    store: Store,
) -> None:
    begin(store)
    page = visit("/federation")
    page.wait_for_selector("text=还没有完成的轮次")
    record_round(store, "c" * 32, 0, {}, seconds=1.0, model=None, actor="lead")
    record_round(store, "c" * 32, 1, answers(1), seconds=1.0, model="1" * 64, actor="lead")
    page.wait_for_selector(".xf-chart", timeout=20_000)
    assert "1 / 3 轮" in page.inner_text(".xf-page")
    assert page.locator(".xf-job-running").count() == 1


def test_it_fits_the_screen_and_speaks_english(
    visit: Callable[..., Any],  # noqa: F811
    shoot: Any,  # noqa: F811
) -> None:
    page = visit("/federation")
    page.wait_for_selector(".xf-page .xl-card")
    page.click("[data-key=language]")
    page.wait_for_selector("text=Federated training")
    page.wait_for_selector(".xf-page .xl-card")
    assert "Privacy budget" in page.inner_text(".xf-page")
    assert page.inner_text(".xf-page").isascii() is False  # hospitals' own words stay
    for width, height in ((1366, 768), (820, 1180), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)
        shoot(page, f"federation-{width}")
    page.click("[data-key=dark]")
    page.wait_for_selector("body.body--dark")
    shoot(page, "federation-dark")
