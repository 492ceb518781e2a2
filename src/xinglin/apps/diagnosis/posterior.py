"""Findings -> posterior over diseases. Pure functions over a pack held as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.diagnosis.pack import SEVERITY, Pack
from xinglin.types import State

Array = NDArray[np.float64]
Ids = NDArray[np.int64]

ASKED_KINDS = frozenset({"symptom", "sign", "history", "risk"})
ASKING = {"symptom": 0.0, "history": 0.0, "risk": 0.005, "sign": 0.01}
"""Burden of a question: a sign needs an examination, a risk may be delicate; authored."""
SEX_MISMATCH = -9.0
AGE_OUTSIDE = -6.0
AGE_PEAK = 0.6
ADULT_ONLY, CHILD_ONLY, OTHER_AGE = 14.0, 19.0, -1.2
NAMED = {"present": 4.5, "unknown": 2.5, "absent": -2.0}
NAMED_ALONE = 8.0
"""More for a named disease when the text holds no finding to weigh it against."""
"""Log prior added to a disease that the text itself names as found, suspected or excluded."""
EXPECTED = 0.3
"""A symptom at least this frequent in a disease is expected to be told."""
UNMENTIONED = 0.12
"""Share of the weight of absence that an expected but unmentioned symptom carries."""


@dataclass(frozen=True)
class Engine:
    """A pack as arrays; build once, share between threads."""

    pack: Pack
    prior: Array
    edge_disease: tuple[Ids, ...]
    edge_present: tuple[Array, ...]
    edge_absent: tuple[Array, ...]
    edge_probability: tuple[Array, ...]
    leak: Array
    ancestors: tuple[frozenset[int], ...]
    descendants: tuple[frozenset[int], ...]
    unmentioned: Array
    """Per disease, the sum of absence weights of the symptoms one expects to be told."""
    finding_index: dict[str, int]
    disease_index: dict[str, int]
    weight: Array
    """Severity weight of each disease in entropies."""
    only_male: Ids
    only_female: Ids
    age_min: Array
    age_max: Array
    peak_first: Array
    peak_last: Array
    peak_width: Array
    peaked: Array
    """1.0 where a usual age band is known."""
    disease_findings: tuple[Ids, ...]
    """Findings with an edge to each disease."""
    disease_probabilities: tuple[Array, ...]
    disease_exams: tuple[tuple[tuple[int, str, str], ...], ...]
    """(examination, role, note) of each disease."""
    asking: Array
    """Burden of asking for each finding, on the scale of its gain."""
    askable: NDArray[np.bool_]
    """Findings that a patient or an examiner can be asked for."""
    expected: tuple[Ids, ...]
    """Per finding, places of the edges of diseases in which the symptom is to be expected."""

    severity: NDArray[np.intp]
    """Index into ``SEVERITY`` of each disease; ``bincount`` takes the machine's own integers (32 bits in WASM)."""

    def severity_share(self, posterior: Array) -> dict[str, float]:
        """Return the posterior mass of each severity."""
        mass = np.bincount(self.severity, weights=posterior, minlength=len(SEVERITY))
        return dict(zip(SEVERITY, mass.tolist(), strict=True))

    @staticmethod
    def build(pack: Pack) -> Engine:
        """Turn a pack into arrays."""
        ancestors = _closure([finding.parents for finding in pack.findings])
        below: list[set[int]] = [set() for _ in pack.findings]
        for child, above in enumerate(ancestors):
            for parent in above:
                below[parent].add(child)
        unmentioned = np.zeros(len(pack.diseases))
        for finding in pack.findings:
            if finding.kind == "symptom":
                for edge in finding.edges:
                    if edge.probability >= EXPECTED:
                        unmentioned[edge.disease] += edge.absent
        edges = [finding.edges for finding in pack.findings]
        by_disease: list[list[tuple[int, float]]] = [[] for _ in pack.diseases]
        for index, finding in enumerate(pack.findings):
            for edge in finding.edges:
                by_disease[edge.disease].append((index, edge.probability))
        exams: list[list[tuple[int, str, str]]] = [[] for _ in pack.diseases]
        for index, exam in enumerate(pack.exams):
            for disease, role, note in exam.roles:
                exams[disease].append((index, role, note))
        peaks = [disease.age_peak or (0.0, 0.0) for disease in pack.diseases]
        return Engine(
            pack=pack,
            prior=np.array([disease.prior for disease in pack.diseases]),
            edge_disease=tuple(np.array([e.disease for e in row], np.int64) for row in edges),
            edge_present=tuple(np.array([e.present for e in row]) for row in edges),
            edge_absent=tuple(np.array([e.absent for e in row]) for row in edges),
            edge_probability=tuple(np.array([e.probability for e in row]) for row in edges),
            leak=np.array([finding.leak for finding in pack.findings]),
            ancestors=ancestors,
            descendants=tuple(frozenset(item) for item in below),
            unmentioned=unmentioned,
            finding_index={finding.key: i for i, finding in enumerate(pack.findings)},
            disease_index={disease.key: i for i, disease in enumerate(pack.diseases)},
            weight=np.array([0.25 + SEVERITY[disease.severity] for disease in pack.diseases]),
            only_male=np.array([i for i, d in enumerate(pack.diseases) if d.sex == "male"], np.int64),
            only_female=np.array([i for i, d in enumerate(pack.diseases) if d.sex == "female"], np.int64),
            age_min=np.array([-1.0 if d.age_min is None else d.age_min - 0.01 for d in pack.diseases]),
            age_max=np.array([200.0 if d.age_max is None else d.age_max + 0.99 for d in pack.diseases]),
            peak_first=np.array([first for first, _ in peaks]),
            peak_last=np.array([last for _, last in peaks]),
            peak_width=np.array([max(5.0, 0.5 * (last - first)) for first, last in peaks]),
            peaked=np.array([float(d.age_peak is not None) for d in pack.diseases]),
            severity=np.array([list(SEVERITY).index(d.severity) for d in pack.diseases], np.intp),
            disease_findings=tuple(np.array([f for f, _ in row], np.int64) for row in by_disease),
            disease_probabilities=tuple(np.array([p for _, p in row]) for row in by_disease),
            disease_exams=tuple(tuple(row) for row in exams),
            asking=np.array([ASKING.get(f.kind, 0.0) for f in pack.findings]),
            askable=np.array([bool(f.edges) and f.kind in ASKED_KINDS for f in pack.findings]),
            expected=tuple(
                np.array(
                    [i for i, e in enumerate(f.edges) if f.kind == "symptom" and e.probability >= EXPECTED],
                    np.int64,
                )
                for f in pack.findings
            ),
        )


