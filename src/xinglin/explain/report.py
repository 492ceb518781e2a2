"""The report of one explained case: sections for any page, and one self-contained HTML file.

Pure: an explanation in, markup out. No script, no link to elsewhere, every string escaped; the same sections are
shown by the workbench.
"""

from __future__ import annotations

from xinglin.explain.basis import CaseExplanation
from xinglin.explain.change import changes
from xinglin.explain.network import network, sources
from xinglin.explain.note import legend, marked_note, strengths
from xinglin.explain.phrases import Lang, pair, plain, say, shown, typeset
from xinglin.explain.sheet import card, document, made, masthead, versions_card
from xinglin.explain.trust import alarm, checks
from xinglin.explain.waterfall import waterfall
from xinglin.measure.markup import Markup, tag, verbatim


def page(explanation: CaseExplanation, lang: Lang = "both") -> str:
    """Return the report as one HTML document; it needs no other file, no script and no network."""
    title = f"{plain(explanation.target.name, lang)} · {plain(pair('title'), lang)}"
    content = [_top(explanation, lang), _danger(explanation, lang), sections(explanation, lang)]
    return document(title, content, lang)


def sections(explanation: CaseExplanation, lang: Lang) -> list[Markup]:
    """Return everything between the head and the disclaimer, as a page of any kind shows it."""
    return [
        _answer(explanation, lang),
        *_attribution(explanation, lang),
        _paths(explanation, lang),
        versions_card(explanation.versions, explanation.time, lang),
    ]


def _top(explanation: CaseExplanation, lang: Lang) -> Markup:
    facts = [
        tag("span", tag("small", shown(name, lang)), " ", shown(value, lang))
        for name, value in explanation.patient
    ]
    return masthead(say("title", lang), [*facts, made(explanation.time, lang)], lang)


def _danger(explanation: CaseExplanation, lang: Lang) -> Markup:
    """Triage and red flags: nothing stands above them."""
    flags = None
    if explanation.red_flags:
        listed = [tag("li", shown(typeset(flag), lang)) for flag in explanation.red_flags]
        flags = tag("div", tag("b", say("red_flags", lang)), tag("ul", listed))
    level = tag("p", tag("small", say("triage", lang)), tag("strong", shown(explanation.triage, lang)))
    return tag("section", level, flags, cls=f"xw-danger xw-level-{explanation.triage_level}")


def _answer(explanation: CaseExplanation, lang: Lang) -> Markup:
    target, place = explanation.target, explanation.place
    role = say("first", lang) if place == 1 else say("explained", lang, place=place)
    heading = tag(
        "div",
        tag("small", role),
        tag("h1", shown(target.name, lang)),
        tag("p", tag("code", target.code), tag("span", _level(explanation, lang), cls="xw-pill")),
    )
    widest = max((item.share for item in explanation.candidates), default=0.0) or 1.0
    rows = [
        tag(
            "li",
            tag("span", shown(item.name, lang)),
            tag("div", tag("i", style=f"width:{100 * item.share / widest:.1f}%"), cls="xw-share"),
            cls="xw-this" if item == target else None,
        )
        for item in explanation.candidates
    ]
    calibrated = target.probability is not None
    note = None if calibrated else tag("small", say("relative", lang), cls="xw-muted")
    ranked = tag("div", tag("ol", rows, aria_label=plain(pair("candidates"), lang)), note, cls="xw-ranked")
    said = [tag("p", shown(typeset(words), lang), cls="xw-remark") for words in explanation.notes]
    return tag("section", _abstained(explanation, lang), heading, ranked, said, cls="xw-card xw-answer")


def _level(explanation: CaseExplanation, lang: Lang) -> Markup:
    probability = explanation.target.probability
    return shown(explanation.target.level, lang) if probability is None else verbatim(f"{probability:.0%}")


def _abstained(explanation: CaseExplanation, lang: Lang) -> Markup | None:
    if explanation.abstained is None:
        return None
    return tag(
        "div",
        tag("b", say("abstained", lang)),
        tag("p", shown(typeset(explanation.abstained), lang)),
        tag("p", say("abstained_body", lang)),
        cls="xw-alarm",
        role="alert",
    )


def _attribution(explanation: CaseExplanation, lang: Lang) -> list[Markup]:
    """The marked note; the waterfall and what would change the answer; beside them, whether they can be trusted."""
    attribution, faithfulness = explanation.attribution, explanation.faithfulness
    change = card("change", lang, changes(explanation, lang))
    if attribution is None:
        text = marked_note(explanation, lang) if explanation.text.strip() else None
        return [card("note", lang, tag("p", say("no_text", lang), cls="xw-remark"), text), change]
    warning = alarm(faithfulness, lang) if faithfulness is not None else None
    moved = any(strengths(attribution))
    flat = None if moved else tag("p", say("flat", lang), cls="xw-remark")
    asked = say("asked", lang, count=attribution.evaluations, seconds=f"{attribution.seconds:.1f}")
    method = tag("p", tag("b", say(f"method_{attribution.method}", lang)), " · ", asked, cls="xw-muted")
    note = card("note", lang, warning, flat, marked_note(explanation, lang), legend(lang))
    drawn = card(
        "waterfall",
        lang,
        waterfall(explanation, lang),
        tag("p", say("waterfall_hint", lang), cls="xw-muted"),
        method,
    )
    trust = card("trust", lang, checks(faithfulness, lang), cls="xw-trust")
    return [note, tag("div", tag("div", drawn, change), trust, cls="xw-pair")]


def _paths(explanation: CaseExplanation, lang: Lang) -> Markup:
    if not explanation.paths:
        return card("paths", lang, tag("p", say("paths_none", lang), cls="xw-remark"))
    evidence = explanation.versions.engine != "model"
    hint = tag("p", say("paths_hint", lang), " · ", say("dashed_line", lang), " · ", say("dashed_box", lang))
    listed = tag("details", tag("summary", say("sources", lang)), sources(explanation, lang), open=True)
    return card(
        "paths", lang, network(explanation, lang, evidence=evidence), tag("div", hint, cls="xw-muted"), listed
    )
