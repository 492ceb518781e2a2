"""A draft -> the rendered answer: the same calls as the API makes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from xinglin.apps.diagnosis.answer import answer
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.facts import gather
from xinglin.apps.diagnosis.header import by_vocabulary
from xinglin.apps.diagnosis.render import as_json, question
from xinglin.apps.diagnosis.wording import Lang
from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.records.intake import record_from_json
from xinglin.serve.explaining import Question
from xinglin.serve.fusing import Seen, with_image
from xinglin.serve.workbench.draft import MAX_TEXT, Draft
from xinglin.serve.workbench.phrases import say

TOP = 8
_OR = re.compile(r"[\u6216\u548c\u53ca\u3001]")


@dataclass(frozen=True, slots=True)
class Consultation:
    """One answered case."""

    text: str
    """The text that the spans point into: as typed, then the record's own."""
    rendered: dict[str, Any]
    """The answer as the API returns it."""


def consult(
    differential: Differential, draft: Draft, lang: Lang, seen: Sequence[Seen] | None = None
) -> Consultation:
    """Answer a draft.

    Args:
        differential: the loaded model.
        draft: what is typed.
        lang: language of the answer.
        seen: nodules of the patient's CT; ``None``: there is no CT.

    Raises:
        InvalidInputError: nothing to read, or a header value outside its range.
        InputTooLargeError: the text is longer than 20,000 characters.
    """
    asked, unread = question_of(differential, draft, lang, seen)
    case = gather(differential, asked.text, asked.record, asked.patient, asked.answers, lang)
    result = answer(differential, case, TOP)
    rendered = as_json(differential, result, lang)
    if unread:
        rendered["problems"] += [say("unread_medicine", lang, names="、".join(unread))]
    skip = frozenset(key for key, state in asked.answers.items() if state == "unknown")
    if skip:
        rendered["question"] = question(differential, result, lang, skip)
    if lang == "en":
        _name_in_english(differential, rendered)
    return Consultation(case.text, rendered)


def question_of(
    differential: Differential, draft: Draft, lang: Lang, seen: Sequence[Seen] | None = None
) -> tuple[Question, tuple[str, ...]]:
    """Return a draft as what is asked, and the medicine names in it that are not in the vocabulary.

    Raises:
        InvalidInputError: nothing to read, or a header value outside its range.
        InputTooLargeError: the text is longer than 20,000 characters.
    """
    if draft.empty:
        raise InvalidInputError(say("nothing_typed", lang))
    if len(draft.text) > MAX_TEXT:
        raise InputTooLargeError(say("too_long", lang, limit=MAX_TEXT))
    patient, unread = draft.patient(differential.vocabulary, lang)
    record = None
    if draft.record is not None:
        record = record_from_json(draft.record)
        named, unread_record = by_vocabulary(record.patient, differential.vocabulary)
        record, unread = replace(record, patient=named), (*unread, *unread_record)
    if seen is not None:
        record = with_image(differential, record, seen)
    return Question(draft.text, record, patient, draft.states()), unread


def _name_in_english(differential: Differential, rendered: dict[str, Any]) -> None:
    """Give the names that the graph holds in Chinese only a second chance: as its own concepts."""
    for flag in rendered["red_flags"]:
        flag["facts"] = [_english(differential, name) for name in flag["facts"]]
    for sign in rendered["not_excluded"]:
        sign["condition"] = _english(differential, sign["condition"])
    asked = rendered["question"]
    if asked and asked["why"]:
        asked["why"] = _english(differential, asked["why"])
    drugs = differential.vocabulary.drugs
    for name in ("allergies", "drugs"):
        stated = rendered["patient"][name]
        if stated:
            rendered["patient"][name] = [drugs[item].en if item in drugs else item for item in stated]


def _english(differential: Differential, name: str) -> str:
    """Return the English of a name or of an enumeration of names; what the graph does not know stays."""
    header = {"\u5e74\u9f84": "age", "\u7537": "male", "\u5973": "female"}
    parts = []
    for part in _OR.split(name):
        disease = differential.knowledge.diseases.get(part)
        analyte = differential.vocabulary.analytes.get(part)
        english = disease.en if disease else analyte.en if analyte else header.get(part)
        english = english or differential.finding_name(part, "en")
        if english == part:
            return name
        parts.append(english)
    return " or ".join(parts)
