"""Markdown: every requirement once, what is missing called missing, nothing hostile, the same bytes."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from tests.release.dossier.made import HOSTILE, NODULES, TEXT, everything, recorded, version
from xinglin.release.dossier import as_markdown, build
from xinglin.release.dossier.questions import TITLES, requirements
from xinglin.release.dossier.values import MISSING
from xinglin.types import DISCLAIMER

NAMES = sorted(TITLES)


def claims(markdown: str) -> set[str]:
    return {
        line
        for line in markdown.splitlines()
        if re.match(r" *- ", line) and not line.startswith(f"- **{MISSING}")
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("model", [NODULES, TEXT])
def test_every_requirement_is_printed_once(name: str, model: str) -> None:
    text = as_markdown(build(version(model), name))
    headings = re.findall(r"^### (\S+) ·", text, re.MULTILINE)
    assert headings == [item.id for item in requirements(name)]
    assert DISCLAIMER["zh"] in text
    assert "no legal advice" in text
    unverified = [item for item in requirements(name) if not item.verified]
    assert text.count("· 原文未核对 text unverified*") == len(unverified)


def test_every_claim_links_to_an_entry_of_the_index() -> None:
    text = as_markdown(build(version(), "nmpa"))
    links = re.findall(r"^- .*\]\(#([\w-]+)\)", text, re.MULTILINE)
    anchors = re.findall(r'<a id="([\w-]+)"></a>', text)
    assert len(links) > 20
    assert set(links) <= set(anchors)
    assert len(anchors) == len(set(anchors)) == len(everything()) + 2
    assert all(item.digest in text for item in everything())
    outside = [line for line in text.splitlines() if line.startswith("- ") and "](#" not in line]
    assert outside
    assert all(line.startswith(f"- **{MISSING}") for line in outside)


@pytest.mark.parametrize("place", range(len(everything())), ids=lambda place: everything()[place].kind)
def test_removing_evidence_never_adds_text_that_claims_it(place: int) -> None:
    less = version(evidence=[item for other, item in enumerate(everything()) if other != place])
    for name in NAMES:
        whole, rest = (claims(as_markdown(build(made, name))) for made in (version(), less))
        assert len(whole) > 20
        assert rest <= whole


def test_what_a_person_says_and_what_is_weak_is_called_so() -> None:
    text = as_markdown(build(version(), "nmpa"))
    assert "人员声明 statement by a person · 声明人 stated by 李医生 · [账本 ledger #27" in text
    assert "批准 approval · 声明人 stated by 王主任" in text
    assert "(注意 note: 无区间 no interval; 无样本量 no n; 弱标签或合成数据" in text


def test_a_hostile_text_is_only_text() -> None:
    content = {"requirement": "nmpa-8-05", "zh": HOSTILE, "en": HOSTILE, "person": HOSTILE}
    harmless = {**content, "zh": "甲", "en": "甲", "person": "甲"}
    text, clean = (
        as_markdown(build(version(evidence=[recorded("statement", each, 11)]), "nmpa"))
        for each in (content, harmless)
    )
    html, plain = (MarkdownIt("commonmark").enable("table").render(each) for each in (text, clean))
    assert "<script" not in html
    assert "javascript:y)" in html
    for mark in ("<h", "<a ", "<code", "<strong", "<em", "<td"):
        assert html.count(mark) == plain.count(mark) > 0, mark


def test_it_is_the_same_every_time() -> None:
    for name in NAMES:
        assert as_markdown(build(version(), name)) == as_markdown(build(version(), name))
    assert "2026-11-28T10:00:28+00:00" in as_markdown(build(version(), "eu"))
