"""An imported graph (plain disease - finding - exam triples, no frequencies) merged with the starter graph.

A disease that the starter graph knows by name or alias keeps its own row and gains the findings that only
the import has; every other disease is new and *rare* until somebody says otherwise, since an encyclopedia
lists a thousand rare diseases for each common one. Synonyms (``alias`` triples) are one disease. Finding
names that our vocabulary knows keep its aliases; the others become terms of their own, told apart from
diseases. Such a graph says nothing about how often: a new disease's edges count as ``frequent``, one added
to a starter disease as ``occasional``, and weight comes from rarity: the fewer diseases show a finding, the
smaller its leak.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.echo import Echo, Saying, graph_sayings
from xinglin.apps.diagnosis.pack import (
    COMMONNESS,
    FREQUENCY,
    PackDisease,
    PackExam,
    PackFinding,
    edges_for,
    seal,
)
from xinglin.apps.diagnosis.posterior import Engine
from xinglin.graph.terms import graph_terms
from xinglin.terms.codes import XINGLIN, XINGLIN_DISEASE
from xinglin.terms.vocabulary import Term, Vocabulary, load_vocabulary
from xinglin.types import Code, Triple

FREQUENT = FREQUENCY["frequent"]
ADDED = FREQUENCY["occasional"]
MIN_LEAK = 0.002
RARE = COMMONNESS["rare"] - 1.0
"""Log prior of a disease that the starter graph does not know."""
CHILD_PREFIXES = ("小儿", "新生儿", "儿童", "婴儿", "婴幼儿")
FEMALE_WORDS = ("妊娠", "产后", "卵巢", "子宫", "宫颈", "阴道", "外阴", "输卵管", "月经")
MALE_WORDS = ("前列腺", "睾丸", "阴茎", "附睾", "精索", "精囊", "包皮")


@dataclass
class _Collected:
    """What triples say, with every disease under one name."""

    diseases: dict[str, None] = field(default_factory=dict)
    findings: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    exams: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    department: dict[str, str] = field(default_factory=dict)
    spellings: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))


def imported_differential(name: str, triples: Iterable[Triple], base: Differential) -> Differential:
    """Return a differential over the starter graph and an imported one.

    Args:
        name: of the graph, e.g. ``xywy``.
        triples: relations ``has_finding``, ``exam``, ``department`` and ``alias`` are used.
        base: the loaded starter differential; its knowledge, vocabulary, rules and profile are kept.
    """
    said = _collect(list(triples), base.vocabulary)
    known = {disease.name: i for i, disease in enumerate(base.pack.diseases)}
    new = [disease for disease in said.diseases if disease not in known]
    index = known | {disease: len(known) + i for i, disease in enumerate(new)}
    new_terms: dict[str, Term] = {}
    edges: dict[str, set[int]] = defaultdict(set)
    for finding, heads in said.findings.items():
        if len(finding) < 2:
            continue
        terms = [term for term in base.vocabulary.spelled(finding) if term.code.system == XINGLIN]
        key = terms[0].name if terms else finding
        if not terms:
            code = Code(XINGLIN, f"{name}:{finding}", finding)
            new_terms[key] = Term(code, finding, finding, "symptom")
        edges[key] |= {index[head] for head in heads}
    findings = _findings(base, new_terms, edges, len(known), len(index))
    exams = tuple(
        PackExam(exam, exam, exam, "county", "low", (), tuple((index[head], "first", "") for head in heads))
        for exam, heads in said.exams.items()
    )
    pack = replace(
        base.pack,
        name=name,
        version="",
        findings=findings,
        diseases=(*base.pack.diseases, *(_disease(name, item, said.department) for item in new)),
        exams=(*base.pack.exams, *exams),
        temperature=1.0,
        calibrated_on=None,
        quantile=None,
    )
    codes = {key: term.code for key, term in new_terms.items()}
    knowledge = replace(base.knowledge, finding_codes=base.knowledge.finding_codes | codes)
    extra = (*graph_terms(base.knowledge), *new_terms.values(), *_disease_terms(name, new, said))
    return replace(
        base,
        vocabulary=load_vocabulary(extra=extra),
        knowledge=knowledge,
        engine=Engine.build(seal(pack)),
        echo=_echo(base, said, index),
    )


def _collect(triples: Sequence[Triple], vocabulary: Vocabulary) -> _Collected:
    """Gather triples under one name a disease: the starter graph's, else that of the first graph."""
    heads = dict.fromkeys(triple.head.display for triple in triples)
    one: dict[str, str] = {}
    for head in heads:
        one[head] = _starter_name(head, vocabulary) or head
    for triple in triples:
        alias, head = triple.tail.display, triple.head.display
        if triple.relation == "alias" and len(alias) > 1:
            if one[head] == head and (name := _starter_name(alias, vocabulary)):
                one[head] = name
            elif one.get(alias) == alias and alias != one[head]:
                one[alias] = one[head]
    said = _Collected()
    for triple in triples:
        head, tail = one[triple.head.display], triple.tail.display
        head = one.get(head, head)
        said.diseases[head] = None
        said.spellings[head][triple.head.display] = None
        if triple.relation == "has_finding":
            said.findings[tail][head] = None
        elif triple.relation == "exam":
            said.exams[tail][head] = None
        elif triple.relation == "department":
            said.department[head] = tail
        elif triple.relation == "alias":
            said.spellings[head][tail] = None
    return said


