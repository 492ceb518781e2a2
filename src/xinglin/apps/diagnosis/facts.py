"""Text, record and header of one patient -> the facts that the engine and the rules work on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from xinglin.apps.diagnosis.expression import Facts
from xinglin.apps.diagnosis.header import by_vocabulary
from xinglin.apps.diagnosis.inferred import VACCINE, inferred_facts
from xinglin.apps.diagnosis.pictured import pictured_exams, shown_by_images, take_pictured
from xinglin.apps.diagnosis.structured import read_events
from xinglin.apps.diagnosis.wording import Lang
from xinglin.errors import InvalidInputError
from xinglin.terms.characters import normalise, without_surrogates
from xinglin.terms.codes import XINGLIN
from xinglin.terms.reading import read
from xinglin.types import Code, Finding, Patient, Record, State

if TYPE_CHECKING:
    from xinglin.apps.diagnosis.differential import Differential

NEONATE, INFANT, CHILD, ELDERLY = 28 / 365.25, 1.0, 14.0, 65.0
"""Age limits in years of the header facts 新生儿, 婴儿, 儿童 and 老年."""

_UNREAD = {
    "zh": "{name}:未识别的药物或过敏原,相关核查不可靠",
    "en": "{name}: unknown drug or allergen, its checks are not reliable",
}


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of one patient, ready for the engine. Nothing in it is a default."""

    text: str
    patient: Patient
    findings: tuple[Finding, ...]
    states: Mapping[int, State]
    """State by pack index, for findings of the pack."""
    named_states: Mapping[str, State]
    """State by finding name, for every finding of the vocabulary."""
    spans: Mapping[int, tuple[int, int]]
    suspected: Mapping[int, State]
    """Diseases that the text itself names, by pack index."""
    facts: Facts
    examined: frozenset[str]
    """Examinations that the text says were done, by name."""
    problems: tuple[str, ...]
    seen: Mapping[int, float] = field(default_factory=dict)
    """Likelihood ratio, above 1, by pack index: findings that a model saw in an image and nobody has confirmed."""
    pictured: frozenset[str] = frozenset()
    """Examinations whose images are at hand, by name: advising them again would be nonsense."""
    images: tuple[Finding, ...] = ()
    """What the images at hand show, whether or not it counts: the words may have said it already."""


