"""The differential: one bar a candidate, opened to its evidence, exclusions and management options."""

from __future__ import annotations

from typing import Any

from xinglin.apps.diagnosis.wording import MODEL_SHARE, Lang, weights_from
from xinglin.apps.diagnosis.wording import say as words
from xinglin.measure.markup import Markup, tag
from xinglin.measure.typography import full_width
from xinglin.serve.workbench.icons import icon
from xinglin.serve.workbench.phrases import say
from xinglin.serve.workbench.verdict import source_badge

CHECK_ICON = {
    "avoid": "forbid",
    "caution": "alarm",
    "clear": "check",
    "unknown_patient": "ask",
    "not_checked": "dash",
}
MAX_WEIGHT = 5.0
"""Log-likelihood ratio at which an evidence bar is full."""


def percent_note(answer: dict[str, Any], lang: Lang) -> Markup:
    """Return what the bars mean, and why there are no percentages."""
    if answer["candidates"] and answer["candidates"][0]["calibrated"]:
        return tag("p", say("percent", lang, data=answer["calibrated_on"]), cls="xl-note-line")
    uncalibrated = "no_percent_model" if answer["model"]["encoder"] else "no_percent"
    key = "no_percent_set" if answer["calibrated_on"] else uncalibrated
    return tag("p", say(key, lang), cls="xl-note-line")


def summary(rank: int, item: dict[str, Any], widest: float, lang: Lang) -> Markup:
    """Return the line of one candidate."""
    width = max(2.0, 100 * item["score"] / widest) if widest > 0 else 0.0
    level = f"{item['probability']:.0%}" if item["calibrated"] else item["level_display"]
    severity = item["severity"]
    grave = severity in ("lethal", "serious")
    told = [e for e in item["evidence"] if e["weight"] > 0 and e["state"] == "present"]
    reasons = [e["finding"] for e in told if e["origin"] == "finding"][:4]
    reasons += [say("model_share", lang) for e in told if e["origin"] == "model"]
    return tag(
        "div",
        tag("span", str(rank), cls="xl-rank"),
        tag(
            "div",
            tag(
                "div",
                tag("b", item["code"]["display"]),
                tag("code", item["code"]["value"], title=item["code"]["system"]),
                tag("span", say(f"severity_{severity}", lang), cls=f"xl-pill xl-{severity}")
                if grave
                else None,
                cls="xl-cand-name",
            ),
            tag("small", ("、" if lang == "zh" else ", ").join(reasons), cls="xl-cand-why"),
        ),
        tag(
            "div",
            tag("i", style=f"width:{width:.1f}%"),
            cls=f"xl-bar xl-bar-{item['level']}",
            aria_hidden="true",
        ),
        tag("span", level, cls=f"xl-level-word xl-word-{item['level']}"),
        tag("span", "", cls="xl-chevron", aria_hidden="true"),
        cls="xl-cand-line",
    )


def details(item: dict[str, Any], model: dict[str, Any], lang: Lang) -> Markup:
    """Return what opens under a candidate.

    Args:
        item: the candidate of a rendered answer.
        model: which model answered (``answer["model"]``).
        lang: language of the page.
    """
    provenance = item["provenance"]
    rows = say("knowledge_rows", lang, **provenance)
    badge = None if provenance["reviewed"] else tag("span", say("unreviewed", lang), cls="xl-badge")
    link = tag("a", say("in_graph", lang), href=f"/graph?node={item['code']['id']}")
    department = tag("span", f"{say('department', lang)}: {item['department']}") if lang == "zh" else None
    return tag(
        "div",
        tag("div", _evidence(item, model, 1, lang), _evidence(item, model, -1, lang), cls="xl-evidence"),
        _exclusions(item, lang),
        _options(item, lang),
        tag("footer", tag("span", rows), badge, department, link),
        cls="xl-cand-body",
    )


