"""An answer as plain JSON data in one language; the same for the command, the API and the page."""

from __future__ import annotations

from typing import Any

from xinglin.apps.diagnosis import wording as w
from xinglin.apps.diagnosis.answer import Answer
from xinglin.apps.diagnosis.ask import ExamAdvice, next_question
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.facts import Case
from xinglin.apps.diagnosis.options import CheckedOption, check_option
from xinglin.apps.diagnosis.shares import image_json
from xinglin.apps.diagnosis.triage import LEVEL_NAMES
from xinglin.types import DISCLAIMER, Candidate, Finding


def as_json(differential: Differential, result: Answer, lang: w.Lang = "zh") -> dict[str, Any]:
    """Return the answer under the keys documented in docs/answer.md, red flags first."""
    prediction, claims = result.prediction, result.claims
    reason = prediction.reason
    return {
        "triage": w.say(LEVEL_NAMES[result.triage], lang),
        "triage_level": result.triage,
        "red_flags": [
            {
                "id": hit.flag.id,
                "display": hit.flag.display if lang == "zh" else hit.flag.en,
                "level": hit.flag.level,
                "level_display": w.say(LEVEL_NAMES[hit.flag.level], lang),
                "action": hit.flag.action if lang == "zh" else hit.flag.action_en,
                "facts": list(hit.facts),
                "source": hit.flag.provenance.source,
            }
            for hit in result.flags
        ],
        "not_excluded": [
            {
                "display": differential.finding_name(sign.danger, lang),
                "question": sign.question if lang == "zh" else sign.question_en,
                "condition": sign.condition,
                "source": sign.provenance.source,
            }
            for sign in result.open_danger
        ],
        "candidates": [
            _candidate(differential, result, index, candidate, lang)
            for index, candidate in zip(result.diseases, prediction.candidates, strict=True)
        ],
        "prediction_set": [_disease(differential, index, lang) for index in result.members],
        "prediction_set_title": w.say(w.SET_TITLE, lang),
        "abstained": prediction.abstained,
        "reason": w.say(w.REASON[reason], lang).format(count=result.set_size) if reason else None,
        "exams": [_exam(differential, result, advice, lang) for advice in result.exams],
        "question": question(differential, result, lang),
        "findings": findings_json(differential, result.case, lang),
        "image": image_json(differential, result, lang),
        "patient": _patient(result),
        "problems": _problems(result, lang),
        "calibrated_on": claims.calibrated_on,
        "coverage": {
            "set": None if claims.quantile is None else 0.9,
            "lethal": None if claims.lethal_quantile is None else 0.98,
            "measured_on": claims.measured_on,
        },
        "model": _model(differential, result),
        "disclaimer": DISCLAIMER[lang],
    }


def model_json(differential: Differential) -> dict[str, Any]:
    """Return which model is loaded: the pack, the text model beside it, the engine."""
    pack, encoder, join = differential.pack, differential.encoder, differential.join
    named = None
    if encoder is not None and differential.engine_name != "graph":
        named = {"id": encoder.id, "name": str(encoder.manifest.get("name", ""))}
    return {
        "id": pack.name,
        "version": pack.version,
        "engine": differential.engine_name,
        "encoder": named,
        "join": join.name if named and join is not None else None,
    }


def _model(differential: Differential, result: Answer) -> dict[str, Any]:
    """Which model answered: where the text model had no say the engine is ``graph``, whatever was asked for."""
    weighed = result.weighed
    graph, model, temperature = (round(number, 4) for number in weighed.weights)
    return model_json(differential) | {
        "answered": weighed.engine,
        "weights": {"graph": graph, "model": model, "temperature": temperature},
    }


def _problems(result: Answer, lang: w.Lang) -> list[str]:
    """What the reader must check; first of all, that no finding stands behind the ranking."""
    listed = list(result.case.problems)
    if result.diseases and result.weighed.graph_reason is not None:
        listed.insert(0, w.say(w.MODEL_ALONE, lang))
    return listed


def question(
    differential: Differential, result: Answer, lang: w.Lang = "zh", skip: frozenset[str] = frozenset()
) -> dict[str, Any] | None:
    """Return the next question: danger signs not yet excluded first, then the highest gain.

    Args:
        differential: the loaded model.
        result: the answer so far.
        lang: language of the question.
        skip: ids of findings answered with *I don't know*.
    """
    engine = differential.engine
    for sign in result.open_danger:
        key = differential.knowledge.finding_codes[sign.danger].value
        if key not in skip:
            text = sign.question if lang == "zh" else sign.question_en
            return {"finding": key, "text": text, "why": sign.condition, "gain": None, "danger": True}
    if not result.diseases:
        return None
    index = engine.finding_index
    skipped = frozenset(index[key] for key in skip if key in index)
    found = next_question(engine, result.gains, result.case.states, skipped)
    if found is None:
        return None
    finding = engine.pack.findings[found.finding]
    name = finding.name if lang == "zh" else finding.en
    text = w.say(w.QUESTION[finding.kind], lang).format(name=name)
    return {"finding": finding.key, "text": text, "why": None, "gain": found.gain, "danger": False}


def _disease(differential: Differential, index: int, lang: w.Lang) -> dict[str, str]:
    disease = differential.pack.diseases[index]
    name = disease.name if lang == "zh" else disease.en
    return {"system": disease.system, "value": disease.code, "display": name, "id": disease.key}


