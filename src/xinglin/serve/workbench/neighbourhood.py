"""The edges around one concept of the graph, in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass

from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.wording import Lang
from xinglin.errors import UnknownNameError
from xinglin.graph.knowledge import COMMONNESS, FREQUENCIES, ROLES, SEVERITIES, STRENGTHS
from xinglin.graph.view import canonical, search

RELATIONS: dict[str, tuple[str, str, str, str]] = {
    "has_finding": ("临床表现", "findings", "见于", "seen in"),
    "risk_factor": ("危险因素", "risk factors", "是其危险因素", "risk factor of"),
    "exam": ("检查", "examinations", "用于", "used for"),
    "exclude_before": ("须先排除", "exclude first", "先于其排除", "excluded before"),
    "differential": ("鉴别", "differentials", "与之鉴别", "differential of"),
    "complication": ("并发症", "complications", "并发于", "complication of"),
    "is_a": ("属于", "is a", "包括", "includes"),
    "reveals": ("可发现", "reveals", "可由其发现", "revealed by"),
}
"""Words for a relation read from its head (first two) and from its tail."""
QUALIFIERS: dict[str, tuple[str, str]] = {
    "obligate": ("必有 100%", "obligate 100%"),
    "very_frequent": ("很常见 80–99%", "very frequent 80–99%"),
    "frequent": ("常见 30–79%", "frequent 30–79%"),
    "occasional": ("偶见 5–29%", "occasional 5–29%"),
    "very_rare": ("罕见 1–4%", "very rare 1–4%"),
    "excluded": ("不出现 0%", "excluded 0%"),
    "strong": ("强", "strong"),
    "moderate": ("中", "moderate"),
    "weak": ("弱", "weak"),
    "first": ("首选", "first line"),
    "confirm": ("确诊", "confirms"),
    "exclude": ("排除", "rules out"),
    "stage": ("评估程度", "stages"),
    "after_negative": ("前述阴性后", "after negatives"),
}
RANKS = {name: place for terms in (FREQUENCIES, STRENGTHS, ROLES) for place, name in enumerate(terms)}
SEVERITY = dict(
    zip(
        SEVERITIES,
        (("可致命", "lethal"), ("严重", "serious"), ("中等", "moderate"), ("轻", "mild")),
        strict=True,
    )
)
COMMON = dict(
    zip(
        COMMONNESS,
        (
            ("很常见", "very common"),
            ("常见", "common"),
            ("不常见", "uncommon"),
            ("少见", "rare"),
            ("罕见", "very rare"),
        ),
        strict=True,
    )
)


@dataclass(frozen=True, slots=True)
class Edge:
    """One row of the graph as seen from the concept in the middle."""

    group: str
    """Relation in words, read from the middle."""
    relation: str
    name: str
    """Graph's own (Chinese) name of the other end."""
    display: str
    """The other end in the reader's language."""
    kind: str
    qualifier: str
    rank: int
    source: str
    verified: bool
    reviewed_by: str | None
    row: str
    """The row as written in the graph, for a report."""


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """A concept and its edges."""

    name: str
    display: str
    kind: str
    facts: tuple[str, ...]
    """What the graph says of the concept itself."""
    edges: tuple[Edge, ...]


def find(differential: Differential, words: str) -> str:
    """Return the graph's own name of a concept from a name, an alias, an English name or one of our ids.

    Raises:
        UnknownNameError: it is none of these; the message lists the nearest names.
    """
    wanted = words.strip()
    for disease in differential.knowledge.diseases.values():
        if disease.key.value == wanted:
            return disease.name
    named = differential.finding_by_key.get(wanted) or differential.exam_by_key.get(wanted)
    if named:
        return named
    for name, finding in differential.vocabulary.findings.items():
        if finding.en.lower() == wanted.lower():
            return name
    return canonical(differential.knowledge, wanted)