def _closure(parents: list[tuple[int, ...]]) -> tuple[frozenset[int], ...]:
    closed: list[frozenset[int]] = []
    for first in parents:
        found: set[int] = set()
        stack = list(first)
        while stack:
            parent = stack.pop()
            if parent not in found:
                found.add(parent)
                stack.extend(parents[parent])
        closed.append(frozenset(found))
    return tuple(closed)


def informative(engine: Engine, states: Mapping[int, State]) -> dict[int, State]:
    """Keep the most specific present and the most general absent findings; drop unknown ones.

    A specific finding implies its general form, so counting both would count one fact twice.
    """
    present = {finding for finding, state in states.items() if state == "present"}
    absent = {finding for finding, state in states.items() if state == "absent"}
    implied = set().union(*(engine.ancestors[finding] for finding in present)) if present else set()
    denied = set().union(*(engine.descendants[finding] for finding in absent)) if absent else set()
    kept: dict[int, State] = dict.fromkeys(sorted(present - implied), "present")
    kept.update(dict.fromkeys(sorted(absent - denied - implied), "absent"))
    return kept


def scores(
    engine: Engine,
    states: Mapping[int, State],
    *,
    age: float | None = None,
    sex: str | None = None,
    child: bool | None = None,
    suspected: Mapping[int, State] | None = None,
) -> Array:
    """Return the unnormalised log posterior of every disease.

    Args:
        engine: the compiled pack.
        states: state by finding index.
        age: years; ``None`` leaves age out.
        sex: ``male`` or ``female``; ``None`` leaves sex out.
        child: without an age, whether the words speak of a child; ``None`` leaves it out.
        suspected: diseases that the text itself names, by state.
    """
    total = engine.prior + demographics(engine, age, sex, child) + UNMENTIONED * engine.unmentioned
    told = set(states)
    for finding in states:
        told |= engine.ancestors[finding]
    for finding in sorted(told):
        expected = engine.expected[finding]
        if len(expected):
            total[engine.edge_disease[finding][expected]] -= (
                UNMENTIONED * engine.edge_absent[finding][expected]
            )
    known = informative(engine, states)
    for finding, state in known.items():
        weights = engine.edge_present[finding] if state == "present" else engine.edge_absent[finding]
        total[engine.edge_disease[finding]] += weights
    for disease, state in (suspected or {}).items():
        total[disease] += NAMED[state]
        if state != "absent" and "present" not in known.values():
            total[disease] += NAMED_ALONE
    return total