def _starter_name(spelling: str, vocabulary: Vocabulary) -> str | None:
    """The starter disease of exactly this name or alias."""
    for term in vocabulary.spelled(spelling):
        if term.code.system == XINGLIN_DISEASE:
            return term.name
    return None


def _findings(
    base: Differential, new_terms: dict[str, Term], edges: dict[str, set[int]], known: int, total: int
) -> tuple[PackFinding, ...]:
    """The starter's findings with the import's edges added, then the import's own."""
    merged = []
    for finding in base.pack.findings:
        have = {edge.disease for edge in finding.edges}
        more = {d: ADDED if d < known else FREQUENT for d in edges.get(finding.name, ()) if d not in have}
        added = edges_for(more, finding.leak)
        ordered = tuple(sorted((*finding.edges, *added), key=lambda edge: edge.disease))
        merged.append(replace(finding, edges=ordered))
    present = {finding.name for finding in base.pack.findings}
    place = {finding.name: i for i, finding in enumerate(base.pack.findings)}
    for key, heads in edges.items():
        if key in present:
            continue
        term = new_terms.get(key) or base.vocabulary.findings[key]
        leak = round(max(MIN_LEAK, 0.5 * FREQUENT * len(heads) / total), 6)
        merged.append(
            PackFinding(
                key=term.code.value,
                name=key,
                en=term.en,
                kind=term.kind,
                parents=tuple(place[parent] for parent in term.parents if parent in place),
                leak=leak,
                edges=edges_for({d: ADDED if d < known else FREQUENT for d in heads}, leak),
            )
        )
    return tuple(merged)


def _disease(name: str, disease: str, departments: dict[str, str]) -> PackDisease:
    """A new disease; sex and age only as far as its own name says."""
    sex = "any"
    if any(word in disease for word in FEMALE_WORDS):
        sex = "female"
    elif any(word in disease for word in MALE_WORDS):
        sex = "male"
    return PackDisease(
        key=f"{name}:{disease}",
        name=disease,
        en=disease,
        system=name,
        code=disease,
        prior=RARE,
        severity="moderate",
        department=departments.get(disease, ""),
        sex=sex,
        age_min=None,
        age_max=17.0 if disease.startswith(CHILD_PREFIXES) else None,
        age_peak=(60.0, 90.0) if disease.startswith("老年") else None,
    )


def _disease_terms(name: str, new: Iterable[str], said: _Collected) -> list[Term]:
    terms = []
    taken: set[str] = set()
    for disease in new:
        if len(disease) > 1:
            others = tuple(
                spelling
                for spelling in said.spellings[disease]
                if len(spelling) > 2 and spelling not in taken and spelling not in said.diseases
            )
            taken.update(others)
            code = Code(XINGLIN_DISEASE, f"{name}:{disease}", disease)
            terms.append(Term(code, disease, disease, "disease", others))
    return terms


def _echo(base: Differential, said: _Collected, index: dict[str, int]) -> Echo | None:
    """The starter's echo with the import's spellings and findings, where the base has one."""
    if base.echo is None:
        return None
    own: list[Saying] = [
        (disease, spelling, 1.0 if disease in base.knowledge.diseases else 3.0)
        for disease, spellings in said.spellings.items()
        for spelling in spellings
    ]
    shown = ((head, finding, 1.0) for finding, heads in said.findings.items() for head in heads)
    return Echo.build(list(index), chain(graph_sayings(base.knowledge, base.vocabulary), own, shown))
