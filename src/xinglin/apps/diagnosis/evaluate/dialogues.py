"""dxy, mz4, mz10: labelled dialogues with asked symptoms, three modes and three arms.

Modes: ``full`` (self-report and every answer of the record), ``self-report``, ``interactive`` (at most ten
questions chosen by the engine and answered from the record). Arms: ``published`` ("not mentioned" counts as
an observation, as published scores do), ``ignored``, and ``clean``, the headline: "not mentioned" ignored and
every input removed that names a diagnosis, an examination or a treatment, since the sets leak them
(``learn/leaky_names.tsv``). The floor is naive Bayes with greedy information gain, fitted in the same arm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from xinglin.apps.diagnosis.evaluate.row import (
    CaseResult,
    Evaluation,
    ResultRow,
    mean,
    probability_figures,
    rate,
)
from xinglin.apps.diagnosis.learn.encode import Array, Codes, Ids, encode, merge
from xinglin.apps.diagnosis.learn.mixture import by_disease, component_scores, fit_mixture, mixture_view
from xinglin.apps.diagnosis.learn.model import Model, Settings, fit, probabilities
from xinglin.apps.diagnosis.learn.policy import simulate
from xinglin.errors import InvalidInputError
from xinglin.graph.importers import read_lines
from xinglin.measure import aps_set, paired_accuracy
from xinglin.terms.tsv import rows as tsv_rows

ARMS = {"published": "A", "ignored": "B", "clean": "C"}
HEADLINE = "clean"
LEAKY = Path(__file__).parents[1] / "learn" / "leaky_names.tsv"
FLOOR = "naive Bayes + information gain, same arm, same run"


def read_dialogues(path: Path) -> list[dict[str, Any]]:
    """Read labelled dialogues.

    Raises:
        InvalidInputError: a record lacks a field or has a state other than 0, 1, 2.
    """
    cases = []
    for number, row in read_lines(path):
        for part in ("explicit", "implicit"):
            states = row.get(part)
            if not isinstance(states, dict) or not all(str(s) in "012" for s in states.values()):
                raise InvalidInputError(f"{path.name}:{number}: expected {part}: {{name: 0, 1 or 2}}")
        if not isinstance(row.get("disease"), str):
            raise InvalidInputError(f"{path.name}:{number}: expected a disease name")
        cases.append(row)
    if not cases:
        raise InvalidInputError(f"{path.name}: no cases")
    return cases


def leaky_names() -> frozenset[str]:
    """Return the input names that name a diagnosis, an examination or a treatment."""
    return frozenset(row["name"] for row in tsv_rows(LEAKY, ("name", "class", "reason")))


def evaluate_dialogues(name: str, data: Path, train: Path, *, seed: int = 0) -> Evaluation:
    """Fit on ``train``, score ``data``; every choice is made on ``train``."""
    fitted, scored = read_dialogues(train), read_dialogues(data)
    unknown = {case["disease"] for case in scored} - {case["disease"] for case in fitted}
    if unknown:
        raise InvalidInputError(f"diseases absent from the training file: {', '.join(sorted(unknown))}")
    result = Evaluation([])
    for arm, letter in ARMS.items():
        model = fit(fitted, letter, seed, leaky_names() if letter == "C" else ())
        _score_arm(name, arm, model, fitted, scored, seed, result)
    return result


def _score_arm(
    name: str,
    arm: str,
    model: Model,
    fitted: Sequence[Mapping[str, Any]],
    scored: Sequence[Mapping[str, Any]],
    seed: int,
    result: Evaluation,
) -> None:
    index = {finding: i for i, finding in enumerate(model.findings)}
    diseases = len(model.diseases)
    truth = _truth(model, scored)
    explicit, answers = _states(scored, index)
    questions = Settings().questions
    walk = simulate(model.mixture, explicit, answers, diseases, model.arm, questions, model.policy)
    floor = _Floor(fitted, model, seed)
    floor_walk = simulate(floor.mixture, explicit, answers, diseases, model.arm, questions)
    states = {"full": merge(explicit, answers), "self-report": explicit, "interactive": walk[-1]}
    heads = {"full": "full", "self-report": "self", "interactive": "dialogue"}
    for mode, known in states.items():
        head = heads[mode]
        p = probabilities(model, head, known, explicit)
        sets = [aps_set(row, model.aps_quantile[head]) for row in p]
        figures = probability_figures(p, truth, sets, seed)
        base = floor.probabilities(head, floor_walk[-1] if mode == "interactive" else known, explicit)
        figures["floor"] = rate(base.argmax(1) == truth)
        if mode == "interactive":
            figures["turns"] = mean(_turns(walk, explicit))
        note = "headline arm" if arm == HEADLINE else ""
        result.rows.append(ResultRow(name, mode, arm, len(truth), figures, note))
        test = paired_accuracy(p.argmax(1) == truth, base.argmax(1) == truth)
        result.remarks.append(
            f"{name} {mode} {arm}: {figures['accuracy'].value:.3f} against {figures['floor'].value:.3f} "
            f"({FLOOR}), "
            f"gain {test.gain:+.3f} [{test.low:+.3f}, {test.high:+.3f}], p = {test.p:.3g}"
        )
        for case, row, label in zip(scored, p, truth, strict=True):
            ranked = [(model.diseases[i], float(row[i])) for i in np.argsort(-row, kind="stable")]
            result.cases.append(
                CaseResult(str(case.get("id", "")), mode, arm, ranked, [model.diseases[label]])
            )


class _Floor:
    """Naive Bayes (add-one) over the same findings."""

    def __init__(self, fitted: Sequence[Mapping[str, Any]], model: Model, seed: int) -> None:
        index = {finding: i for i, finding in enumerate(model.findings)}
        explicit, answers = _states(fitted, index)
        self.arm, self.diseases = model.arm, len(model.diseases)
        y = _truth(model, fitted)
        self.mixture = fit_mixture(merge(explicit, answers), y, self.diseases, 1, 1, 0.0001, seed)

    def probabilities(self, head: str, states: Codes, explicit: Codes) -> Array:
        view = mixture_view(head, self.arm, states)
        scores = by_disease(self.mixture, component_scores(self.mixture, view), self.diseases)
        return np.asarray(softmax(scores, 1))


def _states(cases: Sequence[Mapping[str, Any]], index: Mapping[str, int]) -> tuple[Codes, Codes]:
    return encode((c["explicit"] for c in cases), index), encode((c["implicit"] for c in cases), index)


def _truth(model: Model, cases: Sequence[Mapping[str, Any]]) -> Ids:
    place = {disease: i for i, disease in enumerate(model.diseases)}
    return np.array([place[case["disease"]] for case in cases], np.intp)


def _turns(walk: Sequence[Codes], explicit: Codes) -> Array:
    """Questions asked of each case: all of them, since the policy has no reason to stop early."""
    return np.full(len(explicit), float(len(walk) - 1))
