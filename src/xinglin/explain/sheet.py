"""The sheet that reports are written on: one self-contained document, cards, versions, foot.

No script, no link to elsewhere, every string escaped.
"""

from __future__ import annotations

from pathlib import Path

from xinglin.explain.basis import DataSet, Versions
from xinglin.explain.phrases import Lang, pair, plain, say, shown, typeset
from xinglin.measure.markup import Child, Markup, html_page, tag, verbatim
from xinglin.types import DISCLAIMER

STYLE = Path(__file__).with_name("report.css")
NAME = ("杏林", "Xinglin")
LANGUAGE = {"zh": "zh-CN", "en": "en", "both": "zh-CN"}


def document(title: str, content: Child, lang: Lang, *, style: str = "") -> str:
    """Return one HTML document that needs no other file, no script and no network.

    Args:
        title: of the window, as plain text.
        content: everything between the head and the disclaimer.
        lang: of the document.
        style: CSS of this report alone.
    """
    body = tag("body", tag("main", content, foot(lang)), cls="xw xw-page")
    return html_page(title, STYLE.read_text(encoding="utf-8") + style, body, LANGUAGE[lang])


def masthead(title: Child, facts: Child, lang: Lang) -> Markup:
    """Return the line at the top: the house, what this is, the facts of what it is about."""
    brand = tag("p", shown(NAME, "both" if lang == "both" else lang), " · ", title, cls="xw-brand")
    return tag("header", brand, tag("p", facts, cls="xw-facts"), cls="xw-top")


def made(time: str, lang: Lang) -> Markup:
    """Return when the report was made, as a fact of the masthead."""
    return tag("span", tag("small", say("made", lang)), " ", time.replace("T", " ")[:16])


def card(title: str, lang: Lang, *content: Child, cls: str = "", **values: object) -> Markup:
    """Return one card with its heading, a key of the phrases."""
    return tag("section", tag("h2", say(title, lang, **values)), content, cls=f"xw-card {cls}".strip())


def foot(lang: Lang) -> Markup:
    """Return the disclaimer."""
    return tag("footer", shown(typeset((DISCLAIMER["zh"], DISCLAIMER["en"])), lang), cls="xw-foot")


def versions_card(given: Versions, time: str, lang: Lang) -> Markup:
    """Return what answered, to the digest, and the data it was trained on."""
    rows: list[tuple[str, Child]] = [
        ("package", f"xinglin {given.package}"),
        ("engine", say(f"engine_{given.engine}", lang)),
        ("pack", _digest(given.pack)),
    ]
    if given.model is not None:
        rows.append(("model", [verbatim(given.model), " ", _digest(given.model_id or "")]))
    if given.join is not None:
        rows.append(("join", verbatim(given.join)))
    if given.data:
        listed = tag("ul", [_data(item, lang) for item in given.data], cls="xw-data")
        weak = sum(item.weak for item in given.data)
        told = tag("summary", say("data_sets", lang, count=len(given.data), weak=weak))
        rows.append(("data", tag("details", told, listed)))
    rows.append(("made", time))
    table = [tag("tr", tag("th", say(name, lang), scope="row"), tag("td", value)) for name, value in rows]
    return card("versions", lang, tag("table", tag("tbody", table), cls="xw-table"))


def _data(item: DataSet, lang: Lang) -> Markup:
    facts = [item.licence, plain(pair("records", count=f"{item.records:,}"), lang) if item.records else ""]
    facts.append(plain(pair("weak"), lang) if item.weak else "")
    told = " · ".join(fact for fact in facts if fact)
    digest = [" ", _digest(item.sha256[:16])] if item.sha256 else None
    return tag("li", tag("b", verbatim(item.name)), tag("small", verbatim(told), digest))


def _digest(words: str) -> Markup:
    return tag("code", verbatim(words))
