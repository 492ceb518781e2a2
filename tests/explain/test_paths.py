"""Graph paths against brute force over every row of the graph."""

from __future__ import annotations

from collections import defaultdict
from itertools import product

import numpy as np
import pytest

from xinglin.errors import UnknownNameError
from xinglin.explain.paths import AUTHORED, EXAMS, FINDINGS, Path, strongest
from xinglin.graph.knowledge import FREQUENCY_MIDPOINTS, ROLES, STRENGTHS, Knowledge
from xinglin.graph.load import starter
from xinglin.terms.vocabulary import read_findings
from xinglin.types import Triple

ROLE = dict(zip(ROLES, (1.0, 0.8, 0.6, 0.4, 0.2), strict=True))
RISK = dict(zip(STRENGTHS, (1.0, 2 / 3, 1 / 3), strict=True))


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return starter()


@pytest.fixture(scope="module")
def sampled(knowledge: Knowledge) -> list[tuple[str, list[str]]]:
    """A hundred diseases, each with some of its own findings and some that it does not have."""
    generator = np.random.default_rng(4)
    names = list(knowledge.diseases)
    every = list(knowledge.finding_codes)
    chosen = []
    for place in generator.choice(len(names), 100, replace=False):
        own = [
            row.target
            for row in knowledge.by_disease[names[place]]
            if row.relation in ("has_finding", "risk_factor")
        ]
        strange = [every[i] for i in generator.choice(len(every), 5, replace=False)]
        chosen.append((names[place], [*generator.permutation(own)[:9].tolist(), *strange]))
    return chosen


Out = dict[str, list[Triple]]
"""Every triple of the graph by the disease that it leaves."""


@pytest.fixture(scope="module")
def triples(knowledge: Knowledge) -> Out:
    found: Out = defaultdict(list)
    for triple in knowledge.triples():
        found[triple.head.display].append(triple)
    return found


def brute(
    triples: Out, disease: str, findings: list[str], weights: dict[str, float] | None = None
) -> dict[tuple[str, str | None], float]:
    """Every path through every triple: the strongest of each pair of ends."""
    out = triples[disease]
    exams = [(t.tail.display, ROLE[t.qualifier]) for t in out if t.relation == "exam"] or [(None, 1.0)]
    told = [t for t in out if t.relation in ("has_finding", "risk_factor") and t.tail.display in findings]
    found: dict[tuple[str, str | None], float] = {}
    for triple, (exam, role) in product(told, exams):
        stated = (RISK if triple.relation == "risk_factor" else FREQUENCY_MIDPOINTS)[triple.qualifier]
        weight = stated if weights is None else weights.get(triple.tail.display, 0.0)
        ends = (triple.tail.display, exam)
        if weight and abs(weight * role) > abs(found.get(ends, 0.0)):
            found[ends] = weight * role
    return found


def ends(paths: tuple[Path, ...]) -> dict[tuple[str, str | None], float]:
    return {(path.finding, path.exam): path.strength for path in paths}


def test_all_paths_equal_brute_force(
    knowledge: Knowledge, triples: Out, sampled: list[tuple[str, list[str]]]
) -> None:
    seen = 0
    for disease, findings in sampled:
        paths = strongest(knowledge, disease, findings, most=(999, 999))
        assert ends(paths) == pytest.approx(brute(triples, disease, findings))
        seen += len(paths)
    assert seen > 2000


def test_the_strongest_come_first_and_the_best_is_always_kept(
    knowledge: Knowledge, triples: Out, sampled: list[tuple[str, list[str]]]
) -> None:
    generator = np.random.default_rng(5)
    checked = 0
    for disease, findings in sampled:
        weights = {name: float(generator.normal()) for name in findings}
        paths = strongest(knowledge, disease, findings, weights=weights)
        every = sorted(abs(value) for value in brute(triples, disease, findings, weights).values())
        sizes = [abs(path.strength) for path in paths]
        assert sizes == sorted(sizes, reverse=True)
        if every:
            assert sizes[0] == pytest.approx(every[-1])
            checked += 1
        assert len({path.finding for path in paths}) <= FINDINGS
        assert len({path.exam for path in paths}) <= EXAMS
        assert all(np.sign(path.strength) == np.sign(weights[path.finding]) for path in paths)
    assert checked > 80


def test_sources_are_those_of_the_rows(knowledge: Knowledge, sampled: list[tuple[str, list[str]]]) -> None:
    rows = {
        (row.disease, row.relation, row.target, row.qualifier): row.provenance for row in knowledge.relations
    }
    kinds = set()
    for disease, findings in sampled:
        for path in strongest(knowledge, disease, findings):
            for edge in (path.finding_edge, path.exam_edge):
                if edge is not None:
                    given = rows[edge.disease, edge.relation, edge.target, edge.qualifier]
                    assert (edge.source, edge.reviewed_by) == (given.source, given.reviewed_by)
                    assert edge.authored == (given.source == AUTHORED and given.reviewed_by is None)
                    kinds.add(edge.authored)
    assert True in kinds


def test_a_finding_without_a_row_goes_by_the_nearest_kin(knowledge: Knowledge) -> None:
    parents = {name: term.parents for name, term in read_findings().items()}
    disease = "社区获得性肺炎"
    rows = {row.target for row in knowledge.by_disease[disease]}
    child = next(
        name
        for name, above in parents.items()
        if name not in rows and any(parent in rows for parent in above)
    )
    assert strongest(knowledge, disease, [child]) == ()
    (first, *_) = strongest(knowledge, disease, [child], parents=parents)
    assert first.finding == child
    assert first.finding_edge.target in parents[child]
    general = next(
        parent
        for name in sorted(rows)
        for parent in parents.get(name, ())
        if parent not in rows and not any(above in rows for above in parents[parent])
    )
    (first, *_) = strongest(knowledge, disease, [general], parents=parents)
    assert general in parents[first.finding_edge.target] or first.finding_edge.target in rows


def test_an_unknown_disease_is_named(knowledge: Knowledge) -> None:
    with pytest.raises(UnknownNameError, match="没有的病"):
        strongest(knowledge, "没有的病", ["发热"])
