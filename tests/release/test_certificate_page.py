"""The page of a certificate: complete, escaped, and in a real browser neither cut off nor fetching anything."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.labels.audited import data_set, planned, readings
from xinglin.explain.pdf import as_pdf
from xinglin.labels.certificate import certify, sign_certificate
from xinglin.labels.evidence import labels_digest, tally
from xinglin.ledger.signature import new_key
from xinglin.release import certificate_html
from xinglin.types import DISCLAIMER

CHROMIUM = shutil.which("chromium")
TRUTH, RELEASED = data_set(2000, wrong=3)


def issued(folder: Path, **changes: Any) -> dict[str, Any]:
    gold, _ = data_set(500, prefix="g")
    plan = planned(RELEASED, **changes)
    with_gold = plan.gold is not None
    made = readings(plan, TRUTH, 900, disagree=2, gold=gold if with_gold else None)
    new_key(folder / "key")
    return sign_certificate(
        certify(plan, tally(plan, RELEASED, made, gold=gold if with_gold else None), issued="2026-11-28"),
        folder / "key",
    )


def test_everything_that_matters_is_on_the_page(tmp_path: Path) -> None:
    certificate = issued(tmp_path)
    html = certificate_html(certificate)
    said = certificate["statement"]["predicate"]
    plan, found = said["plan"], said["bounds"]
    for text in (
        "错误标注低于 2 %", "Less than 2 % of the labels are wrong", "给定条目时各审核者独立出错", DISCLAIMER["en"],
        plan["manifest"], plan["labels"], said["plan_digest"], said["tally"]["readings"], plan["seed"],
        f"≤ {found['total']}", f"≤ {found['reference']}", certificate["signature"]["public_key"], "verify-certificate",
    ):  # fmt: skip
        assert text in html, text
    assert "<script" not in html
    assert "http" not in html.replace("http-equiv", "")


def test_a_hostile_name_is_only_text(tmp_path: Path) -> None:
    html = certificate_html(issued(tmp_path, dataset="<img src=x onerror=alert(1)>", seed='"><script>'))
    assert "<img" not in html
    assert "<script" not in html


def test_gold_is_shown(tmp_path: Path) -> None:
    gold, _ = data_set(500, prefix="g")
    html = certificate_html(issued(tmp_path, hardest=None, gold=labels_digest(gold), gold_items=500))
    assert "gold items, 0 read wrongly" in html
    assert labels_digest(gold) in html


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(
    CHROMIUM is None, reason="NO BROWSER TEST WAS RUN: apt-get install chromium fonts-noto-cjk"
)
def test_in_a_browser_and_on_paper(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    html = certificate_html(issued(tmp_path))
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    broken: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for width in (1100, 390):
            page = browser.new_page(viewport={"width": width, "height": 800})
            page.on("console", lambda message: broken.append(message.text))
            page.goto((tmp_path / "page.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            bars = page.evaluate(
                "[...document.querySelectorAll('.ce-bar i')].map(i => i.getBoundingClientRect().width)"
            )
            line = page.evaluate(
                "[...document.querySelectorAll('.ce-bar')].map(b => b.querySelector('u').getBoundingClientRect().left"
                " - b.getBoundingClientRect().left)"
            )
            assert len(bars) == 3
            assert all(bar < at for bar, at in zip(bars, line, strict=True)), (
                "a bar passes the line of the claim"
            )
        browser.close()
    assert broken == []
    assert as_pdf(html).count(b"/Type /Page\n") <= 2
