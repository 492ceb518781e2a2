"""The record under annotation: its words with marks in them, its header, its results; and an arbiter's two labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise

from xinglin.apps.diagnosis.wording import Lang
from xinglin.labels.answer import Answer
from xinglin.labels.arbitrate import Opinion
from xinglin.labels.scheme import Scheme
from xinglin.measure.markup import Markup, tag, verbatim
from xinglin.serve.workbench.annotate_confidence import LEVELS
from xinglin.serve.workbench.icons import icon
from xinglin.serve.workbench.phrases import say
from xinglin.serve.workbench.verdict import patient_line
from xinglin.types import Code, Event, Record

Span = tuple[int, int]
EVENTS = 12
"""Results shown before the rest is folded."""


def named(scheme: Scheme, code: Code, lang: Lang) -> str:
    """Return the name of a code in a language, as far as the scheme has it."""
    found = next((one for one in scheme.classes if one.code == code), None)
    if found is None:
        return code.display or code.value
    return (found.zh or found.en) if lang == "zh" else (found.en or found.zh)


def answered(scheme: Scheme, answer: Answer, lang: Lang) -> str:
    """Return the names of an answer in a language."""
    return ("、" if lang == "zh" else ", ").join(named(scheme, code, lang) for code in answer) or say(
        "none_applies", lang
    )


def words(text: str, own: Sequence[Span], model: Sequence[Span]) -> Markup:
    """Return the text with marks; what one marked and what the model rests on may overlap.

    The element's text is the record's, character for character: the page counts offsets in it.
    """
    cuts = sorted({0, len(text), *(edge for span in (*own, *model) for edge in span)})
    parts: list[Markup] = []
    for start, end in pairwise(cuts):
        kinds = [
            kind
            for kind, spans in (("own", own), ("model", model))
            if any(first <= start and end <= last for first, last in spans)
        ]
        piece = verbatim(text[start:end])
        parts.append(tag("mark", piece, cls=" ".join(f"xa-{kind}" for kind in kinds)) if kinds else piece)
    return tag("div", parts, cls="xa-text", lang="zh")


def case_card(record: Record, own: Sequence[Span], model: Sequence[Span], lang: Lang) -> Markup:
    """Return the whole record."""
    facts = [
        tag("span", tag("small", name), " ", value, cls="xl-fact")
        for name, value in patient_line(asdict(record.patient), lang)
    ]
    text = (
        words(record.text, own, model)
        if record.text.strip()
        else tag("p", say("case_no_text", lang), cls="xl-muted")
    )
    return tag(
        "div",
        tag("div", facts, cls="xl-facts") if facts else None,
        text,
        _events(record.events, lang) if record.events else None,
    )


def _events(events: Sequence[Event], lang: Lang) -> Markup:
    rows = [_event(event) for event in events]
    table = tag("table", tag("tbody", rows[:EVENTS]), cls="xl-table xa-events")
    head = tag("h3", icon("flask", 15), say("case_events", lang, count=len(events)))
    more = None
    if len(rows) > EVENTS:
        summary = tag("summary", say("show_more", lang, count=len(rows) - EVENTS))
        more = tag(
            "details", summary, tag("table", tag("tbody", rows[EVENTS:]), cls="xl-table"), cls="xl-fold"
        )
    return tag("div", head, tag("div", table, more, cls="xl-scroll"), cls="xa-results")


def _event(event: Event) -> Markup:
    value = "" if event.value is None else verbatim(f"{event.value} {event.unit or ''}".strip())
    range_ = "" if event.low is None and event.high is None else f"{event.low or ''}–{event.high or ''}"
    return tag(
        "tr",
        tag("td", verbatim(event.code.display or event.code.value)),
        tag("td", value, cls="xl-number"),
        tag("td", range_, cls="xl-muted"),
        tag("td", (event.time or "")[:10], cls="xl-muted"),
    )


def opinions_card(opinions: Sequence[Opinion], text: str, scheme: Scheme, lang: Lang) -> Markup:
    """Return the labels an arbiter decides between, side by side, without names."""
    same = len({opinion.codes for opinion in opinions}) == 1 and opinions[0].codes is not None
    hint = say("opinions_same" if same else "opinions_hint", lang)
    return tag(
        "section",
        tag("div", tag("h2", icon("branch"), say("opinions", lang)), tag("small", hint), cls="xl-heading"),
        tag(
            "div",
            [
                _opinion(opinion, letter, text, scheme, lang)
                for letter, opinion in zip("ABCDEFGH", opinions, strict=False)
            ],
            cls="xa-opinions",
        ),
        cls="xl-card",
    )


def _opinion(opinion: Opinion, letter: str, text: str, scheme: Scheme, lang: Lang) -> Markup:
    if opinion.codes is None:
        body = tag("p", say("opinion_passed", lang, reason=passed(opinion.reason or "", lang)))
    else:
        name = tag("strong", answered(scheme, opinion.codes, lang))
        body = tag("div", name, tag("code", " ".join(code.value for code in opinion.codes)))
    changed = None
    if opinion.codes is not None and opinion.blind is not None and opinion.blind != opinion.codes:
        before = answered(scheme, opinion.blind, lang)
        changed = tag("small", say("opinion_changed", lang, name=before), cls="xl-muted")
    level = next((word for _, word, value in LEVELS if value == opinion.confidence), None)
    quotes = [tag("q", verbatim(text[start:end])) for start, end in opinion.spans if end <= len(text)]
    return tag(
        "div",
        tag("small", say("opinion", lang, letter=letter), cls="xl-label"),
        body,
        tag("small", say("sure", lang), ": ", say(f"sure_{level}", lang), cls="xl-muted") if level else None,
        changed,
        tag("div", quotes, cls="xa-quotes") if quotes else None,
        cls="xa-opinion",
    )


def passed(reason: str, lang: Lang) -> str:
    """Return why a case was passed on, in words."""
    kind, _, note = reason.partition(": ")
    known = say(f"pass_{kind}", lang) if kind in ("unreadable", "not_covered", "identifying") else ""
    return " · ".join(part for part in (known, note) if part)
