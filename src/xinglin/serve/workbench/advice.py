"""Below the differential: what cannot be excluded, which examinations, which danger signs to ask for."""

from __future__ import annotations

from typing import Any

from xinglin.apps.diagnosis.wording import Lang
from xinglin.measure.markup import Markup, tag
from xinglin.serve.workbench.icons import icon
from xinglin.serve.workbench.phrases import say
from xinglin.serve.workbench.verdict import source_badge

SHOWN = 8


def cannot_exclude(answer: dict[str, Any], lang: Lang) -> Markup | None:
    """Return the prediction set as chips."""
    if not answer["prediction_set"]:
        return None
    chips = [
        tag("a", item["display"], tag("code", item["value"]), href=f"/graph?node={item['id']}", cls="xl-chip")
        for item in answer["prediction_set"]
    ]
    heading = tag(
        "h2", icon("shield"), say("cannot_exclude", lang), tag("span", str(len(chips)), cls="xl-count")
    )
    return tag("section", heading, tag("div", chips, cls="xl-chips"), cls="xl-card")


def examinations(answer: dict[str, Any], lang: Lang) -> Markup | None:
    """Return the examinations: here, by referral, and those for later."""
    if not answer["exams"]:
        return None
    now = [exam for exam in answer["exams"] if exam["stage"] == "now"]
    later = [exam for exam in answer["exams"] if exam["stage"] != "now"]
    columns = [
        _column(say("exams_here", lang), [exam for exam in now if exam["available"]], "here", lang),
        _column(say("exams_away", lang), [exam for exam in now if not exam["available"]], "away", lang),
    ]
    after = None
    if later:
        after = tag("div", _column(say("exams_later", lang), later, "later", lang), cls="xl-later")
    heading = tag("h2", icon("flask"), say("exams", lang))
    return tag("section", heading, tag("div", columns, cls="xl-exams"), after, cls="xl-card")


def _column(title: str, exams: list[dict[str, Any]], kind: str, lang: Lang) -> Markup:
    rows = [
        tag(
            "li",
            tag("b", exam["display"]),
            tag("span", say("repeat", lang), cls="xl-badge") if exam["repeat"] else None,
            tag("span", exam["available_display"], cls="xl-badge") if kind == "later" else None,
            tag("p", exam["reason"]),
        )
        for exam in exams
    ]
    symbol = {"here": "check", "away": "branch", "later": "clock"}[kind]
    content = tag("ul", rows) if rows else tag("p", say("no_exams", lang), cls="xl-muted")
    return tag("div", tag("h3", icon(symbol, 15), title), content, cls=f"xl-exam-{kind}")


def danger_signs(answer: dict[str, Any], lang: Lang) -> Markup | None:
    """Return the danger signs not yet excluded: the question to ask, and what it would point to."""
    signs = answer["not_excluded"]
    if not signs:
        return None
    rows = [
        tag(
            "li",
            tag("b", sign["display"]),
            tag("p", sign["question"]),
            tag("small", sign["condition"], source_badge(sign["source"], lang)),
        )
        for sign in signs
    ]
    heading = tag("h2", icon("alarm"), say("open_danger", lang), tag("span", str(len(signs)), cls="xl-count"))
    shown = [tag("ul", rows[:SHOWN], cls="xl-signs")]
    if len(rows) > SHOWN:
        more = tag("summary", say("show_more", lang, count=len(rows) - SHOWN))
        shown.append(tag("details", more, tag("ul", rows[SHOWN:], cls="xl-signs"), cls="xl-fold"))
    hint = tag("small", say("open_danger_hint", lang), cls="xl-muted")
    return tag("section", tag("div", heading, hint, cls="xl-row"), shown, cls="xl-card xl-danger")