def gather(
    differential: Differential,
    text: str,
    record: Record | None = None,
    patient: Patient | None = None,
    answers: Mapping[str, State] | None = None,
    lang: Lang = "zh",
) -> Case:
    """Gather the facts of one patient.

    Args:
        differential: the loaded model.
        text: free text; may be empty when a record or answers say something.
        record: a structured record to be read beside the text.
        patient: header of the case; what it states wins over the text.
        answers: answers to questions, state by finding key; they win over the text.
        lang: language of the problems found.

    Raises:
        InvalidInputError: there is nothing to read, or an answer names an unknown finding.
        InputTooLargeError: the text is longer than 20,000 characters.
    """
    full = words_of(text, record)
    if not full and not (record and record.events) and not answers:
        raise InvalidInputError("expected the patient's words, a record or answers; got nothing to read")
    header = _merged(record.patient if record else Patient(), patient or Patient())
    problems: list[str] = []
    findings: dict[Code, Finding] = {}
    values: dict[str, float] = {}
    diseases: dict[str, State] = {}
    examined = set()
    inferred: set[str] = set()
    if record and record.events:
        told = read_events(record.events, header, differential.vocabulary)
        findings.update((item.code, _without_span(item)) for item in told.findings)
        values.update(told.values)
        diseases.update(told.suspected)
        problems += told.problems
    if full:
        reading = read(full, differential.vocabulary, patient=header)
        header = reading.patient
        findings.update((item.code, item) for item in reading.findings)
        values.update((item.analyte.name, item.value) for item in reading.quantities)
        problems += [problem.zh if lang == "zh" else problem.en for problem in reading.problems]
        inferred |= inferred_facts(differential, normalise(full), header, reading.mentions)
        for mention in reading.mentions:
            if mention.who != "patient" or (mention.hypothetical and not _suspected(full, mention.span[0])):
                continue
            if mention.term.kind == "disease" and VACCINE.match(normalise(full), mention.span[1]):
                continue
            if mention.term.kind == "disease" and mention.when == "now":
                diseases[mention.term.code.value] = "unknown" if mention.hypothetical else mention.state
            elif mention.term.kind == "exam" and mention.state == "present":
                examined.add(mention.term.name)
    for key, state in (answers or {}).items():
        name = differential.finding_by_key.get(key)
        if name is None:
            raise InvalidInputError(f"answers: unknown finding {key!r}")
        code = Code(XINGLIN, key, name)
        findings[code] = Finding(code, state, origin="answer")
    pictured = pictured_exams(differential, record)
    ratios = take_pictured(differential, record, findings, problems, lang)
    header, unread = by_vocabulary(header, differential.vocabulary)
    problems += [_UNREAD[lang].format(name=name) for name in unread]
    states: dict[int, State] = {}
    named: dict[str, State] = {}
    spans: dict[int, tuple[int, int]] = {}
    for item in findings.values():
        name = differential.finding_by_key.get(item.code.value)
        if name is None:
            continue
        named[name] = item.state
        index = differential.engine.finding_index.get(item.code.value)
        if index is not None and item.state != "unknown":
            states[index] = item.state
            if item.span:
                spans[index] = item.span
    at, places = differential.engine.disease_index, differential.engine.finding_index
    seen = {places[key]: ratio for key, ratio in ratios.items() if key in places}
    suspected = {at[key]: state for key, state in diseases.items() if key in at}
    return Case(
        text=full,
        patient=header,
        findings=tuple(findings.values()),
        states=states,
        named_states=named,
        spans=spans,
        suspected=suspected,
        facts=_facts(named, values, header, inferred),
        examined=frozenset(examined),
        problems=tuple(dict.fromkeys(problems)),
        seen={place: ratio for place, ratio in seen.items() if place not in states},
        pictured=pictured,
        images=shown_by_images(record),
    )


def words_of(text: str, record: Record | None = None) -> str:
    """Return all that is written of a case: what was typed, then the record's own text; it becomes ``Case.text``."""
    parts = (text, record.text if record else "")
    return without_surrogates("\n".join(part for part in parts if part.strip()))


def _suspected(text: str, start: int) -> bool:
    """Whether a conditional names a disease as the clinician's own question (若怀疑冠心病)."""
    return any(
        word in text[max(0, start - 12) : start].lower() for word in ("怀疑", "疑似", "考虑", "suspect")
    )


def _without_span(item: Finding) -> Finding:
    """A record's entry has no place in the text."""
    return replace(item, span=None, origin="record")


def _merged(below: Patient, above: Patient) -> Patient:
    stated = {
        name: value for name in Patient.__dataclass_fields__ if (value := getattr(above, name)) is not None
    }
    return replace(below, **stated)


def _facts(
    named: Mapping[str, State], values: Mapping[str, float], patient: Patient, inferred: set[str]
) -> Facts:
    holds = {name for name, state in named.items() if state == "present"} | inferred
    known = dict(values)
    if patient.sex is not None:
        holds.add("男" if patient.sex == "male" else "女")
    if patient.pregnant:
        holds.add("妊娠")
    if patient.lactating:
        holds.add("哺乳")
    if patient.age is not None:
        known["年龄"] = patient.age
        for name, below in (("新生儿", NEONATE), ("婴儿", INFANT), ("儿童", CHILD)):
            if patient.age < below:
                holds.add(name)
        if patient.age >= ELDERLY:
            holds.add("老年")
    if patient.gestation_weeks is not None:
        known["孕周"] = patient.gestation_weeks
    return Facts(frozenset(holds), known)
