"""What the tools found, in sentences: red flags, differential, examinations, plans. Numbers are theirs alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from xinglin.apps.assistant import tools as t
from xinglin.apps.assistant import wording as w
from xinglin.apps.assistant.evidence import Bibliography, Sentence, Source
from xinglin.apps.assistant.strike import without_doses

URGENT = ("call_120", "emergency_now")
"""Levels that are answered before anything else."""
CANDIDATES, EXAMS, OPTIONS, PLANS = 5, 6, 8, 3
"""Most of each."""


def urgent(found: Mapping[str, Any], book: Bibliography) -> Iterator[Sentence]:
    """Yield the emergency, level and action first; nothing where the rules ask for none."""
    if found["triage_level"] not in URGENT or not found["red_flags"]:
        return
    flags = [flag for flag in found["red_flags"] if flag["level"] in URGENT]
    sources = [
        Source("tool", flag["display"], f"{flag['display']}:{flag['action']}", flag["source"])
        for flag in flags[:3]
    ]
    level, level_en = found["triage"], found["triage_en"]
    actions = " ".join(dict.fromkeys(flag["action"] for flag in flags[:3]))
    actions_en = " ".join(dict.fromkeys(flag["action_en"] for flag in flags[:3]))
    yield book.sentence(f"{w.say(w.URGENT, 'zh', level=level)}:{actions}", *sources, kind="emergency")
    yield book.sentence(f"{w.say(w.URGENT, 'en', level=level_en)}: {actions_en}", *sources, kind="emergency")
    names = w.joined([flag["display"] for flag in flags[:3]], "zh")
    yield book.sentence(w.say(w.URGENT_WHY, "zh", flags=names), *sources, kind="emergency")


def differential(found: Mapping[str, Any], book: Bibliography, lang: w.Lang) -> Iterator[Sentence]:
    """Yield candidates with the engine's own level and, if it is calibrated, its probability."""
    if found["abstained"]:
        yield book.sentence(str(found["reason"]), _tool(t.DIFFERENTIAL, str(found["reason"]), lang))
    elif found["candidates"]:
        yield Sentence(w.say(w.CANDIDATES, lang))
    if found["abstained"]:
        return
    uncalibrated = False
    for place, candidate in enumerate(found["candidates"][:CANDIDATES], 1):
        probability = candidate["probability"]
        uncalibrated |= probability is None
        shown = "" if probability is None else w.say(w.PROBABILITY, lang, value=percent(probability))
        text = w.say(
            w.CANDIDATE, lang, place=place, name=candidate["code"]["display"], level=candidate["level_display"],
            probability=shown, department=candidate["department"],
        )  # fmt: skip
        findings = [
            item["finding"]
            for item in candidate["evidence"]
            if item["origin"] == "finding" and item["weight"] > 0
        ]
        if findings:
            text += w.say(w.EVIDENCE, lang, findings=w.joined(findings[:5], lang))
        text += "。" if lang == "zh" else "."
        yield book.sentence(text, _tool(t.DIFFERENTIAL, text, lang))
    if uncalibrated:
        yield Sentence(w.say(w.UNCALIBRATED, lang))
    danger = [sign["question"] for sign in found["not_excluded"][:3]]
    if danger:
        text = w.say(w.OPEN_DANGER, lang, items=" ".join(danger))
        yield book.sentence(text, _tool(t.DIFFERENTIAL, text, lang))
    elif found["question"]:
        text = w.say(w.QUESTION, lang, question=found["question"]["text"])
        yield book.sentence(text, _tool(t.DIFFERENTIAL, text, lang))


def exams(found: Mapping[str, Any], book: Bibliography, lang: w.Lang) -> Iterator[Sentence]:
    """Yield the examinations advised, each with its reason."""
    if found["exams"]:
        yield Sentence(w.say(w.EXAMS, lang))
    for exam in found["exams"][:EXAMS]:
        text = f"{exam['display']}:{exam['reason']}({exam['available_display']})。"
        yield book.sentence(text, _tool(t.EXAMS, text, lang))


def plans(found: Mapping[str, Any], book: Bibliography, lang: w.Lang) -> Iterator[Sentence]:
    """Yield the options of each candidate, every check with its row or *not checked*."""
    for plan in found["plans"][:PLANS]:
        if not plan["options"]:
            continue
        text = w.say(w.PLAN, lang, disease=plan["disease"])
        if plan["exclude_before"]:
            text += w.say(w.PLAN_FIRST, lang, names=w.joined(plan["exclude_before"][:4], lang)) + "。"
        yield book.sentence(text, _tool(t.PLAN, text, lang))
        for option in plan["options"][:OPTIONS]:
            yield _option(plan["disease"], option, book, lang)


def _option(disease: str, option: Mapping[str, Any], book: Bibliography, lang: w.Lang) -> Sentence:
    """One option with its five checks; each that found a row cites it."""
    head, _ = without_doses(option["display"])
    source = Source(
        "graph",
        f"{disease} — {w.say(w.RELATION['option'], lang)} → {head}",
        f"{disease}:{head}",
        option["source"],
        (disease, "option", option["display"]),
    )
    sources, said, silent = [source], [], []
    for check in option["checks"]:
        if check["outcome"] == "not_checked":
            silent.append(check["check_display"])
            continue
        condition = f"({check['condition']})" if check["condition"] else ""
        said.append(f"{check['check_display']}:{check['display']}{condition}")
        row = Source(
            "graph",
            f"{head} — {check['check_display']}{condition}",
            f"{head}:{check['check_display']} {check['condition'] or ''} {check['note'] or ''}".strip(),
            check["source"] or "",
            (option["display"], check["check"], check["condition"] or ""),
        )
        sources.append(row)
    if silent:
        said.append(f"{w.joined(silent, lang)}:{w.say(w.NOT_CHECKED, lang)}")
    before = f"({option['precondition']})" if option["precondition"] and lang == "zh" else ""
    text, _ = without_doses(f"· {head}{before} — {';'.join(said)}。")
    return book.sentence(text, *sources)


def percent(probability: float) -> str:
    """Return a probability as the assistant writes it."""
    return f"{probability:.0%}"


def _tool(name: str, text: str, lang: w.Lang) -> Source:
    return Source("tool", w.say(w.TOOLS[name], lang), text, f"tool:{name}")
