"""What each part of a note's words adds to an answer, by any of the methods, and whether that can be trusted."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from xinglin.apps.diagnosis.explain_asked import Question
from xinglin.apps.diagnosis.explain_score import THREADS, randomised
from xinglin.apps.diagnosis.explain_told import Asked
from xinglin.errors import InvalidInputError, MissingExtraError, UnknownNameError
from xinglin.explain.attribution import Attribution
from xinglin.explain.basis import Pair
from xinglin.explain.exact import exact_values
from xinglin.explain.faithfulness import Faithfulness, measure_faithfulness
from xinglin.explain.game import Game, Progress, Score
from xinglin.explain.lime_words import lime_values
from xinglin.explain.partition import partition_values
from xinglin.explain.permutation import BUDGET as SAMPLED
from xinglin.explain.permutation import permutation_values

Method = Literal["auto", "exact", "permutation", "shap", "lime", "gradients"]
METHODS: tuple[Method, ...] = get_args(Method)
EXACT = 10
"""Most units that ``auto`` explains by exact Shapley values (1,024 variants, some seconds with a text model)."""
LONG = 70
"""Units above which ``auto`` takes SHAP Partition: orders of so many cost more than its budget."""
AGAIN = 1
"""Further seeds on which the stability rests."""
BUDGET = 400
"""Variants of SHAP Partition."""
CHECK = 128
"""Variants of the explanation of the model that knows nothing."""
ORDERS = 4
"""Random orders of the chance floor; those that sampled values took already."""
STEP = 16
"""Variants asked at once: some for every thread."""
NO_ONNX: Pair = (
    '未做随机权重对照:没有安装 onnx(pip install "xinglin[explain]")。',
    'The check with randomised weights was not made: onnx is not installed (pip install "xinglin[explain]").',
)
THOUSAND = 1_000
"""Of which the progress of a whole explanation is told."""


@dataclass(frozen=True, slots=True)
class Attributed:
    """An explanation of a case's words, and its checks."""

    attribution: Attribution
    faithfulness: Faithfulness
    notes: list[Pair]


def attributed(question: Question, method: Method, seed: int, progress: Progress | None = None) -> Attributed:
    """Explain the words of a case, and measure the explanation.

    Args:
        question: the answered case.
        method: ``auto`` is exact Shapley values up to :data:`EXACT` units of text, sampled ones (``permutation``) up
            to :data:`LONG`, and SHAP Partition (``shap``) above; ``gradients`` explains the text model alone and needs
            torch.
        seed: of every random draw.
        progress: (done, of 1,000).

    Raises:
        InvalidInputError: nothing to explain, or a method that does not fit the engine or the note.
        UnknownNameError: the text model has no label for the disease.
        MissingExtraError: an optional part is not installed.
    """
    phases, notes = Phases(progress), list[Pair]()
    phases.begin(0, 450)
    game = _game(question, question.score, phases)
    attribution = _values(question, game, method, seed)
    again: list[Attribution] = []
    other = None
    if method != "gradients":
        phases.begin(450, 620)
        if attribution.method in ("shap", "lime"):
            again = [_values(question, game, method, seed + 1 + n) for n in range(AGAIN)]
        phases.begin(620, 840)
        try:
            blank = randomised(question.score, seed)
        except MissingExtraError:
            blank = None
            notes.append(NO_ONNX)
        if blank is not None:
            other = _values(question, _game(question, blank, phases), method, seed, CHECK)
    phases.begin(840, 1_000)
    measured = measure_faithfulness(
        game, attribution, again=again, randomised=other, orders=ORDERS, seed=seed
    )
    return Attributed(attribution, measured, notes)


def attribution_of(question: Question, method: Method, seed: int) -> Attribution:
    """Explain the words of a case without measuring the explanation; as :func:`attributed` otherwise."""
    return _values(question, _game(question, question.score, None), method, seed)


def _game(question: Question, score: Score, progress: Progress | None) -> Game:
    asked = question.asked
    # Of ``both`` the score itself runs the text model beside the graph, which is plain Python.
    threads = min(THREADS, os.cpu_count() or 1) if asked.differential.engine_name == "model" else 1
    text, place = asked.case.text, _column(asked)
    return Game(score, text, question.units, place, asked.name[0], threads=threads, progress=progress)


def _values(
    question: Question, game: Game, method: Method, seed: int, budget: int | None = None
) -> Attribution:
    if method == "gradients":
        return _gradients(question)
    if method == "lime":
        return lime_values(game, seed=seed)
    if method == "exact" or (method == "auto" and len(game) <= EXACT):
        return exact_values(game)
    if method == "shap" or (method == "auto" and len(game) > LONG):
        return partition_values(game, seed=seed, budget=budget or BUDGET, step=STEP)
    return permutation_values(game, seed=seed, budget=budget or SAMPLED)


def _gradients(question: Question) -> Attribution:
    asked = question.asked
    differential = asked.differential
    if differential.engine_name != "model":
        raise InvalidInputError(
            f"gradients: expected engine model, got {differential.engine_name}: they explain the text model alone; "
            "use --engine model, or another method"
        )
    from xinglin.explain.gradients import gradient_values, load_differentiable

    folder = getattr(differential.encoder, "folder", None)
    if folder is None:
        raise InvalidInputError(
            "gradients: expected a text model loaded from a checkpoint folder, got one without: use --method shap"
        )
    return gradient_values(load_differentiable(folder), asked.case.text, question.units, _column(asked))


def _column(asked: Asked) -> int:
    """Column of the target in what the score returns."""
    if asked.differential.engine_name != "model":
        return asked.target
    places = np.flatnonzero(np.asarray(asked.differential.label_places) == asked.target)
    if not len(places):
        raise UnknownNameError(
            f"target: the text model has no label {asked.name[0]} ({asked.name[1]}), so it cannot be asked about it: "
            "use --engine both or graph"
        )
    return int(places[0])


class Phases:
    """Progress of the whole from the progress of its parts; never goes back."""

    def __init__(self, report: Progress | None) -> None:
        self.report, self.told = report, -1
        self.first, self.last = 0, THOUSAND

    def begin(self, first: int, last: int) -> None:
        """Begin a part, which is this much of the whole."""
        self.first, self.last = first, last
        self(0, 1)

    def __call__(self, done: int, of: int) -> None:
        """Tell how much of the part is done."""
        share = min(1.0, done / of) if of else 1.0
        here = self.first + int((self.last - self.first) * share)
        if self.report is not None and here > self.told:
            self.told = here
            self.report(here, THOUSAND)
