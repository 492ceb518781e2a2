"""The patient's CT on the case page: what was seen in it, and how much of the evidence it is."""

from __future__ import annotations

from typing import Any

from xinglin.apps.diagnosis.wording import Lang, joined
from xinglin.apps.imaging.marks import decisions, is_same
from xinglin.measure.markup import Markup, tag
from xinglin.serve.fusing import Seen
from xinglin.serve.workbench.desk import Visitor
from xinglin.serve.workbench.icons import icon
from xinglin.serve.workbench.phrases import say

MAX_SHARE = 6.0
"""Log-odds at which a bar is full."""


def seen_in_study(visitor: Visitor, key: str) -> list[Seen]:
    """Return the nodules of an open study: accepted ones as confirmed, rejected ones left out.

    Raises:
        UnknownNameError: the study is not open, or not this user's.
    """
    study = visitor.desk.studies.get(key, visitor.user)
    found = decisions(visitor.desk.store, study.scan.series or study.scan.frame)
    mine = [one for one in found if one.actor == visitor.user and one.mark.point.frame == study.scan.frame]
    marks = [*study.marks]
    marks += [one.mark for one in mine if not any(is_same(one.mark, mark) for mark in marks)]
    seen = []
    for number, mark in enumerate(marks, 1):
        state = next((one.state for one in mine if is_same(one.mark, mark)), "unknown")
        if state != "absent":
            seen.append(Seen(number, mark.diameter, state == "present"))
    return seen


def card(answer: dict[str, Any], lang: Lang) -> Markup | None:
    """Return the card, ``None`` for a case without a CT."""
    image = answer.get("image")
    if not image:
        return None
    heading = tag("h2", icon("layers"), say("image_share", lang))
    hint = tag("small", say("image_share_hint", lang), cls="xl-muted")
    return tag(
        "section",
        tag("div", heading, hint, cls="xl-row"),
        content(image, lang),
        cls="xl-card xl-image",
        data_key="image-share",
    )


def content(image: dict[str, Any], lang: Lang) -> list[Markup]:
    """Return what was seen, the shares, and the rankings without and with it; for the page and for print."""
    parts = [_seen(item, lang) for item in image["findings"]]
    parts.append(tag("p", image["counted_display"]))
    if image["shares"]:
        parts.append(_table(image, lang))
    rankings = [_ranking("image_without", image["without_image"], lang)]
    if image["counted"] != "confirmed":
        rankings.append(_ranking("image_confirmed", image["if_confirmed"], lang))
    parts += [part for part in rankings if part is not None]
    if image["note"]:
        parts.append(tag("p", image["note"], cls="xl-muted"))
    return parts


def _seen(item: dict[str, Any], lang: Lang) -> Markup:
    parts = [item["code"]["display"]]
    if item["largest_mm"] is not None:
        parts.append(f"{item['largest_mm']:g} mm")
    if item["likelihood_ratio"] is not None:
        parts.append(say("image_ratio", lang, ratio=f"{item['likelihood_ratio']:.1f}"))
    return tag("p", tag("b", " · ".join(parts)))


def _table(image: dict[str, Any], lang: Lang) -> Markup:
    names = image["origins"]
    heads = [tag("th", text, scope="col") for text in ("", say("image_base", lang), *names.values())]
    rows = [
        tag(
            "tr",
            tag("th", row["display"], scope="row"),
            tag("td", _signed(row["base"]), cls="xl-number"),
            [_cell(row["by_origin"].get(name)) for name in names],
        )
        for row in image["shares"]
    ]
    return tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows), cls="xl-shares")


def _cell(value: float | None) -> Markup:
    if value is None:
        return tag("td", "—", cls="xl-number")
    width = min(100.0, 100 * abs(value) / MAX_SHARE)
    bar = tag(
        "i", style=f"width:{width:.0f}%", cls="xl-for" if value >= 0 else "xl-against", aria_hidden="true"
    )
    return tag("td", tag("span", _signed(value)), tag("span", bar, cls="xl-share"), cls="xl-number")


def _ranking(title: str, rows: list[dict[str, Any]] | None, lang: Lang) -> Markup | None:
    if not rows:
        return None
    names = [row["display"] for row in rows[:5]]
    return tag("p", tag("b", f"{say(title, lang)}: "), joined(names, lang))


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")
