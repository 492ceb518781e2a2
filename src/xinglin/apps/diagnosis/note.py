"""Drafts to keep and edit: the outpatient note (门诊病历) and the referral letter (转诊单).

The usual sections of a Chinese outpatient record. A section without facts says so; nothing is filled in
for the patient.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from xinglin.apps.diagnosis.wording import Lang, model_line

BLANK = {"zh": "(待补充)", "en": "(to be completed)"}
HEAD = {
    "note": ("门诊病历(草稿)", "Outpatient note (draft)"),
    "referral": ("转诊单(草稿)", "Referral letter (draft)"),
}
SECTIONS = {
    "complaint": ("主诉", "Chief complaint"),
    "history": ("现病史", "History of present illness"),
    "past": ("既往史/个人史", "Past and personal history"),
    "allergy": ("过敏史", "Allergies"),
    "drugs": ("目前用药", "Current medicines"),
    "signs": ("体格检查/生命体征", "Examination and vital signs"),
    "tests": ("辅助检查", "Test results"),
    "impression": ("初步诊断(待确诊)", "Impression (to be confirmed)"),
    "plan": ("处理意见", "Plan"),
    "safety": ("随诊与警示", "Safety net"),
    "reason": ("转诊理由", "Reason for referral"),
    "needed": ("请上级医院协助", "Requested of the receiving hospital"),
    "clinician": ("医师签名", "Clinician's signature"),
}
PAST = frozenset({"history", "risk", "medication"})
TESTS = frozenset({"lab", "ecg", "imaging", "endoscopy", "pathology"})
SIGNS = frozenset({"sign", "vital"})


def outpatient_note(text: str, answer: dict[str, Any], lang: Lang = "zh", *, clinic: str = "") -> str:
    """Return an editable outpatient note, coded to ICD-10, from a rendered answer."""
    zh = lang == "zh"
    groups = _groups(answer)
    lines = [_head("note", answer, lang, clinic)]
    lines += _section("complaint", _complaint(groups["symptom"], lang), lang)
    lines += _section("history", text.strip(), lang)
    lines += _section("past", _listing(groups["past"], lang), lang)
    lines += _section("allergy", _stated(answer["patient"]["allergies"], lang), lang)
    lines += _section("drugs", _stated(answer["patient"]["drugs"], lang), lang)
    lines += _section("signs", _listing(groups["sign"], lang), lang)
    lines += _section("tests", _listing(groups["test"], lang), lang)
    lines += _section("impression", _impression(answer, lang), lang)
    plan = [f"{'分诊' if zh else 'Triage'}: {answer['triage']}"]
    plan += [
        f"{item['display']}({item['available_display']}): {item['reason']}" for item in answer["exams"][:6]
    ]
    lines += _section("plan", "\n".join(f"{i}. {line}" for i, line in enumerate(plan, 1)), lang)
    lines += _section("safety", _safety(answer, lang), lang)
    lines += _foot(answer, lang)
    return "\n".join(lines)


def referral_letter(text: str, answer: dict[str, Any], lang: Lang = "zh", *, clinic: str = "") -> str:
    """Return an editable referral letter from a rendered answer."""
    groups = _groups(answer)
    lines = [_head("referral", answer, lang, clinic)]
    reasons = [flag["display"] for flag in answer["red_flags"]]
    reasons += [answer["reason"]] if answer["reason"] else []
    reasons += [answer["triage"]]
    lines += _section("reason", "\n".join(f"- {line}" for line in dict.fromkeys(reasons)), lang)
    lines += _section("history", text.strip(), lang)
    found = groups["symptom"] + groups["sign"] + groups["test"]
    lines += _section("signs", _listing(found, lang), lang)
    lines += _section("past", _listing(groups["past"], lang), lang)
    lines += _section("allergy", _stated(answer["patient"]["allergies"], lang), lang)
    lines += _section("impression", _impression(answer, lang), lang)
    wanted = [item for item in answer["exams"] if not item["available"]] or answer["exams"][:3]
    lines += _section("needed", "\n".join(f"- {item['display']}: {item['reason']}" for item in wanted), lang)
    lines += _foot(answer, lang)
    return "\n".join(lines)


def _head(kind: str, answer: dict[str, Any], lang: Lang, clinic: str) -> str:
    zh = lang == "zh"
    patient = answer["patient"]
    sex = {"male": ("男", "male"), "female": ("女", "female")}.get(patient["sex"])
    age = patient["age"]
    shown_age = BLANK[lang] if age is None else _age(age, lang)
    parts = [
        f"{'机构' if zh else 'Clinic'}: {clinic or BLANK[lang]}",
        f"{'日期' if zh else 'Date'}: {date.today().isoformat()}",
        f"{'姓名' if zh else 'Name'}: {BLANK[lang]}",
        f"{'性别' if zh else 'Sex'}: {sex[0 if zh else 1] if sex else BLANK[lang]}",
        f"{'年龄' if zh else 'Age'}: {shown_age}",
    ]
    if patient["pregnant"]:
        weeks = patient["gestation_weeks"]
        parts.append(
            ("妊娠" if zh else "pregnant") + (f" {weeks:g} {'周' if zh else 'weeks'}" if weeks else "")
        )
    return f"{HEAD[kind][0 if zh else 1]}\n" + "  ".join(parts)


def _age(age: float, lang: Lang) -> str:
    zh = lang == "zh"
    if age >= 2:
        return f"{age:.0f}{'岁' if zh else ' years'}"
    if age >= 1 / 12:
        return f"{age * 12:.0f}{'个月' if zh else ' months'}"
    return f"{age * 365.25:.0f}{'天' if zh else ' days'}"


def _section(key: str, content: str, lang: Lang) -> list[str]:
    return ["", f"【{SECTIONS[key][0]}】" if lang == "zh" else f"{SECTIONS[key][1]}:", content or BLANK[lang]]


def _groups(answer: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {"symptom": [], "sign": [], "test": [], "past": []}
    for item in answer["findings"]:
        if item["origin"] == "derived" and item["span"] is None:
            continue
        kind = item["kind"]
        if kind == "symptom":
            groups["symptom"].append(item)
        elif kind in SIGNS:
            groups["sign"].append(item)
        elif kind in TESTS or kind == "quantity":
            groups["test"].append(item)
        elif kind in PAST:
            groups["past"].append(item)
    return groups


def _complaint(items: list[dict[str, Any]], lang: Lang) -> str:
    present = [item for item in items if item["state"] == "present"]
    return _listing(sorted(present, key=lambda item: item["time"] is None)[:3], lang)


def _listing(items: list[dict[str, Any]], lang: Lang) -> str:
    zh = lang == "zh"
    words = []
    for item in items:
        name = item["code"]["display"]
        if item["value"] is not None:
            # A measured value that makes a finding absent is in the text above; as a word it would mislead.
            if item["state"] == "present":
                words.append(f"{name}({item['value']:g} {item['unit'] or ''})".replace(" )", ")"))
        elif item["state"] == "absent":
            words.append(f"{'无' if zh else 'no '}{name}")
        else:
            doubt = {"unknown": "?", "present": ""}[item["state"]]
            words.append(name + doubt + _duration(item["time"], lang))
    return ("、" if zh else ", ").join(dict.fromkeys(words))


def _duration(time: str | None, lang: Lang) -> str:
    if not time or not time.startswith("P"):
        return ""
    units = {"Y": ("年", "y"), "M": ("月", "mo"), "W": ("周", "w"), "D": ("天", "d"), "H": ("小时", "h")}
    body, unit = time.lstrip("PT")[:-1], time[-1]
    if time.startswith("PT") and unit == "M":
        return f"{body}{'分钟' if lang == 'zh' else ' min'}"
    return f"{body}{units[unit][0 if lang == 'zh' else 1]}" if unit in units else ""


def _stated(items: list[str] | None, lang: Lang) -> str:
    if items is None:
        return ""
    if not items:
        return "否认" if lang == "zh" else "none stated by the patient"
    return ("、" if lang == "zh" else ", ").join(items)


def _impression(answer: dict[str, Any], lang: Lang) -> str:
    if answer["abstained"] and not answer["candidates"]:
        return str(answer["reason"])
    lines = []
    for rank, item in enumerate(answer["candidates"], 1):
        shown = f"{item['probability']:.0%}" if item["calibrated"] else item["level_display"]
        lines.append(f"{rank}. {item['code']['display']} [{item['code']['value']}] ({shown})")
    names = ("、" if lang == "zh" else ", ").join(item["display"] for item in answer["prediction_set"])
    lines.append(f"{answer['prediction_set_title']}: {names}")
    return "\n".join(lines)


def _safety(answer: dict[str, Any], lang: Lang) -> str:
    open_signs = [item["display"] for item in answer["not_excluded"]]
    if not open_signs:
        return ""
    listed = ("、" if lang == "zh" else ", ").join(open_signs)
    if lang == "zh":
        return f"尚未排除的危险信号:{listed}。出现任一项,立即就医或呼叫120。"
    return f"Danger signs not yet excluded: {listed}. If any appears, seek emergency care at once."


def _foot(answer: dict[str, Any], lang: Lang) -> list[str]:
    return [
        "",
        f"{SECTIONS['clinician'][0 if lang == 'zh' else 1]}: ____________",
        "",
        f"[{model_line(answer['model'])}] {answer['disclaimer']}",
    ]