def suggestions(
    differential: Differential, words: str, lang: Lang, limit: int = 12
) -> list[tuple[str, str, str]]:
    """Return (kind, name, display) of concepts whose names hold the words."""
    found = search(differential.knowledge, words, limit)
    lowered, have = words.strip().lower(), {name for _, name in found}
    if lowered.isascii() and lowered:
        english = [
            (len(finding.en), name)
            for name, finding in differential.vocabulary.findings.items()
            if lowered in finding.en.lower()
            and name in differential.knowledge.finding_codes
            and name not in have
        ]
        found += [("finding", name) for _, name in sorted(english)]
    return [(kind, name, named(differential, name, lang)) for kind, name in found[:limit]]


def kind_of(differential: Differential, name: str) -> str:
    """Return whether a name is a disease, an examination or a finding."""
    knowledge = differential.knowledge
    return "disease" if name in knowledge.diseases else "exam" if name in knowledge.exams else "finding"


def named(differential: Differential, name: str, lang: Lang) -> str:
    """Return a concept's name in a language."""
    knowledge = differential.knowledge
    if lang == "zh":
        return name
    if name in knowledge.diseases:
        return knowledge.diseases[name].en
    if name in knowledge.exams:
        return knowledge.exams[name].en
    return differential.finding_name(name, lang)


def neighbourhood(differential: Differential, name: str, lang: Lang) -> Neighbourhood:
    """Return the edges of a concept, grouped by relation and the strongest first.

    Raises:
        UnknownNameError: the graph has no such concept.
    """
    knowledge, zh = differential.knowledge, lang == "zh"
    if not any(name in names for names in (knowledge.diseases, knowledge.exams, knowledge.finding_codes)):
        raise UnknownNameError(f"the graph has no concept {name!r}: search for it by name")
    rows = [
        (row.disease, row.relation, row.target, row.qualifier, row.provenance)
        for row in knowledge.relations
        if name in (row.disease, row.target)
    ]
    rows += [
        (exam.name, "reveals", finding, None, exam.provenance)
        for exam in knowledge.exams.values()
        for finding in exam.reveals
        if name in (exam.name, finding)
    ]
    edges = []
    for head, relation, tail, qualifier, provenance in rows:
        outward = head == name
        other = tail if outward else head
        words = RELATIONS.get(relation, (relation,) * 4)
        shown = QUALIFIERS.get(qualifier or "", (qualifier or "",) * 2)
        edges.append(
            Edge(
                group=words[(0 if zh else 1) + (0 if outward else 2)],
                relation=relation,
                name=other,
                display=named(differential, other, lang),
                kind=kind_of(differential, other),
                qualifier=shown[0 if zh else 1],
                rank=RANKS.get(qualifier or "", 9),
                source=provenance.source,
                verified=provenance.verified,
                reviewed_by=provenance.reviewed_by,
                row=f"{head} | {relation} | {tail} | {qualifier or ''}",
            )
        )
    order = list(RELATIONS)
    edges.sort(key=lambda edge: (order.index(edge.relation), edge.group, edge.rank, edge.display))
    return Neighbourhood(
        name,
        named(differential, name, lang),
        kind_of(differential, name),
        _facts(differential, name, lang),
        tuple(edges),
    )


def _facts(differential: Differential, name: str, lang: Lang) -> tuple[str, ...]:
    knowledge, zh = differential.knowledge, lang == "zh"
    if name in knowledge.diseases:
        disease = knowledge.diseases[name]
        facts = [f"ICD-10 {disease.icd10}", SEVERITY[disease.severity][0 if zh else 1]]
        facts += [COMMON[disease.commonness][0 if zh else 1], disease.en if zh else disease.name]
        return (*facts, disease.department) if zh else tuple(facts)
    if name in knowledge.exams:
        exam = knowledge.exams[name]
        return (exam.en if zh else exam.name,)
    other = differential.finding_name(name, "en") if zh else name
    return tuple(dict.fromkeys((other, knowledge.finding_codes[name].value)))