def softmax(logits: Array, temperature: float = 1.0) -> Array:
    """Return the normalised posterior."""
    scaled = logits / temperature
    weights = np.exp(scaled - scaled.max())
    return np.asarray(weights / weights.sum())


def demographics(engine: Engine, age: float | None, sex: str | None, child: bool | None = None) -> Array:
    """Return the log prior's shift by age (years) and sex for every disease.

    Outside the age limits a disease is practically ruled out; inside its usual band it gains a little, and
    loses with the distance from the band in units of half the band's width (at least five years). Without
    an age, ``child`` says whether the words speak of a child; the diseases of the other age lose a little.
    """
    shift = np.zeros(len(engine.prior))
    if sex is not None:
        shift[engine.only_female if sex == "male" else engine.only_male] += SEX_MISMATCH
    if age is not None:
        distance = np.maximum(np.maximum(engine.peak_first - age, age - engine.peak_last), 0.0)
        shift += np.maximum(-1.5, AGE_PEAK - distance / engine.peak_width) * engine.peaked
        shift[(age < engine.age_min) | (age > engine.age_max)] = AGE_OUTSIDE
    elif child is not None:
        other = (engine.age_min > ADULT_ONLY) if child else (engine.age_max < CHILD_ONLY)
        shift[other] += OTHER_AGE
    return shift


def ruled_out(engine: Engine, age: float | None, sex: str | None) -> Array:
    """Return only what sex and the age limits take from the log prior: 0, or the shift of a mismatch."""
    shift = np.zeros(len(engine.prior))
    if sex is not None:
        shift[engine.only_female if sex == "male" else engine.only_male] = SEX_MISMATCH
    if age is not None:
        shift[(age < engine.age_min) | (age > engine.age_max)] = AGE_OUTSIDE
    return shift


def seen_weights(engine: Engine, finding: int, ratio: float) -> Array:
    """Return what an uncertain finding adds to the log-odds of each disease that it has an edge to.

    Virtual evidence (Pearl 1988, section 2.2.2): what was seen is ``ratio`` times as likely where the finding is as where
    it is not. A ratio of 1 adds nothing, one without end adds the weight of the finding itself.
    """
    leak = engine.leak[finding]
    with_it = leak * ratio * np.exp(engine.edge_present[finding])
    without = (1 - leak) * np.exp(engine.edge_absent[finding])
    return np.asarray(np.log((with_it + without) / (leak * ratio + 1 - leak)))


def contributions(
    engine: Engine, states: Mapping[int, State], disease: int, seen: Mapping[int, float] | None = None
) -> list[tuple[int, State, float]]:
    """Return (finding, state, weight) of everything that moved one disease, strongest first.

    Args:
        engine: the compiled pack.
        states: state by finding index.
        disease: its index.
        seen: likelihood ratios of findings that a model saw; their state is ``unknown``.
    """
    rows: list[tuple[int, State, float]] = []
    for finding, ratio in (seen or {}).items():
        edges = np.flatnonzero(engine.edge_disease[finding] == disease)
        if len(edges) and (weight := float(seen_weights(engine, finding, ratio)[edges[0]])):
            rows.append((finding, "unknown", weight))
    for finding, state in informative(engine, states).items():
        at = np.searchsorted(engine.edge_disease[finding], disease)
        if at < len(engine.edge_disease[finding]) and engine.edge_disease[finding][at] == disease:
            weights = engine.edge_present[finding] if state == "present" else engine.edge_absent[finding]
            if weights[at]:
                rows.append((finding, state, float(weights[at])))
    return sorted(rows, key=lambda row: (-abs(row[2]), row[0]))
