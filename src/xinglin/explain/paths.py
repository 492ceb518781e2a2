"""The strongest paths finding -> disease -> examination of the knowledge graph, each edge with its source.

The strength of a path is the product of its two edges:

* finding -> disease: the evidence where the engine gives it (natural-log likelihood ratio, signed); else the
  midpoint of HPO's frequency band, and for a risk factor its place among strong, moderate, weak;
* disease -> examination: the place of its role among first, confirm, exclude, stage, after_negative.

Both orders are the graph's own (:mod:`xinglin.graph.knowledge`). A product separates, so the strongest paths run
through the strongest findings and the strongest examinations, and no search is needed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from xinglin.errors import UnknownNameError
from xinglin.graph.knowledge import FREQUENCY_MIDPOINTS, ROLES, STRENGTHS, Knowledge, Relation

AUTHORED = "authored, unreviewed"
"""Source of a row that was written for the graph and that nobody has reviewed."""
FINDINGS, EXAMS = 6, 5
"""Most findings and examinations of one disease's paths: what a drawing can hold."""
Parents = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Edge:
    """One row of the graph."""

    disease: str
    relation: str
    target: str
    qualifier: str | None
    source: str
    verified: bool
    reviewed_by: str | None

    @property
    def authored(self) -> bool:
        """Whether it was written for the graph and never reviewed."""
        return self.source == AUTHORED and self.reviewed_by is None


@dataclass(frozen=True, slots=True)
class Path:
    """finding -> disease -> examination; names are the graph's own (Chinese)."""

    finding: str
    disease: str
    exam: str | None
    """``None``: the graph names no examination of the disease."""
    strength: float
    """> 0 speaks for the disease."""
    finding_strength: float
    exam_strength: float
    finding_edge: Edge
    """Its target is a more general or more specific finding where the graph has no row of this one."""
    exam_edge: Edge | None


def strongest(
    knowledge: Knowledge,
    disease: str,
    findings: Collection[str],
    *,
    weights: Mapping[str, float] | None = None,
    parents: Parents | None = None,
    most: tuple[int, int] = (FINDINGS, EXAMS),
) -> tuple[Path, ...]:
    """Return the paths of one disease through its strongest findings and examinations, the strongest first.

    Args:
        knowledge: the graph.
        disease: the graph's name of the candidate.
        findings: names of the findings of the case; without ``weights`` only those that are present belong here.
        weights: the engine's evidence by finding, for the same disease; a finding without any is left out.
        parents: more general findings by finding; the engine's evidence also runs along them.
        most: findings and examinations to keep.

    Raises:
        UnknownNameError: the graph has no such disease.
    """
    if disease not in knowledge.diseases:
        raise UnknownNameError(
            f"paths: expected a disease of the graph, got {disease!r}: search for its name (xinglin graph show)"
        )
    rows = knowledge.by_disease[disease]
    found = _findings(rows, findings, weights, parents or {})[: most[0]]
    exams = _exams(rows)[: most[1]] or [(None, 1.0)]
    paths = [
        Path(
            name,
            disease,
            row.target if row else None,
            weight * role,
            weight,
            role,
            _edge(told),
            _optional(row),
        )
        for weight, name, told in found
        for row, role in exams
    ]
    return tuple(sorted(paths, key=lambda path: -abs(path.strength)))


def _findings(
    rows: Sequence[Relation],
    findings: Collection[str],
    weights: Mapping[str, float] | None,
    parents: Parents,
) -> list[tuple[float, str, Relation]]:
    """(strength, finding, its row), the strongest first; ties in the order of the findings."""
    told = [row for row in rows if row.relation in ("has_finding", "risk_factor")]
    kept = []
    for name in dict.fromkeys(findings):
        row = _row(name, told, parents)
        if row is not None:
            strength = _stated(row) if weights is None else weights.get(name, 0.0)
            if strength:
                kept.append((strength, name, row))
    return sorted(kept, key=lambda item: -abs(item[0]))


def _row(name: str, rows: Sequence[Relation], parents: Parents) -> Relation | None:
    """The row of a finding: its own, else that of the nearest more general finding, else of a more specific one."""
    by_target: dict[str, Relation] = {}
    for row in rows:
        if row.target not in by_target or _stated(row) > _stated(by_target[row.target]):
            by_target[row.target] = row
    for above in _upward(name, parents):
        if above in by_target:
            return by_target[above]
    below = [row for target, row in by_target.items() if name in _upward(target, parents)]
    return max(below, key=_stated, default=None)


def _upward(name: str, parents: Parents) -> list[str]:
    """A finding and all that is more general, the nearest first."""
    seen = [name]
    for here in seen:
        seen += [above for above in parents.get(here, ()) if above not in seen]
    return seen


def _stated(row: Relation) -> float:
    """Strength of a finding's row by its qualifier, in [0, 1]."""
    if row.relation == "risk_factor":
        return 1.0 - STRENGTHS.index(row.qualifier or STRENGTHS[-1]) / len(STRENGTHS)
    return FREQUENCY_MIDPOINTS[row.qualifier or "occasional"]


def _exams(rows: Sequence[Relation]) -> list[tuple[Relation | None, float]]:
    """(row, strength) of each examination, the strongest role first; an examination counts once."""
    best: dict[str, tuple[Relation, float]] = {}
    for row in rows:
        if row.relation == "exam":
            strength = 1.0 - ROLES.index(row.qualifier or ROLES[0]) / len(ROLES)
            if row.target not in best or strength > best[row.target][1]:
                best[row.target] = (row, strength)
    return sorted(best.values(), key=lambda item: -item[1])


def _edge(row: Relation) -> Edge:
    given = row.provenance
    return Edge(
        row.disease, row.relation, row.target, row.qualifier, given.source, given.verified, given.reviewed_by
    )


def _optional(row: Relation | None) -> Edge | None:
    return None if row is None else _edge(row)
