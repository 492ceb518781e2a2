"""The files that a contributor meets: whole, readable by GitHub, and against health data in public."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
FORMS = [path for path in TEMPLATES if path.name != "config.yml"]
PAGES = ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "GOVERNANCE.md", "docs/plugins.md", "docs/credit.md",
         "docs/cards/README.md", ".github/pull_request_template.md")  # fmt: skip
TYPES = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


def test_the_forms_are_those_that_were_promised() -> None:
    assert [path.stem for path in FORMS] == ["bug", "clinical", "dataset", "feature"]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_keeps_github_s_schema_and_asks_for_no_health_data(path: Path) -> None:
    form: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert form.keys() == {"name", "description", "labels", "body"}
    assert {part["type"] for part in form["body"]} <= TYPES
    ids = [part["id"] for part in form["body"] if part["type"] != "markdown"]
    assert len(ids) == len(set(ids)) >= 3
    for part in form["body"]:
        assert "value" in part["attributes"] if part["type"] == "markdown" else "label" in part["attributes"]
    assert form["body"][0]["type"] == "markdown"
    assert re.search("请勿", form["body"][0]["attributes"]["value"])
    confirm = form["body"][-1]["attributes"]["options"][0]
    assert confirm["required"] is True
    assert "real patient" in confirm["label"]
    for text in (form["name"], form["description"]):
        assert re.search(r"[\u4e00-\u9fff]", text)
        assert re.search(r"[A-Za-z]{3}", text)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_in_both_languages_and_its_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    text = path.read_text(encoding="utf-8")
    assert re.search(r"[\u4e00-\u9fff]", text)
    assert re.search(r"[A-Za-z]{4}", text)
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (path.parent / link).exists(), link
    for named in re.findall(r"`((?:docs|src|tests|examples)/[A-Za-z0-9_./-]+)`", text):
        assert (ROOT / named).exists(), named