def _candidate(
    differential: Differential, result: Answer, index: int, candidate: Candidate, lang: w.Lang
) -> dict[str, Any]:
    disease = differential.pack.diseases[index]
    excluded_first = differential.exclude_before.get(index, ())
    return {
        "code": _disease(differential, index, lang),
        "probability": candidate.probability,
        "calibrated": candidate.calibrated,
        "level": candidate.level,
        "level_display": w.say(w.LEVEL[candidate.level], lang),
        "score": candidate.score,
        "severity": disease.severity,
        "department": disease.department,
        "evidence": [
            {
                "finding": item.finding.display
                if item.origin == "model"
                else differential.finding_key_name(item.finding.value, lang),
                "state": item.state,
                "span": list(item.span) if item.span else None,
                "weight": item.weight,
                "origin": item.origin,
            }
            for item in candidate.evidence
        ],
        "exclude_before": [_disease(differential, other, lang) for other in excluded_first],
        "options": [
            _option(differential, checked, lang)
            for checked in checked_options(differential, result, disease.name)
        ],
        "provenance": differential.provenance(disease.name),
    }


def checked_options(differential: Differential, result: Answer, disease: str) -> list[CheckedOption]:
    """Return the management options of a disease, each checked against the patient."""
    knowledge = differential.knowledge
    return [
        check_option(
            option,
            differential.contraindications.get(option.option, ()),
            result.case.patient,
            differential.drug_classes,
        )
        for option in knowledge.options_by_disease.get(disease, ())
    ]


def _option(differential: Differential, checked: CheckedOption, lang: w.Lang) -> dict[str, Any]:
    option = checked.option
    return {
        "display": option.option if lang == "zh" else option.en,
        "kind": option.kind,
        "kind_display": w.say(w.KIND[option.kind], lang),
        "precondition": option.precondition or None,
        "note": option.note or None,
        "outcome": checked.worst,
        "provided": differential.profile.provides(option.option),
        "checks": [
            {
                "check": check.check,
                "check_display": w.say(w.CHECK[check.check], lang),
                "outcome": check.outcome,
                "display": w.say(w.OUTCOME[check.outcome], lang),
                "condition": check.condition or None,
                "note": check.note or None,
                "source": check.source or None,
            }
            for check in checked.checks
        ],
        "source": option.provenance.source,
        "reviewed_by": option.provenance.reviewed_by,
    }


def _exam(differential: Differential, result: Answer, advice: ExamAdvice, lang: w.Lang) -> dict[str, Any]:
    exam = differential.pack.exams[advice.exam]
    by_role: dict[str, list[str]] = {}
    for disease, role, _ in advice.roles:
        by_role.setdefault(role, []).append(_disease(differential, disease, lang)["display"])
    if advice.later:
        names = list(dict.fromkeys(name for listed in by_role.values() for name in listed))
        parts = [f"{w.say(w.ROLE['after_negative'], lang)} {w.joined(names, lang)}"]
    else:
        parts = [f"{w.say(w.ROLE[role], lang)} {w.joined(names, lang)}" for role, names in by_role.items()]
    if lang == "zh":
        parts += dict.fromkeys(note for _, _, note in advice.roles if note)
    reason = (";" if lang == "zh" else "; ").join(parts)
    done = exam.name in result.case.examined or any(f in result.case.states for f in exam.reveals)
    if done and "first" in by_role:
        reason += w.say(w.REPEAT, lang)
    available = differential.profile.has(exam.name, exam.setting)
    return {
        "code": {
            "system": "xinglin-exam",
            "value": exam.key,
            "display": exam.name if lang == "zh" else exam.en,
        },
        "display": exam.name if lang == "zh" else exam.en,
        "for": [_disease(differential, disease, lang)["display"] for disease, _, _ in advice.roles],
        "gain": advice.gain,
        "reason": reason,
        "repeat": done,
        "stage": "after_negative" if advice.later else "now",
        "available": available,
        "available_display": w.say(w.AVAILABLE[available], lang),
    }


def findings_json(differential: Differential, case: Case, lang: w.Lang = "zh") -> list[dict[str, Any]]:
    """Return the findings of a case in text order."""
    ordered = sorted(case.findings, key=lambda item: item.span or (1 << 30, 0))
    return [_finding(differential, item, lang) for item in ordered]


def _finding(differential: Differential, item: Finding, lang: w.Lang) -> dict[str, Any]:
    return {
        "kind": differential.kind(item.code),
        "code": {
            "system": item.code.system,
            "value": item.code.value,
            "display": differential.display(item.code, lang),
        },
        "state": item.state,
        "state_display": w.say(w.STATE[item.state], lang),
        "value": item.value,
        "unit": item.unit,
        "time": item.time,
        "span": list(item.span) if item.span else None,
        "origin": item.origin,
    }


def _patient(result: Answer) -> dict[str, Any]:
    patient = result.case.patient
    return {
        "age": round(patient.age, 3) if patient.age is not None else None,
        "sex": patient.sex,
        "pregnant": patient.pregnant,
        "gestation_weeks": patient.gestation_weeks,
        "lactating": patient.lactating,
        "allergies": list(patient.allergies) if patient.allergies is not None else None,
        "drugs": list(patient.drugs) if patient.drugs is not None else None,
        "egfr": patient.egfr,
    }
