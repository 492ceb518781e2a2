"""The printed case report: one or two pages of A4, nothing of the screen around it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from xinglin.apps.diagnosis.wording import MODEL_SHARE, Lang, joined, model_line, weights_from
from xinglin.apps.diagnosis.wording import say as words
from xinglin.measure.markup import Child, Markup, tag
from xinglin.serve.workbench import image_share
from xinglin.serve.workbench.consult import Consultation
from xinglin.serve.workbench.highlight import highlighted
from xinglin.serve.workbench.phrases import say
from xinglin.serve.workbench.verdict import patient_line

HEAD = ("鉴别诊断辅助报告", "Differential diagnosis report")
NAMES = ("姓名", "Name"), ("日期", "Date"), ("医师签名", "Clinician's signature")


def report(result: Consultation, answers: dict[str, str], lang: Lang) -> Markup:
    """Return the report of an answer."""
    answer, zh = result.rendered, lang == "zh"
    name, day, signature = (pair[0 if zh else 1] for pair in NAMES)
    stamp = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    facts = [(name, "____________"), *patient_line(answer["patient"], lang), (day, stamp)]
    header = tag("p", [tag("span", tag("b", f"{key}: "), value) for key, value in facts], cls="xl-r-facts")
    return tag(
        "article",
        tag("p", say("stale", lang), cls="xl-r-stale"),
        tag("h1", HEAD[0 if zh else 1]),
        header,
        _part(say("complaint", lang), highlighted(result.text, answer["findings"], lang)),
        tag("p", tag("b", f"{say('triage', lang)}: "), answer["triage"], cls="xl-r-triage"),
        _flags(answer, lang),
        _list(say("problems", lang), answer["problems"]),
        _part(say("abstained", lang), tag("p", answer["reason"])) if answer["abstained"] else None,
        _differential(answer, lang),
        _image(answer, lang),
        _exams(answer, lang),
        _part(
            say("open_danger", lang), tag("p", joined([s["display"] for s in answer["not_excluded"]], lang))
        )
        if answer["not_excluded"]
        else None,
        _answers(answer, answers, lang),
        tag("p", f"{signature}: ____________________", cls="xl-r-sign"),
        tag(
            "p",
            f"[{model_line(answer['model'])}] {answer['disclaimer']}",
            cls="xl-r-foot",
        ),
        aria_hidden="true",
    )


def _part(title: str, *content: Child) -> Markup:
    return tag("section", tag("h2", title), content)


def _list(title: str, rows: list[str]) -> Markup | None:
    return _part(title, tag("ul", [tag("li", row) for row in rows])) if rows else None


def _flags(answer: dict[str, Any], lang: Lang) -> Markup | None:
    rows = [
        tag("li", tag("b", f"[{flag['level_display']}] {flag['display']}"), f" {flag['action']}")
        for flag in answer["red_flags"]
    ]
    return _part(say("red_flags", lang), tag("ul", rows)) if rows else None


def _differential(answer: dict[str, Any], lang: Lang) -> Markup | None:
    if not answer["candidates"]:
        return None
    rows = []
    for rank, item in enumerate(answer["candidates"], 1):
        shown = f"{item['probability']:.0%}" if item["calibrated"] else item["level_display"]
        found = [entry for entry in item["evidence"] if entry["origin"] == "finding"][:5]
        model = [entry for entry in item["evidence"] if entry["origin"] == "model"]
        why = [_evidence(entry, answer["model"], lang) for entry in found + model]
        cells = (str(rank), item["code"]["display"], item["code"]["value"], shown, joined(why, lang))
        rows.append(tag("tr", [tag("td", cell) for cell in cells]))
    members = [f"{item['display']} [{item['value']}]" for item in answer["prediction_set"]]
    listed = (
        tag("p", tag("b", f"{answer['prediction_set_title']}: "), joined(members, lang)) if members else None
    )
    return _part(say("differential", lang), tag("table", tag("tbody", rows)), listed)


def _evidence(entry: dict[str, Any], model: dict[str, Any], lang: Lang) -> str:
    if entry["origin"] == "model":
        weight = f"{entry['weight']:+.1f}".replace("-", "−")
        return f"{words(MODEL_SHARE, lang)} {weight}({weights_from(model['join'], lang)})"
    state = "" if entry["state"] == "present" else f"({say('state_' + entry['state'], lang)})"
    return f"{'+' if entry['weight'] > 0 else '−'}{entry['finding']}{state}"


def _image(answer: dict[str, Any], lang: Lang) -> Markup | None:
    image = answer.get("image")
    return _part(say("image_share", lang), image_share.content(image, lang)) if image else None


def _exams(answer: dict[str, Any], lang: Lang) -> Markup | None:
    rows = [
        tag("li", tag("b", f"{exam['display']} [{exam['available_display']}]"), f" {exam['reason']}")
        for exam in answer["exams"]
    ]
    return _part(say("exams", lang), tag("ul", rows)) if rows else None


def _answers(answer: dict[str, Any], answers: dict[str, str], lang: Lang) -> Markup | None:
    names = {item["code"]["value"]: item["code"]["display"] for item in answer["findings"]}
    rows = [f"{names.get(key, key)}: {say('state_' + state, lang)}" for key, state in answers.items()]
    return _part(f"{say('ask', lang)}", tag("p", joined(rows, lang))) if rows else None
