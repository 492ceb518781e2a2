"""What is being asked: the kinds of a question by its cue words, and the names of the graph that it mentions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from xinglin.errors import InvalidInputError
from xinglin.terms.characters import normalise
from xinglin.terms.entries import Drug
from xinglin.terms.mention import Reading
from xinglin.terms.reading import read
from xinglin.terms.vocabulary import FINDING_KINDS, Vocabulary

Kind = Literal[
    "symptoms", "exams", "department", "treatment", "cause", "complication", "differential", "definition", "medicine"
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)
_CUES: dict[Kind, str] = {
    "symptoms": r"症状|表现|征兆|前兆|什么感觉|symptom|signs? of|present with",
    "exams": r"检查|化验|查什么|查哪些|拍片|确诊|怎么查|筛查|\btests?\b|exam|investigat|work-?up",
    "department": r"什么科|哪个科|哪一科|哪科|科室|挂号|department|which doctor|specialist",
    "treatment": r"治疗|怎么治|如何治|咋治|能治|治好|怎么办|方案|用什么药|吃什么药|什么药|处理|手术吗|treat|manage|"
    r"therap|cure",
    "cause": r"病因|原因|为什么|为啥|怎么引起|引起|导致|危险因素|怎么得|怎么会得|cause|risk factor|why",
    "complication": r"并发症|后果|严重吗|会怎样|complication",
    "differential": r"鉴别|区别|区分|不同|differen|distinguish|versus|\bvs\b",
    "definition": r"是什么|什么是|什么叫|是啥|啥是|是什么病|介绍|what is|what are|what's|define|explain",
    "medicine": r"禁忌|能不能吃|能吃|可以吃|能用|可以用|能不能用|一起吃|同时吃|同服|合用|一起用|相互作用|过敏|副作用|"
    r"孕妇|怀孕|哺乳|interact|contraindicat|together|safe (?:in|to)|can i take|allerg",
}
_PATTERN = {kind: re.compile(cues) for kind, cues in _CUES.items()}
_COMPLAINTS = frozenset(FINDING_KINDS) - {"risk", "history", "medication"}
_OWN = re.compile(
    r"我|俺|本人|孩子|宝宝|小孩|儿子|女儿|老公|老婆|爸|妈|父亲|母亲|爷爷|奶奶|患者|病人|男[,,、]|女[,,、]|\d+\s*岁|"
    r"\b(?:i|my|me|mine|he|she|his|her|patient|child|baby|son|daughter|year-old|years old)\b"
)
"""Words that speak of a patient, not of a disease in general."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, understood as far as rules can."""

    text: str
    kinds: tuple[Kind, ...]
    diseases: tuple[str, ...]
    """Names of the graph, in the order of mention."""
    complaints: tuple[str, ...]
    """Findings that are present and call for a differential: no mere history, risk or medicine taken."""
    exams: tuple[str, ...]
    drugs: tuple[Drug, ...]
    personal: bool
    """Whether it speaks of a patient."""
    reading: Reading | None

    @property
    def clinical(self) -> bool:
        """Whether it names anything that the graph knows."""
        return bool(self.diseases or self.complaints or self.exams or self.drugs)


def understand(text: str, vocabulary: Vocabulary) -> Asked:
    """Return what a text asks; a text of no words at all asks nothing."""
    normal = normalise(text)
    kinds = tuple(kind for kind in KINDS if _PATTERN[kind].search(normal))
    if len(kinds) > 1:  # "what are the symptoms of" asks for no definition
        kinds = tuple(kind for kind in kinds if kind != "definition")
    try:
        reading = read(text, vocabulary)
    except InvalidInputError:  # nothing but white space or signs
        return Asked(text, kinds, (), (), (), (), False, None)
    named: dict[str, dict[str, None]] = {"disease": {}, "exam": {}, "finding": {}}
    for mention in reading.mentions:
        kind = mention.term.kind
        if kind in ("disease", "exam"):
            named[kind][mention.term.name] = None
        elif kind in _COMPLAINTS and mention.state == "present" and not mention.hypothetical:
            named["finding"][mention.term.name] = None
    drugs = {match.payload.name: match.payload for match in vocabulary.drug_names.longest(normal)}
    if named["finding"]:  # an allergy that a patient tells of is no question about that medicine
        drugs = {name: drug for name, drug in drugs.items() if name not in (reading.patient.allergies or ())}
    return Asked(
        text,
        kinds,
        tuple(named["disease"]),
        tuple(named["finding"]),
        tuple(named["exam"]),
        tuple(drugs.values()),
        _OWN.search(normal) is not None,
        reading,
    )
