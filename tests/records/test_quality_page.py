"""The quality report in a real browser: nothing fetched, nothing broken, nothing cut off."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from xinglin.records.quality import QualityOptions, QualityReport, Row, assess, page
from xinglin.records.quality.rules import RULES
from xinglin.types import DISCLAIMER, Code, Event, Patient, Record

CHROMIUM = shutil.which("chromium")
browser = pytest.mark.skipif(
    CHROMIUM is None, reason="NO BROWSER TEST WAS RUN: apt-get install chromium fonts-noto-cjk"
)


@pytest.fixture(scope="module")
def report(data: Path) -> QualityReport:
    rows = []
    for path in sorted((data / "text" / "fed-heart-disease").glob("*.csv")):
        with path.open(encoding="utf-8") as lines:
            for number, row in enumerate(csv.DictReader(lines)):
                events = () if row["chol"] == "?" else (
                    Event(Code("text", "总胆固醇", "总胆固醇"), float(row["chol"]), "mg/dL"),)  # fmt: skip
                patient = Patient(age=float(row["age"]), sex="male" if float(row["sex"]) == 1 else "female")
                rows.append(
                    Row(Record(f"{path.stem}-{number}", None, "", patient, events), path.stem, row["num"])
                )
    return assess(rows, name="<b>四家医院</b>", options=QualityOptions(near_duplicates=False))


def test_every_rule_and_the_disclaimer_are_on_the_page(report: QualityReport) -> None:
    html = page(report)
    for rule in RULES.values():
        assert rule.name[0].split("(")[0] in html
        assert rule.name[1].split("'")[0] in html
    assert DISCLAIMER["en"] in html
    assert "Kahn" in html
    assert "<b>四家" not in html
    assert "<script" not in html
    assert "http" not in html.replace("http-equiv", "")


@browser
@pytest.mark.browser
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("wide", {"viewport": {"width": 1080, "height": 900}}),
        ("dark", {"viewport": {"width": 1080, "height": 900}, "color_scheme": "dark"}),
        ("phone", {"viewport": {"width": 390, "height": 800}}),
    ],
)
def test_the_page_as_it_is_seen(
    report: QualityReport, tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    from playwright.sync_api import sync_playwright

    path = tmp_path / "report.html"
    path.write_text(page(report), encoding="utf-8")
    broken: list[str] = []
    asked: list[str] = []
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        tab = opened.new_context(**options).new_page()
        tab.on("console", lambda message: broken.append(message.text))
        tab.on("pageerror", lambda error: broken.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(path.as_uri())
        if folder := os.environ.get("XINGLIN_SCREENSHOTS"):
            tab.screenshot(path=Path(folder) / f"quality-{name}.png", full_page=True)
        assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        links = tab.eval_on_selector_all(
            "a[href^='#']", "links => links.map(a => a.getAttribute('href').slice(1))"
        )
        assert len(links) >= 5
        lost = [
            link for link in links if not tab.evaluate("id => document.getElementById(id) !== null", link)
        ]
        assert lost == []
        assert tab.locator("figure svg").count() >= 4
        opened.close()
    assert broken == []
    assert asked == [path.as_uri()]