def _named(entry: dict[str, Any], model: dict[str, Any], lang: Lang) -> Markup:
    if entry["origin"] == "model":
        rests = tag("small", full_width(weights_from(model["join"], lang)))
        return tag("th", words(MODEL_SHARE, lang), rests, scope="row")
    return tag("th", entry["finding"], tag("small", say(f"state_{entry['state']}", lang)), scope="row")


def _evidence(item: dict[str, Any], model: dict[str, Any], side: int, lang: Lang) -> Markup:
    chosen = [e for e in item["evidence"] if e["weight"] * side > 0]
    chosen.sort(key=lambda entry: -abs(entry["weight"]))
    # The model's share is always among what is shown.
    listed = [e for e in chosen if e["origin"] == "finding"][:8]
    listed += [e for e in chosen if e["origin"] == "model"]
    rows = [
        tag(
            "tr",
            _named(entry, model, lang),
            tag(
                "td",
                tag("i", style=f"width:{min(100.0, 100 * abs(entry['weight']) / MAX_WEIGHT):.0f}%"),
                cls="xl-weight",
            ),
            tag("td", f"{entry['weight']:+.1f}".replace("-", "−"), cls="xl-number"),
        )
        for entry in sorted(listed, key=lambda entry: -abs(entry["weight"]))
    ]
    heading = say("evidence_for" if side > 0 else "evidence_against", lang)
    content = tag("table", tag("tbody", rows)) if rows else tag("p", say("no_evidence", lang), cls="xl-muted")
    kind = "for" if side > 0 else "against"
    return tag(
        "div", tag("h3", icon("plus" if side > 0 else "minus", 15), heading), content, cls=f"xl-{kind}"
    )


def _exclusions(item: dict[str, Any], lang: Lang) -> Markup | None:
    if not item["exclude_before"]:
        return None
    chips = [
        tag("span", other["display"], tag("code", other["value"]), cls="xl-chip xl-chip-exclude")
        for other in item["exclude_before"]
    ]
    return tag(
        "div", tag("h3", icon("shield", 15), say("exclude_first", lang)), tag("div", chips, cls="xl-chips")
    )


def _options(item: dict[str, Any], lang: Lang) -> Markup:
    heading = tag("h3", icon("list", 15), say("options", lang))
    if not item["options"]:
        return tag("div", heading, tag("p", say("no_options", lang), cls="xl-muted"))
    return tag(
        "div", heading, tag("ul", [_option(option, lang) for option in item["options"]], cls="xl-options")
    )


def _option(option: dict[str, Any], lang: Lang) -> Markup:
    checks = [_check(check) for check in option["checks"]]
    remarks = []
    if option["precondition"]:
        remarks.append(tag("p", tag("b", f"{say('precondition', lang)}: "), option["precondition"]))
    if option["note"]:
        remarks.append(tag("p", option["note"]))
    remarks += [
        tag("p", tag("b", f"{check['check_display']}: "), check["note"], cls=f"xl-remark-{check['outcome']}")
        for check in option["checks"]
        if check["note"] and check["outcome"] in ("avoid", "caution")
    ]
    return tag(
        "li",
        tag(
            "div",
            tag("b", option["display"]),
            tag("small", option["kind_display"]),
            source_badge(option["source"], lang, option["reviewed_by"]),
            cls="xl-option-head",
        ),
        remarks,
        tag("div", checks, cls="xl-checks"),
        cls=f"xl-option xl-option-{option['outcome']}",
    )


def _check(check: dict[str, Any]) -> Markup:
    words = [check["check_display"], check["display"]]
    if check["condition"] and check["outcome"] in ("avoid", "caution", "unknown_patient"):
        words[1] += f"({check['condition']})"
    tip = " · ".join(part for part in (check["condition"], check["note"], check["source"]) if part)
    return tag(
        "span",
        icon(CHECK_ICON[check["outcome"]], 14),
        tag("small", words[0]),
        tag("span", words[1]),
        cls=f"xl-check xl-check-{check['outcome']}",
        title=tip or None,
    )
