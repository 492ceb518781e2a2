"""Text, record and header of one patient -> the facts that the engine and the rules work on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from xinglin.apps.diagnosis.expression import Facts
from xinglin.apps.diagnosis.header import by_vocabulary
from xinglin.apps.diagnosis.structured import read_events
from xinglin.apps.diagnosis.wording import Lang
from xinglin.errors import InvalidInputError
from xinglin.terms.characters import normalise, without_surrogates
from xinglin.terms.codes import XINGLIN
from xinglin.terms.mention import Mention
from xinglin.terms.patient import speaks_of_child
from xinglin.terms.reading import read
from xinglin.types import Code, Finding, Patient, Record, State

if TYPE_CHECKING:
    from xinglin.apps.diagnosis.differential import Differential

NEONATE, INFANT, CHILD, ELDERLY = 28 / 365.25, 1.0, 14.0, 65.0
"""Age limits in years of the header facts 新生儿, 婴儿, 儿童 and 老年."""
NAMED_DANGER = "文中点名急危病"
AGE_UNSTATED = "年龄未述"
_NEWBORN = re.compile(
    r"新生儿|早产儿|刚出生|刚生下来|生下来[0-9一二两三四五六七八九十]+天|生后[0-9一二两三四五六七八九十]+(?:天|小时)|"
    r"(?:昨天|今天|昨晚|昨夜|今早|今晨|前天|夜里|凌晨|上午|下午)[^,。;]{0,4}(?:出生|生下|生的)|"
    r"\b(?:newborn|neonate|new-born|born (?:yesterday|today|last night|this morning|[0-9]+ (?:hours?|days?) ago)|"
    r"[0-9]+[- ](?:day|hour)s?[- ]old)\b"
)
_INFANT = re.compile(
    r"婴儿|婴幼儿|未满月|没满月|不满月|月子里的|个月大|不到[一俩两三四五六]个?月|[俩两三]月不到|"
    r"\b(?:infant|newborn|neonate)s?\b"
)
_NOT_NOW = re.compile(
    r"(?:陈旧性?|腔隙性?|腔梗|既往|以前|曾|担心|怕|害怕|恐|预防|吓|看到说|听说|会不会|是不是|防|筛查|接种|"
    r"[0-9一二两三四五六七八九十几多半]+(?:年|个月)(?:多|余)?前|去年|前年|[12][09][0-9]{2}年|"
    r"\b(?:worried|scared|afraid|anxious|could it be|is it|googled|prevent|against|risk of|previous|prior|"
    r"history of|years? ago|months? ago|last year|an old)\b)[^,。;.]{0,12}$"
)
_SUDDEN_FORMS = {
    "头痛": "突发剧烈头痛", "胸痛": "突发胸痛", "腹痛": "突发腹痛", "呼吸困难": "突发呼吸困难",
    "视力下降": "突发视力丧失", "言语不清": "突发言语障碍", "失语": "突发言语障碍", "共济失调": "突发行走不稳",
    "听力下降": "突发听力下降", "阴囊疼痛": "突发睾丸剧痛", "意识障碍": "新发意识行为异常",
}  # fmt: skip
"""What a complaint is when it came on suddenly; the text may say so in any words."""
_COMPLAINTS = ("symptom", "sign", "vital")
_EVENTS = (*_COMPLAINTS, "history", "risk")
_VACCINE = re.compile(r"\s?-?(?:疫苗|预防针|针|抗毒素|免疫球蛋白|vaccin|shot|jab|booster|immuni[sz])")
_NOT_ILL = re.compile(
    r"\s?-?(?:筛查|预防|风险|后遗|恢复期|术后|史|病史|后|出院|去世|过世|走的|死的|没的|多年|[0-9]+年|康复|"
    r"(?:screening|prevention|risk|survivor|history|(?:[a-z0-9]+ )?(?:years?|months?) ago|in (?:19|20)[0-9]{2}))"
)


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
    full = "\n".join(part for part in (text, record.text if record else "") if part.strip())
    full = without_surrogates(full)
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
        inferred |= _inferred(differential, normalise(full), header, reading.mentions)
        for mention in reading.mentions:
            if mention.who != "patient" or (mention.hypothetical and not _suspected(full, mention.span[0])):
                continue
            if mention.term.kind == "disease" and _VACCINE.match(normalise(full), mention.span[1]):
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
    at = differential.engine.disease_index
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
    )


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


def _inferred(
    differential: Differential, text: str, patient: Patient, mentions: Sequence[Mention]
) -> set[str]:
    """What the rules may take from the wording alone; it can only raise a level.

    An unstated age: a newborn, an infant or a child if the text speaks of one, else taken for an adult by
    the rules that say so. What befalls somebody else, if nothing befalls the writer. A disease that kills
    within days, named by the text as present or suspected (CT: 蛛网膜下腔出血; 考虑主动脉夹层) and not as
    past, feared, vaccinated against or a relative's.
    """
    facts: set[str] = set()
    if patient.age is None:
        if _NEWBORN.search(text):
            facts |= {"新生儿", "婴儿", "儿童"}
        elif _INFANT.search(text):
            facts |= {"婴儿", "儿童"}
        elif speaks_of_child(text):
            facts.add("儿童")
        else:
            facts.add(AGE_UNSTATED)
    told = {mention.span for mention in mentions if mention.term.kind not in ("disease", "exam")}
    for mention in mentions:
        form = _SUDDEN_FORMS.get(mention.term.name)
        stated = mention.state == "present" and mention.when == "now" and not mention.hypothetical
        if form and stated and mention.onset == "sudden" and mention.who == "patient":
            facts.add(form)
    own = [m for m in mentions if m.who == "patient" and m.state == "present" and m.term.kind in _COMPLAINTS]
    if not own:  # nobody else is ill: the relative or stranger is whom the text is about
        for mention in mentions:
            stated = mention.state == "present" and mention.when == "now" and not mention.hypothetical
            if stated and mention.term.kind in _EVENTS:
                facts.add(mention.term.name)
                facts.update(differential.vocabulary.ancestors(mention.term.name))
    for mention in mentions:
        start, end = mention.span
        if (
            mention.term.code.value in differential.deadly
            and mention.span not in told
            and mention.state != "absent"
            and mention.who == "patient"
            and mention.when == "now"
            and not mention.hypothetical
            and not _NOT_NOW.search(text[max(0, start - 24) : start])
            and not _NOT_ILL.match(text, end)
            and not _VACCINE.match(text, end)
        ):
            facts.add(NAMED_DANGER)
    return facts


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
