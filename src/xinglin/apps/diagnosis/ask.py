"""The most useful next question and the examinations worth doing: value of information minus burden.

Value is the expected fall of the severity-weighted entropy of the posterior when the answer becomes
known (information gain, Lindley 1956; weighted entropy, Guiasu 1971): telling a lethal disease from a
mild one counts more than telling two mild ones apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.diagnosis.pack import SEVERITY, PackExam
from xinglin.apps.diagnosis.posterior import Engine
from xinglin.types import State

Array = NDArray[np.float64]

CONSIDERED = 48
"""Diseases that enter the sums: the rest of the posterior has no practical share."""
ASKED_KINDS = frozenset({"symptom", "sign", "history", "risk"})
BURDEN = {"low": 0.0, "medium": 0.04, "high": 0.12}
"""Cost of an examination on the scale of its gain (nats of weighted entropy); authored."""
ROLE_VALUE = {"first": 1.0, "confirm": 0.7, "exclude": 0.8, "stage": 0.1, "after_negative": 0.35}
"""What a stated role in the graph adds, times the candidate's posterior share and severity."""


@dataclass(frozen=True, slots=True)
class Question:
    """A finding to ask for, with its expected gain."""

    finding: int
    gain: float


@dataclass(frozen=True, slots=True)
class ExamAdvice:
    """An examination to do, for which diseases and why."""

    exam: int
    gain: float
    roles: tuple[tuple[int, str], ...]
    """(disease index, role) among the considered candidates, most probable first."""


def _considered(posterior: Array) -> NDArray[np.int64]:
    return np.argsort(-posterior, kind="stable")[:CONSIDERED]


def _weights(engine: Engine, diseases: NDArray[np.int64]) -> Array:
    return np.array([0.25 + SEVERITY[engine.pack.diseases[d].severity] for d in diseases])


def _entropy(p: Array, weights: Array) -> Array:
    """Weighted entropy over the last axis, in nats."""
    return np.asarray(-(weights * p * np.log(np.maximum(p, 1e-12))).sum(axis=-1))


def information_gain(engine: Engine, posterior: Array, findings: list[int]) -> Array:
    """Return the expected fall of weighted entropy for each finding, >= 0."""
    top = _considered(posterior)
    p = posterior[top] / posterior[top].sum()
    weights = _weights(engine, top)
    place = np.full(len(posterior), -1)
    place[top] = np.arange(len(top))
    likelihood = np.repeat(engine.leak[findings][:, None], len(top), axis=1)
    for row, finding in enumerate(findings):
        at = place[engine.edge_disease[finding]]
        likelihood[row, at[at >= 0]] = engine.edge_probability[finding][at >= 0]
    yes = likelihood @ p
    after_yes = likelihood * p / yes[:, None]
    after_no = (1 - likelihood) * p / (1 - yes)[:, None]
    gain = _entropy(p, weights) - yes * _entropy(after_yes, weights) - (1 - yes) * _entropy(after_no, weights)
    return np.asarray(np.maximum(gain, 0.0))


def next_question(
    engine: Engine, posterior: Array, states: Mapping[int, State], skip: frozenset[int] = frozenset()
) -> Question | None:
    """Return the question with the highest gain, or ``None`` when nothing is left to ask.

    Args:
        engine: the compiled pack.
        posterior: normalised.
        states: what is known; findings with an entry, and what they imply, are not asked again.
        skip: findings answered with *I don't know*.
    """
    known = set(states) | skip
    for finding, state in states.items():
        known |= engine.ancestors[finding] if state == "present" else engine.descendants[finding]
    open_findings = [
        i
        for i, finding in enumerate(engine.pack.findings)
        if i not in known and finding.kind in ASKED_KINDS and finding.edges
    ]
    if not open_findings:
        return None
    gains = information_gain(engine, posterior, open_findings)
    best = int(np.argmax(gains))
    return Question(open_findings[best], round(float(gains[best]), 6)) if gains[best] > 1e-4 else None


def advise_exams(
    engine: Engine, posterior: Array, states: Mapping[int, State], urgent: bool, top: int = 8
) -> list[ExamAdvice]:
    """Return the examinations worth doing, best first.

    The gain of an examination is the largest information gain among the findings it can show, plus a
    quarter of the others (they are correlated), plus its stated roles for the candidates, minus burden.

    Args:
        engine: the compiled pack.
        posterior: normalised.
        states: known findings; an examination whose findings are all known adds nothing by them.
        urgent: at emergency levels, examinations reserved for stable patients come last.
        top: how many to return.
    """
    candidates = _considered(posterior)
    share = {int(d): float(posterior[d]) for d in candidates}
    lead = max(share.values())
    open_findings = sorted(
        {
            f
            for exam in engine.pack.exams
            for f in exam.reveals
            if f not in states and engine.pack.findings[f].edges
        }
    )
    gains = dict(zip(open_findings, information_gain(engine, posterior, open_findings), strict=True))
    advice = []
    for index, exam in enumerate(engine.pack.exams):
        roles = [(d, role) for d, role in exam.roles if share.get(d, 0.0) > 0.02 * lead]
        value = _information(exam, gains)
        for disease, role in roles:
            severity = SEVERITY[engine.pack.diseases[disease].severity]
            role_value = ROLE_VALUE[role] * (0.1 if urgent and role == "after_negative" else 1.0)
            value += share[disease] * (0.25 + severity) * role_value
        value -= BURDEN[exam.burden]
        if roles and value > 0:
            roles.sort(key=lambda item: -share[item[0]])
            advice.append(ExamAdvice(index, round(value, 6), tuple(roles[:4])))
    advice.sort(key=lambda item: (-item.gain, item.exam))
    return advice[:top]


def _information(exam: PackExam, gains: Mapping[int, float]) -> float:
    values = sorted((gains[f] for f in exam.reveals if f in gains), reverse=True)
    return float(values[0] + 0.25 * sum(values[1:4])) if values else 0.0
