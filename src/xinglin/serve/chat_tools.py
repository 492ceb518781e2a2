"""The diagnosis engine as tools of the assistant: the two apps never see each other, here they are put together."""

from __future__ import annotations

from functools import partial
from typing import Any

from xinglin.apps.assistant import tools as names
from xinglin.apps.assistant.index import Encoder
from xinglin.apps.assistant.tools import Tool
from xinglin.apps.diagnosis.answer import answer
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.explain import explain
from xinglin.apps.diagnosis.facts import gather
from xinglin.apps.diagnosis.medicines import check_medicine
from xinglin.apps.diagnosis.remember import remember_prediction
from xinglin.apps.diagnosis.render import as_json
from xinglin.apps.diagnosis.wording import Lang
from xinglin.model.runtime import TextClassifier
from xinglin.serve.batching import Batcher
from xinglin.store import Store

TOP, MOST_WORDS = 5, 8
_TEXT = {"type": "string", "description": "病人的原话和检查结果 the patient's own words and results"}
_LANG = {"type": "string", "enum": ["zh", "en"], "description": "语言 language of the result"}
_CASE = {"type": "object", "properties": {"text": _TEXT, "lang": _LANG}, "required": ["text"]}
_MEDICINE = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "药名 name of the medicine"},
        "text": {"type": "string", "description": "病人情况 what is known of the patient"},
        "lang": _LANG,
    },
    "required": ["name", "text"],
}


def diagnosis_tools(
    differential: Differential, store: Store | None = None, actor: str = "assistant"
) -> dict[str, Tool]:
    """Return the tools over a loaded differential.

    Args:
        differential: the loaded model.
        store: when given, each differential leaves its line in the ledger, as every diagnosis does.
        actor: of that line.
    """
    listed = (
        Tool(
            names.RED_FLAGS,
            "危险信号:规则判定的急症级别和首要处置。Red flags by rule: level and first action.",
            _CASE,
            partial(_red_flags, differential),
        ),
        Tool(
            names.DIFFERENTIAL,
            "鉴别诊断:候选疾病、依据;概率只由此给出。Differential: candidates and evidence; the only source of "
            "probabilities.",
            _CASE,
            partial(_differential, differential, store, actor),
        ),
        Tool(
            names.EXAMS,
            "建议检查及理由。Examinations worth doing, and why.",
            _CASE,
            partial(_exams, differential),
        ),
        Tool(
            names.PLAN,
            "每个候选的治疗方案(无剂量),逐项核查年龄、妊娠、过敏、肾功能、合并用药。Management options per candidate, "
            "without doses, each checked for age, pregnancy, allergy, renal function and other drugs.",
            _CASE,
            partial(_plan, differential),
        ),
        Tool(
            names.MEDICINE,
            "某药对该病人的禁忌核查。Check one medicine for this patient.",
            _MEDICINE,
            partial(_medicine, differential),
        ),
        Tool(
            names.EXPLAIN,
            "首位候选的依据:哪些词和征象起了作用。Why the first candidate: which words and findings counted.",
            _CASE,
            partial(_explain, differential),
        ),
    )
    return {tool.name: tool for tool in listed}


def passage_encoder(differential: Differential) -> Encoder | None:
    """Return the loaded text model as an encoder of passages; ``None`` where none is loaded."""
    encoder = differential.encoder
    if isinstance(encoder, Batcher):
        encoder = encoder.model
    return Encoder(encoder.id, encoder.pooled) if isinstance(encoder, TextClassifier) else None


def _rendered(differential: Differential, text: str, lang: Lang) -> dict[str, Any]:
    return as_json(differential, answer(differential, gather(differential, text, lang=lang), TOP), lang)


def _red_flags(differential: Differential, text: str, lang: Lang = "zh") -> dict[str, Any]:
    # Rules need no text model, and come before everything else: the graph alone is asked.
    graph = differential.using("graph")
    result = answer(graph, gather(graph, text, lang=lang), TOP)
    found, english = as_json(graph, result, "zh"), as_json(graph, result, "en")
    return {
        "triage": found["triage"],
        "triage_en": english["triage"],
        "triage_level": found["triage_level"],
        "red_flags": [
            flag | {"display_en": other["display"], "action_en": other["action"]}
            for flag, other in zip(found["red_flags"], english["red_flags"], strict=True)
        ],
        "not_excluded": (found if lang == "zh" else english)["not_excluded"],
    }


def _differential(
    differential: Differential, store: Store | None, actor: str, text: str, lang: Lang = "zh"
) -> dict[str, Any]:
    found = _rendered(differential, text, lang)
    if store is not None:
        remember_prediction(store, text, found, actor=actor)
    kept = ("code", "probability", "calibrated", "level_display", "department", "evidence")
    return {
        "candidates": [{name: candidate[name] for name in kept} for candidate in found["candidates"]],
        "abstained": found["abstained"],
        "reason": found["reason"],
        "triage": found["triage"],
        "not_excluded": found["not_excluded"],
        "question": found["question"],
        "model": found["model"],
        "problems": found["problems"],
    }


def _exams(differential: Differential, text: str, lang: Lang = "zh") -> dict[str, Any]:
    found = _rendered(differential, text, lang)
    kept = ("display", "reason", "for", "stage", "available_display")
    return {"exams": [{name: exam[name] for name in kept} for exam in found["exams"]]}


def _plan(differential: Differential, text: str, lang: Lang = "zh") -> dict[str, Any]:
    found = _rendered(differential, text, lang)
    return {
        "plans": [
            {
                "disease": candidate["code"]["display"],
                "exclude_before": [disease["display"] for disease in candidate["exclude_before"]],
                "options": candidate["options"],
            }
            for candidate in found["candidates"]
        ],
        "patient": found["patient"],
    }


def _medicine(differential: Differential, name: str, text: str, lang: Lang = "zh") -> dict[str, Any]:
    checked = check_medicine(differential, name, gather(differential, text).patient, lang)
    return {
        "name": checked.name,
        "warnings": list(checked.warnings),
        "not_checked": list(checked.not_checked),
    }


def _explain(differential: Differential, text: str, lang: Lang = "zh") -> dict[str, Any]:
    made = explain(differential.using("graph"), text)
    place = 0 if lang == "zh" else 1
    words: list[tuple[str, float]] = []
    if made.attribution is not None:
        pairs = zip(made.attribution.units, made.attribution.values, strict=True)
        words = sorted(((unit.text, value) for unit, value in pairs), key=lambda item: -abs(item[1]))
    return {
        "disease": made.target.name[place],
        "words": [{"text": text_, "log_odds": round(value, 3)} for text_, value in words[:MOST_WORDS]],
        "paths": [
            {"finding": path.finding, "disease": path.disease, "exam": path.exam} for path in made.paths[:TOP]
        ],
    }
