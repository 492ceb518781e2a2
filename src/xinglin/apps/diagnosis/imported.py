"""An imported graph (plain disease - finding - exam triples, no frequencies) as a differential.

Finding names that our vocabulary knows keep its aliases; the others become terms of their own. Such a
graph says nothing about how often, so every edge counts as ``frequent`` and weight comes from rarity:
the fewer diseases show a finding, the smaller its leak.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.pack import Pack, PackDisease, PackExam, PackFinding, edges_for, seal
from xinglin.apps.diagnosis.posterior import Engine
from xinglin.apps.diagnosis.triage import TriageRules
from xinglin.graph.knowledge import Knowledge
from xinglin.graph.terms import graph_terms
from xinglin.terms.codes import XINGLIN
from xinglin.terms.vocabulary import Term, load_vocabulary
from xinglin.types import Code, Triple

FREQUENT = 0.55
MIN_LEAK = 0.002


def imported_differential(name: str, triples: Iterable[Triple], base: Differential) -> Differential:
    """Return a differential over an imported graph.

    Args:
        name: of the graph, e.g. ``xywy``.
        triples: relations ``has_finding``, ``exam``, ``department`` and ``alias`` are used.
        base: the loaded starter differential; its vocabulary, rules and profile are kept.
    """
    found: dict[str, dict[str, None]] = defaultdict(dict)
    exams: dict[str, dict[str, None]] = defaultdict(dict)
    departments: dict[str, str] = {}
    diseases: dict[str, None] = {}
    for triple in triples:
        head, tail = triple.head.display, triple.tail.display
        diseases[head] = None
        if triple.relation == "has_finding":
            found[tail][head] = None
        elif triple.relation == "exam":
            exams[tail][head] = None
        elif triple.relation == "department":
            departments[head] = tail
    index = {disease: i for i, disease in enumerate(diseases)}
    new_terms: dict[str, Term] = {}
    edges: dict[str, set[int]] = defaultdict(set)
    for finding, heads in found.items():
        if len(finding) < 2:
            continue
        known = [term for term in base.vocabulary.spelled(finding) if term.code.system == XINGLIN]
        if known:
            key = known[0].name
        else:
            key = finding
            new_terms[key] = Term(Code(XINGLIN, f"{name}:{finding}", finding), finding, finding, "symptom")
        edges[key] |= {index[head] for head in heads}
    terms = base.vocabulary.findings | new_terms
    position = {key: i for i, key in enumerate(edges)}
    findings = []
    for key, heads_ in edges.items():
        leak = max(MIN_LEAK, 0.5 * FREQUENT * len(heads_) / len(index))
        findings.append(
            PackFinding(
                key=terms[key].code.value,
                name=key,
                en=terms[key].en,
                kind=terms[key].kind,
                parents=tuple(position[parent] for parent in terms[key].parents if parent in position),
                leak=round(leak, 6),
                edges=edges_for(dict.fromkeys(heads_, FREQUENT), leak),
            )
        )
    pack = seal(
        Pack(
            name=name,
            version="",
            findings=tuple(findings),
            diseases=tuple(_disease(name, disease, departments) for disease in diseases),
            exams=tuple(
                PackExam(
                    key=exam,
                    name=exam,
                    en=exam,
                    setting="county",
                    burden="low",
                    reveals=(),
                    roles=tuple((index[head], "first", "") for head in heads),
                )
                for exam, heads in exams.items()
            ),
            exclude_before=(),
        )
    )
    knowledge = Knowledge(
        diseases={},
        exams=base.knowledge.exams,
        relations=(),
        options=(),
        contraindications=(),
        red_flags=base.knowledge.red_flags,
        danger_signs=base.knowledge.danger_signs,
        finding_codes=base.knowledge.finding_codes | {key: term.code for key, term in new_terms.items()},
    )
    extra = (*graph_terms(base.knowledge), *new_terms.values(), *_disease_terms(name, diseases))
    return replace(
        base,
        vocabulary=load_vocabulary(extra=extra),
        knowledge=knowledge,
        engine=Engine.build(pack),
        rules=TriageRules.build(knowledge, set(base.vocabulary.analytes)),
    )


def _disease(name: str, disease: str, departments: dict[str, str]) -> PackDisease:
    return PackDisease(
        key=f"{name}:{disease}",
        name=disease,
        en=disease,
        system=name,
        code=disease,
        prior=0.0,
        severity="moderate",
        department=departments.get(disease, ""),
        sex="any",
        age_min=None,
        age_max=None,
        age_peak=None,
    )


def _disease_terms(name: str, diseases: Iterable[str]) -> list[Term]:
    return [
        Term(Code("xinglin-disease", f"{name}:{disease}", disease), disease, disease, "disease")
        for disease in diseases
        if len(disease) > 1
    ]
