"""Every sentence of an answer, Chinese first, English beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Lang = Literal["zh", "en"]

LEVEL = {"high": ("高", "high"), "medium": ("中", "medium"), "low": ("低", "low")}
STATE = {"present": ("有", "present"), "absent": ("无", "absent"), "unknown": ("不确定", "unknown")}
ROLE = {
    "first": ("首选,疑似", "first line for"),
    "confirm": ("确诊", "confirms"),
    "exclude": ("鉴别排除,疑似", "rule out what mimics"),
    "stage": ("评估程度", "stages"),
    "after_negative": (
        "病情稳定且前述检查复查阴性后再考虑",
        "only if stable and the earlier tests stay negative:",
    ),
}
KIND = {
    "medication_class": ("药物类别", "class of medicine"),
    "procedure": ("操作/手术", "procedure"),
    "supportive": ("支持治疗", "supportive"),
    "lifestyle": ("生活方式", "lifestyle"),
    "referral": ("转诊", "referral"),
}
CHECK = {
    "age": ("年龄", "age"),
    "pregnancy": ("妊娠/哺乳", "pregnancy/lactation"),
    "allergy": ("过敏", "allergy"),
    "renal": ("肾功能", "renal function"),
    "drug": ("合并用药", "other drugs"),
}
OUTCOME = {
    "avoid": ("避免使用", "avoid"),
    "caution": ("慎用", "use with caution"),
    "clear": ("所列条件未触发", "no listed condition applies"),
    "unknown_patient": ("患者情况未知,须核实", "patient's fact unknown, verify"),
    "not_checked": ("未核查", "not checked"),
}
REPEAT = (";已有结果,建议复查并动态观察", "; a result is known: repeat and follow its course")
SET_TITLE = ("目前不能排除", "cannot be excluded yet")
DANGER_TITLE = ("尚未排除的危险信号", "danger signs not yet excluded")
AVAILABLE = {True: ("本院可做", "available here"), False: ("需转诊", "by referral")}

MAX_LINE = 100
"""Characters of a model's line; the store keeps no more."""
TEXT_MODEL = "文本模型 text model"
"""Name of the evidence row of a text model, the same in both languages."""
MODEL_SHARE = ("文本模型的份额", "share of the text model")
UNCALIBRATED = "uncalibrated join"
"""Name of a join that nothing was learnt for."""
MODEL_ALONE = (
    "图谱没有读到可用的内容,以下只凭文本模型,没有征象可供核对,请格外谨慎。",
    "The graph read nothing of use: what follows rests on the text model alone, with no finding to check. "
    "Take special care.",
)
LEARNT = ("权重学自 {name}", "weights learnt on {name}")
NOT_LEARNT = ("未经校准", "uncalibrated")

REASON = {
    "no_words": (
        "文本模型只读文字,而本例没有文字。请改用图谱(engine graph)或补充病情文字。",
        "The text model reads words and there are none. Use engine graph, or add the patient's words.",
    ),
    "nothing_matched": (
        "没有识别到可用于鉴别的症状、体征或检验结果。请写明不适、持续时间和检查结果。",
        "No symptom, sign or result was recognised. Describe the complaint, its duration and any results.",
    ),
    "only_denied": (
        "只识别到被否认的症状,没有阳性表现,无法鉴别。",
        "Only denied symptoms were recognised: there is nothing present to differentiate.",
    ),
    "out_of_scope": (
        "识别到的内容与本模型的疾病范围几乎无关,不作排序。",
        "What was recognised hardly touches the diseases of this model, so no ranking is claimed.",
    ),
    "set_too_large": (
        "现有信息不足:仍有 {count} 种疾病不能排除。请先回答追问或补充检查。",
        "Not enough information: {count} diseases cannot be excluded. Answer the questions or add results.",
    ),
}
QUESTION = {
    "symptom": ("有没有{name}?", "Is there {name}?"),
    "sign": ("查体有没有{name}?", "On examination, is there {name}?"),
    "history": ("是否有{name}?", "Is there {name}?"),
    "risk": ("是否有{name}?", "Is there {name}?"),
}


def say(pair: tuple[str, str], lang: Lang) -> str:
    """Return the Chinese or the English of a pair."""
    return pair[0] if lang == "zh" else pair[1]


def joined(names: list[str], lang: Lang) -> str:
    """Return names as an enumeration."""
    return ("、" if lang == "zh" else ", ").join(names)


def aged(age: float, lang: Lang) -> str:
    """Return an age in years, months below two years, days below one month."""
    if age >= 2:
        number, unit = age, "years"
    elif age >= 1 / 12:
        number, unit = age * 12, "months"
    else:
        number, unit = age * 365.25, "days"
    shown = f"{round(number, 1):g}"
    if lang == "zh":
        return shown + {"years": "岁", "months": "个月", "days": "天"}[unit]
    return f"{shown} {unit}"


def weights_from(join: str | None, lang: Lang) -> str:
    """Return what the weight of the text model rests on: the cases it was learnt on, or that it is uncalibrated."""
    if join is None or join == UNCALIBRATED:
        return say(NOT_LEARNT, lang)
    return say(LEARNT, lang).format(name=join)


def model_line(model: Mapping[str, Any]) -> str:
    """Return the model of an answer in one line: pack and version, text model and id, engine.

    Two answers with the same line come from the same model.
    """
    encoder = model.get("encoder")
    named = f" + {encoder['name'][:30]} {encoder['id'][:12]} ({model['engine']})" if encoder else ""
    return f"{model['id']} {model['version']}"[: MAX_LINE - len(named)] + named
