"""The top of an answer: triage, red flags, what was read, what to check, why there is no ranking."""

from __future__ import annotations

from typing import Any

from xinglin.apps.diagnosis.wording import Lang, aged, joined
from xinglin.graph.knowledge import TRIAGE
from xinglin.measure.markup import Markup, tag
from xinglin.serve.workbench.highlight import findings_table, highlighted, legend
from xinglin.serve.workbench.icons import icon
from xinglin.serve.workbench.phrases import say

TRIAGE_ICON = {
    "home": "home",
    "outpatient": "door",
    "within_24h": "clock",
    "emergency_now": "alarm",
    "call_120": "stop",
}
UNREVIEWED = "authored, unreviewed"


def triage_banner(answer: dict[str, Any], lang: Lang) -> Markup:
    """Return the banner: icon, words, and the step on a scale of five."""
    level = answer["triage_level"]
    step = TRIAGE.index(level) + 1
    scale = tag("span", [tag("i", cls="on" if n < step else None) for n in range(5)], aria_hidden="true")
    words = tag(
        "div",
        tag("small", say("triage", lang)),
        tag("strong", answer["triage"]),
        cls="xl-triage-words",
    )
    meter = tag("div", scale, tag("small", say("triage_step", lang, step=step)), cls="xl-triage-meter")
    return tag(
        "div", icon(TRIAGE_ICON[level], 34), words, meter, cls=f"xl-triage xl-level-{level}", role="status"
    )


def source_badge(source: str, lang: Lang, reviewed_by: str | None = None) -> Markup:
    """Return where a row comes from, and that nobody has reviewed it if so."""
    if reviewed_by:
        return tag(
            "span", say("reviewed_by", lang, name=reviewed_by), cls="xl-badge xl-badge-good", title=source
        )
    if source == UNREVIEWED:
        return tag("span", say("unreviewed", lang), cls="xl-badge", title=source)
    return tag("span", f"{say('source', lang)}: {source}", cls="xl-badge")


def red_flags(answer: dict[str, Any], lang: Lang) -> Markup | None:
    """Return the red flags, the gravest first, each with its action and source."""
    flags = sorted(answer["red_flags"], key=lambda flag: -TRIAGE.index(flag["level"]))
    if not flags:
        return None
    rows = [
        tag(
            "li",
            tag(
                "div",
                icon(TRIAGE_ICON[flag["level"]]),
                tag("b", flag["display"]),
                tag("span", flag["level_display"], cls=f"xl-pill xl-level-{flag['level']}"),
                cls="xl-flag-head",
            ),
            tag("p", flag["action"]),
            tag(
                "small",
                f"{say('facts', lang)}: {joined(flag['facts'], lang)}",
                source_badge(flag["source"], lang),
            ),
            cls=f"xl-flag xl-edge-{flag['level']}",
        )
        for flag in flags
    ]
    heading = tag("h2", icon("flag"), say("red_flags", lang), tag("span", str(len(flags)), cls="xl-count"))
    shown: list[Markup] = [tag("ul", rows[:3], cls="xl-flags")]
    if len(rows) > 3:
        more = tag("summary", say("show_more", lang, count=len(rows) - 3))
        shown.append(tag("details", more, tag("ul", rows[3:], cls="xl-flags"), cls="xl-fold"))
    return tag("section", heading, shown, cls="xl-card xl-red")


def patient_line(patient: dict[str, Any], lang: Lang) -> list[tuple[str, str]]:
    """Return the stated facts of the header as (name, value); what is unknown is left out."""
    stated: list[tuple[str, str]] = []
    if patient["age"] is not None:
        stated.append((say("age", lang), aged(patient["age"], lang)))
    if patient["sex"]:
        stated.append((say("sex", lang), say(patient["sex"], lang)))
    if patient["pregnant"] is not None or patient["lactating"]:
        weeks = patient["gestation_weeks"]
        words = say("pregnant", lang) if patient["pregnant"] else ""
        words += f" {weeks:g} {'周' if lang == 'zh' else 'weeks'}" if words and weeks is not None else ""
        words = words or (say("lactating", lang) if patient["lactating"] else say("state_absent", lang))
        stated.append((say("motherhood", lang), words))
    for name in ("allergies", "drugs"):
        if patient[name] is not None:
            none = say("state_absent", lang) if lang == "zh" else "none stated"
            stated.append((say(name, lang), "、".join(patient[name]) or none))
    if patient["egfr"] is not None:
        stated.append((say("egfr", lang), f"{patient['egfr']:g}"))
    return stated


def reading(text: str, answer: dict[str, Any], lang: Lang) -> Markup:
    """Return the marked text, its legend, the header as read and the table of all findings."""
    facts = [
        tag("span", tag("small", name), " ", value, cls="xl-fact")
        for name, value in patient_line(answer["patient"], lang)
    ]
    header = (
        tag("div", tag("span", say("read_as", lang), cls="xl-label"), facts, cls="xl-facts")
        if facts
        else None
    )
    return tag(
        "section",
        tag("div", tag("h2", icon("list"), say("text_read", lang)), legend(lang), cls="xl-row"),
        highlighted(text, answer["findings"], lang) if text.strip() else None,
        header,
        findings_table(answer["findings"], lang) if answer["findings"] else None,
        cls="xl-card",
    )


def problems(answer: dict[str, Any], lang: Lang) -> Markup | None:
    """Return what the reader could not make sense of."""
    if not answer["problems"]:
        return None
    rows = tag("ul", [tag("li", problem) for problem in answer["problems"]])
    return tag("section", tag("h2", icon("alarm"), say("problems", lang)), rows, cls="xl-card xl-warn")


def abstention(answer: dict[str, Any], lang: Lang) -> Markup | None:
    """Return why no ranking is claimed."""
    if not answer["abstained"]:
        return None
    heading = tag("h2", icon("shield"), say("abstained", lang))
    return tag("section", heading, tag("p", answer["reason"]), cls="xl-card xl-abstain")
