"""The text with what was read marked in it; state by shape and sign, not by colour alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xinglin.apps.diagnosis.wording import Lang
from xinglin.measure.markup import Markup, tag, verbatim
from xinglin.serve.workbench.phrases import say

SIGN = {"present": "+", "absent": "−", "unknown": "?", "normal": "○"}
ORDER = ("present", "unknown", "absent")
UNITS = {"Y": ("年", "y"), "M": ("个月", "mo"), "W": ("周", "w"), "D": ("天", "d"), "H": ("小时", "h")}


def highlighted(text: str, findings: Sequence[dict[str, Any]], lang: Lang) -> Markup:
    """Return the text with marks; findings whose spans overlap share one mark."""
    parts: list[Markup] = []
    at = 0
    for start, end, shared in clusters(findings, len(text)):
        state = shown_state(shared)
        parts.append(verbatim(text[at:start]))
        parts.append(
            tag(
                "mark",
                verbatim(text[start:end]),
                tag("sup", SIGN[state], aria_hidden="true"),
                tag("span", f" ({say(f'state_{state}', lang)})", cls="xl-only-read"),
                cls=f"xl-mark xl-mark-{state}",
                title=_tip(shared, lang),
            )
        )
        at = end
    parts.append(verbatim(text[at:]))
    return tag("div", parts, cls="xl-text")


def clusters(findings: Sequence[dict[str, Any]], length: int) -> list[tuple[int, int, list[dict[str, Any]]]]:
    """Return (start, end, findings) of each stretch of overlapping spans, in text order."""
    spanned = [item for item in findings if item["span"] and 0 <= item["span"][0] < item["span"][1] <= length]
    grouped: list[tuple[int, int, list[dict[str, Any]]]] = []
    for item in sorted(spanned, key=lambda one: (one["span"][0], -one["span"][1])):
        start, end = item["span"]
        if grouped and start < grouped[-1][1]:
            first, last, shared = grouped[-1]
            grouped[-1] = (first, max(last, end), [*shared, item])
        else:
            grouped.append((start, end, [item]))
    return grouped


def shown_state(shared: Sequence[dict[str, Any]]) -> str:
    """Return the state of a mark: of what was read itself, derived findings only if there is nothing else.

    A measured value of which no abnormality holds is ``normal``: the value is there, the finding is not.
    """
    read = [item for item in shared if item["origin"] != "derived"] or list(shared)
    states = {item["state"] for item in read}
    if states == {"absent"} and any(item["value"] is not None for item in read):
        return "normal"
    return next(state for state in ORDER if state in states)


def _tip(shared: Sequence[dict[str, Any]], lang: Lang) -> str:
    read = [item for item in shared if item["origin"] != "derived"]
    lines = [described(item, lang) for item in read or shared]
    hidden = len(shared) - len(read)
    if read and hidden:
        lines.append(say("derived_more", lang, count=hidden))
    return "\n".join(lines)


def described(item: dict[str, Any], lang: Lang) -> str:
    """Return one finding in words: name, state, value, time, code."""
    more = [part for part in (measured(item), lasting(item["time"], lang)) if part]
    code = f"{item['code']['system']} {item['code']['value']}"
    return " · ".join([f"{item['code']['display']}: {item['state_display']}", *more, code])


def measured(item: dict[str, Any]) -> str:
    """Return a measured value with its unit, or nothing."""
    return "" if item["value"] is None else f"{item['value']:g} {item['unit'] or ''}".strip()


def lasting(time: str | None, lang: Lang) -> str:
    """Return an ISO 8601 duration of one part in words; anything else as it stands."""
    if not time:
        return ""
    clock = time.startswith("PT")
    body = time[2:-1] if clock else time[1:-1]
    if time[0] != "P" or not body.replace(".", "").isdigit():
        return time
    if clock and time[-1] == "M":
        return f"{body}分钟" if lang == "zh" else f"{body} min"
    pair = UNITS.get(time[-1])
    return time if pair is None else f"{body}{pair[0]}" if lang == "zh" else f"{body} {pair[1]}"


def legend(lang: Lang) -> Markup:
    """Return what the kinds of mark mean."""
    marks = [
        tag(
            "span",
            tag("mark", say(f"state_{state}", lang), tag("sup", SIGN[state]), cls=f"xl-mark xl-mark-{state}"),
        )
        for state in SIGN
    ]
    return tag("div", tag("span", say("legend", lang), cls="xl-label"), marks, cls="xl-legend")


def findings_table(findings: Sequence[dict[str, Any]], lang: Lang) -> Markup:
    """Return all findings as a table, those without a place in the text included."""
    heads = ("finding", "state", "value", "origin", "code")
    rows = []
    for item in findings:
        value = " · ".join(part for part in (measured(item), lasting(item["time"], lang)) if part)
        origin = say(f"origin_{item['origin']}", lang)
        mark = tag("span", f"{SIGN[item['state']]} {item['state_display']}", cls=f"xl-state-{item['state']}")
        cells = (item["code"]["display"], mark, value, origin, tag("code", item["code"]["value"]))
        rows.append(tag("tr", [tag("td", cell) for cell in cells]))
    head = tag("thead", tag("tr", [tag("th", say(name, lang), scope="col") for name in heads]))
    table = tag("table", head, tag("tbody", rows), cls="xl-table")
    summary = tag("summary", say("all_findings", lang, count=len(findings)))
    return tag("details", summary, tag("div", table, cls="xl-scroll"), cls="xl-fold")
