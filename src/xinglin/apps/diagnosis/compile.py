"""Compile the knowledge graph into a data pack."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

from xinglin.apps.diagnosis.pack import (
    COMMONNESS,
    FREQUENCY,
    RISK,
    Edge,
    Pack,
    PackDisease,
    PackExam,
    PackFinding,
    edges_for,
    seal,
)
from xinglin.graph.knowledge import Knowledge
from xinglin.terms.codes import slug
from xinglin.terms.vocabulary import Term

FLOOR = {"symptom": 0.01, "sign": 0.005, "vital": 0.01, "lab": 0.01}
"""Smallest leak by kind; other kinds .004."""
LEAK_SHARE = 0.35
"""Share of the graph's own prior-weighted frequency that counts as background."""
CHILD_SHARE = 0.25
"""Share of a general finding that takes a specific form when the graph does not say."""


def compile_pack(name: str, knowledge: Knowledge, terms: Mapping[str, Term]) -> Pack:
    """Return the sealed pack of a graph over a vocabulary.

    A parent finding is at least as frequent as each of its children; a child inherits a quarter of its
    parent's frequency in diseases where the graph only names the parent.
    """
    diseases = list(knowledge.diseases.values())
    index = {disease.name: i for i, disease in enumerate(diseases)}
    frequency: dict[str, dict[int, float]] = defaultdict(dict)
    excluded: dict[str, set[int]] = defaultdict(set)
    risks: dict[str, dict[int, str]] = defaultdict(dict)
    for row in knowledge.relations:
        disease = index[row.disease]
        if row.relation == "has_finding":
            if row.qualifier == "excluded":
                excluded[row.target].add(disease)
            else:
                q = FREQUENCY[row.qualifier or "occasional"]
                frequency[row.target][disease] = max(q, frequency[row.target].get(disease, 0.0))
        elif row.relation == "risk_factor":
            risks[row.target][disease] = row.qualifier or "weak"
    _close_over_parents(frequency, terms)

    names = [term for term in terms if term in frequency or term in risks or term in excluded]
    wanted = dict.fromkeys(names)
    for term in names:
        wanted.update(dict.fromkeys(_ancestors(term, terms)))
    names = list(wanted)
    position = {term: i for i, term in enumerate(names)}
    weight = [math.exp(COMMONNESS[disease.commonness]) for disease in diseases]
    total = sum(weight)
    findings = []
    for term in names:
        entry = terms[term]
        background = LEAK_SHARE * sum(weight[d] * q for d, q in frequency[term].items()) / total
        leak = round(min(0.3, max(FLOOR.get(entry.kind, 0.004), background)), 6)
        edges = edges_for(frequency[term], leak, excluded[term])
        taken = {edge.disease for edge in edges}
        extra = [_risk_edge(d, s, leak) for d, s in risks[term].items() if d not in taken]
        findings.append(
            PackFinding(
                key=entry.code.value,
                name=term,
                en=entry.en,
                kind=entry.kind,
                parents=tuple(position[parent] for parent in entry.parents if parent in position),
                leak=leak,
                edges=tuple(sorted((*edges, *extra), key=lambda edge: edge.disease)),
            )
        )
    return seal(
        Pack(
            name=name,
            version="",
            findings=tuple(findings),
            diseases=tuple(
                PackDisease(
                    key=slug(d.en),
                    name=d.name,
                    en=d.en,
                    system=d.code.system,
                    code=d.icd10,
                    prior=COMMONNESS[d.commonness],
                    severity=d.severity,
                    department=d.department,
                    sex=d.sex,
                    age_min=d.age_min,
                    age_max=d.age_max,
                    age_peak=d.age_peak,
                )
                for d in diseases
            ),
            exams=_exams(knowledge, index, position),
            exclude_before=tuple(
                (index[row.disease], index[row.target])
                for row in knowledge.relations
                if row.relation == "exclude_before"
            ),
        )
    )


def _ancestors(term: str, terms: Mapping[str, Term]) -> list[str]:
    found: dict[str, None] = {}
    stack = list(terms[term].parents)
    while stack:
        parent = stack.pop()
        if parent not in found:
            found[parent] = None
            stack.extend(terms[parent].parents)
    return list(found)


def _close_over_parents(frequency: dict[str, dict[int, float]], terms: Mapping[str, Term]) -> None:
    stated = {term: dict(edges) for term, edges in frequency.items()}
    for term, edges in stated.items():
        for parent in _ancestors(term, terms):
            for disease, q in edges.items():
                if q > frequency[parent].get(disease, 0.0):
                    frequency[parent][disease] = q
    for term in terms:
        for parent in terms[term].parents:
            for disease, q in stated.get(parent, {}).items():
                if disease not in frequency[term]:
                    frequency[term][disease] = round(q * CHILD_SHARE, 6)


def _risk_edge(disease: int, strength: str, leak: float) -> Edge:
    present, absent = RISK[strength]
    log_present, log_absent = round(math.log(present), 6), round(math.log(absent), 6)
    return Edge(disease, log_present, log_absent, round(min(0.95, leak * present), 6))


def _exams(knowledge: Knowledge, index: dict[str, int], position: dict[str, int]) -> tuple[PackExam, ...]:
    roles: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for row in knowledge.relations:
        if row.relation == "exam":
            roles[row.target].append((index[row.disease], row.qualifier or "first", row.note))
    return tuple(
        PackExam(
            key=exam.key.value,
            name=exam.name,
            en=exam.en,
            setting=exam.setting,
            burden=exam.burden,
            reveals=tuple(position[finding] for finding in exam.reveals if finding in position),
            roles=tuple(roles[exam.name]),
        )
        for exam in knowledge.exams.values()
    )
