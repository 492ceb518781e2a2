"""Findings -> posterior over diseases. Pure functions over a pack held as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.diagnosis.pack import Pack
from xinglin.types import State

Array = NDArray[np.float64]
Ids = NDArray[np.int64]

SEX_MISMATCH = -9.0
AGE_OUTSIDE = -6.0
AGE_PEAK = 0.6
SUSPECTED = 2.0
"""Log prior added to a disease that the text names as suspected; subtracted when it names it as excluded."""
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
                    if edge.probability >= 0.3:
                        unmentioned[edge.disease] += edge.absent
        edges = [finding.edges for finding in pack.findings]
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
    suspected: Mapping[int, State] | None = None,
) -> Array:
    """Return the unnormalised log posterior of every disease.

    Args:
        engine: the compiled pack.
        states: state by finding index.
        age: years; ``None`` leaves age out.
        sex: ``male`` or ``female``; ``None`` leaves sex out.
        suspected: diseases that the text itself names: ``unknown`` or ``present`` raises, ``absent`` lowers.
    """
    total = engine.prior + demographics(engine.pack, age, sex) + UNMENTIONED * engine.unmentioned
    told = set(states)
    for finding in states:
        told |= engine.ancestors[finding]
    for finding in sorted(told):
        if engine.pack.findings[finding].kind == "symptom":
            expected = engine.edge_probability[finding] >= 0.3
            diseases = engine.edge_disease[finding][expected]
            total[diseases] -= UNMENTIONED * engine.edge_absent[finding][expected]
    for finding, state in informative(engine, states).items():
        weights = engine.edge_present[finding] if state == "present" else engine.edge_absent[finding]
        total[engine.edge_disease[finding]] += weights
    for disease, state in (suspected or {}).items():
        total[disease] += -SUSPECTED if state == "absent" else SUSPECTED
    return total


def softmax(logits: Array, temperature: float = 1.0) -> Array:
    """Return the normalised posterior."""
    scaled = logits / temperature
    weights = np.exp(scaled - scaled.max())
    return np.asarray(weights / weights.sum())


def demographics(pack: Pack, age: float | None, sex: str | None) -> Array:
    """Return the log prior's shift by age (years) and sex for every disease."""
    shift = np.zeros(len(pack.diseases))
    for i, disease in enumerate(pack.diseases):
        if sex is not None and disease.sex not in ("any", sex):
            shift[i] += SEX_MISMATCH
        if age is None:
            continue
        low = disease.age_min if disease.age_min is not None else 0.0
        high = disease.age_max if disease.age_max is not None else 130.0
        if not low - 0.01 <= age <= high + 0.99:
            shift[i] += AGE_OUTSIDE
        elif disease.age_peak is not None:
            first, last = disease.age_peak
            distance = max(first - age, age - last, 0.0)
            width = max(5.0, 0.5 * (last - first))
            shift[i] += max(-1.5, AGE_PEAK - distance / width)
    return shift


def contributions(
    engine: Engine, states: Mapping[int, State], disease: int
) -> list[tuple[int, State, float]]:
    """Return (finding, state, weight) of everything that moved one disease, strongest first."""
    rows = []
    for finding, state in informative(engine, states).items():
        at = np.searchsorted(engine.edge_disease[finding], disease)
        if at < len(engine.edge_disease[finding]) and engine.edge_disease[finding][at] == disease:
            weights = engine.edge_present[finding] if state == "present" else engine.edge_absent[finding]
            if weights[at]:
                rows.append((finding, state, float(weights[at])))
    return sorted(rows, key=lambda row: (-abs(row[2]), row[0]))
