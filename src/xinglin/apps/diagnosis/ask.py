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

from xinglin.apps.diagnosis.posterior import Engine
from xinglin.types import State

Array = NDArray[np.float64]

CONSIDERED = 24
"""Diseases that enter the sums: the rest of the posterior has no practical share."""
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
    roles: tuple[tuple[int, str, str], ...]
    """(disease index, role, note) among the considered candidates, most probable first."""
    later: bool
    """Only once the patient is stable and the earlier examinations stay negative."""


def _considered(posterior: Array) -> NDArray[np.int64]:
    return np.argsort(-posterior, kind="stable")[:CONSIDERED]


def _entropy(p: Array, weights: Array) -> Array:
    """Weighted entropy over the last axis, in nats."""
    return np.asarray(-(weights * p * np.log(np.maximum(p, 1e-12))).sum(axis=-1))


def information_gain(engine: Engine, posterior: Array) -> Array:
    """Return the expected fall of weighted entropy for every finding of the pack, >= 0.

    A finding without an edge to a considered disease tells nothing and gains 0.
    """
    top = _considered(posterior)
    p = posterior[top] / posterior[top].sum()
    weights = engine.weight[top]
    rows = [engine.disease_findings[d] for d in top.tolist()]
    gain = np.zeros(len(engine.leak))
    touched = np.zeros(len(gain), np.bool_)
    touched[np.concatenate(rows)] = True
    findings = np.flatnonzero(touched)
    if not len(findings):
        return gain
    place = np.zeros(len(gain), np.int64)
    place[findings] = np.arange(len(findings))
    likelihood = np.repeat(engine.leak[findings][:, None], len(top), axis=1)
    for column, disease in enumerate(top.tolist()):
        likelihood[place[rows[column]], column] = engine.disease_probabilities[disease]
    joint_yes = likelihood * p
    joint_no = p - joint_yes
    before = float(_entropy(p, weights))
    gain[findings] = before - _expected_entropy(joint_yes, weights) - _expected_entropy(joint_no, weights)
    return np.asarray(np.maximum(gain, 0.0))


def _expected_entropy(joint: Array, weights: Array) -> Array:
    """P(answer) times the weighted entropy after it, from the joint of answer and disease."""
    total = joint.sum(axis=1, keepdims=True)
    return np.asarray(-((joint * np.log(np.maximum(joint, 1e-12) / np.maximum(total, 1e-12))) @ weights))


def next_question(
    engine: Engine,
    gains: Array,
    states: Mapping[int, State],
    skip: frozenset[int] = frozenset(),
) -> Question | None:
    """Return the question with the highest gain minus burden, or ``None`` when nothing is left to ask.

    Args:
        engine: the compiled pack.
        gains: from :func:`information_gain`.
        states: what is known; findings with an entry, and what they imply, are not asked again.
        skip: findings answered with *I don't know*.
    """
    known = set(states) | skip
    for finding, state in states.items():
        known |= engine.ancestors[finding] if state == "present" else engine.descendants[finding]
    open_gains = np.where(engine.askable, gains - engine.asking, 0.0)
    open_gains[list(known)] = 0.0
    best = int(np.argmax(open_gains))
    return Question(best, round(float(open_gains[best]), 6)) if open_gains[best] > 1e-4 else None


def advise_exams(
    engine: Engine,
    posterior: Array,
    gains: Array,
    states: Mapping[int, State],
    urgent: bool,
    top: int = 8,
    at_hand: frozenset[int] = frozenset(),
) -> list[ExamAdvice]:
    """Return the examinations worth doing, best first.

    The gain of an examination is the largest information gain among the findings it can show, plus a
    quarter of the next three (they are correlated), plus its stated roles for the candidates, minus burden.

    Args:
        engine: the compiled pack.
        posterior: normalised.
        gains: from :func:`information_gain`.
        states: known findings; an examination whose findings are all known adds nothing by them.
        urgent: at emergency levels, examinations reserved for stable patients come last.
        top: how many to return.
        at_hand: examinations whose images are there already; never advised.
    """
    candidates = _considered(posterior)
    lead = float(posterior[candidates[0]])
    roles: dict[int, list[tuple[int, str, str]]] = {}
    for disease in candidates.tolist():
        if posterior[disease] > 0.02 * lead:
            for exam, role, note in engine.disease_exams[disease]:
                if exam in at_hand:
                    continue
                roles.setdefault(exam, []).append((disease, role, note))
    # Plain floats: indexing arrays one by one costs more than the arithmetic.
    gain_of = gains.tolist()
    share = dict(zip(candidates.tolist(), (posterior * engine.weight)[candidates].tolist(), strict=True))
    advice = []
    for index, wanted in roles.items():
        exam = engine.pack.exams[index]
        shown = sorted([gain_of[f] for f in exam.reveals if f not in states], reverse=True)
        value = shown[0] + 0.25 * sum(shown[1:4]) if shown else 0.0
        for disease, role, _ in wanted:
            value += share[disease] * ROLE_VALUE[role]
        value -= BURDEN[exam.burden]
        waits = [role == "after_negative" for _, role, _ in wanted]
        later = all(waits) or (urgent and any(waits))
        if value > 0:
            advice.append(ExamAdvice(index, round(float(value), 6), tuple(wanted[:4]), later))
    advice.sort(key=lambda item: (urgent and item.later, -item.gain, item.exam))
    return advice[:top]
