"""Why this answer: units of the note, what each adds, whether that can be trusted, paths, what would change it.

The numbers are of what answered, to the last rule: engine ``graph`` reads every variant of the note anew and weighs
it; ``both`` joins that with the text model's logits; ``model`` is the text model's own log-softmax.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.diagnosis import wording as w
from xinglin.apps.diagnosis.answer import answer
from xinglin.apps.diagnosis.counterfactual import by_findings, by_words
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.explain_score import Scorer, Variants, class_names, randomised
from xinglin.apps.diagnosis.explain_told import TOP, Asked, english_of, paths_of, told
from xinglin.apps.diagnosis.facts import gather
from xinglin.apps.diagnosis.marks import marks_of
from xinglin.apps.diagnosis.weighing import text_logits
from xinglin.errors import InvalidInputError, MissingExtraError, UnknownNameError
from xinglin.explain.attribution import Attribution
from xinglin.explain.basis import CaseExplanation, Counterfactual, Pair
from xinglin.explain.exact import exact_values
from xinglin.explain.faithfulness import Faithfulness, measure_faithfulness
from xinglin.explain.game import Game, Progress, Score
from xinglin.explain.lime_words import lime_values
from xinglin.explain.partition import partition_values
from xinglin.explain.units import Unit, segment
from xinglin.types import Patient, Record, State

Method = Literal["auto", "exact", "shap", "lime", "gradients"]
METHODS: tuple[Method, ...] = get_args(Method)
EXACT = 10
"""Most units that ``auto`` explains by exact Shapley values (1,024 variants, some seconds with a text model)."""
AGAIN = 1
"""Further seeds on which the stability rests."""
BUDGET, CHECK = 400, 128
"""Variants of SHAP Partition: of an explanation, and of the one of the model that knows nothing."""
ORDERS = 6
"""Random orders of the chance floor."""
STEP = 16
"""Variants asked at once: some for every thread."""
THREADS = 4
"""Most runs of the text model side by side."""
THOUSAND = 1_000
"""Of which the progress of a whole explanation is told."""
MODEL_ONLY: Pair = (
    "只有文本模型作答:下面的图谱路径没有参与这个答案,仅供对照。",
    "The text model answered alone: the graph's paths below had no part in this answer and stand for comparison.",
)
NO_WORDS: Pair = (
    "文本模型在这份病例中没有可读的文字,由知识图谱作答。",
    "The text model found no words to read in this case: the knowledge graph answered.",
)
NO_ONNX: Pair = (
    '未做随机权重对照:没有安装 onnx(pip install "xinglin[explain]")。',
    'The check with randomised weights was not made: onnx is not installed (pip install "xinglin[explain]").',
)


def explain(
    differential: Differential,
    text: str,
    *,
    record: Record | None = None,
    patient: Patient | None = None,
    answers: Mapping[str, State] | None = None,
    method: Method = "auto",
    target: str | None = None,
    seed: int = 0,
    report: Progress | None = None,
) -> CaseExplanation:
    """Explain the answer to one case. Stores nothing; the same case, model and seed give the same explanation.

    Args:
        differential: the loaded model.
        text: the patient's words and results, at most 20,000 characters.
        record: a structured record beside the text; it is part of every variant.
        patient: header facts, part of every variant; what the text says of age and sex is explained as words.
        answers: answers to questions, state by finding key, part of every variant.
        method: ``auto`` is exact Shapley values up to 10 units of text and SHAP Partition above; ``gradients``
            explains the text model alone and needs torch.
        target: the disease to explain, by Chinese or English name, alias or id; ``None`` is the first candidate.
        seed: of every random draw.
        report: progress as (done, of 1,000); may raise to cancel.

    Raises:
        InvalidInputError: nothing to read or to explain, or a method that does not fit the engine or the note.
        InputTooLargeError: the text is too long.
        UnknownNameError: no such disease, or the text model has no label for it.
        MissingExtraError: an optional part is not installed.
    """
    if method not in METHODS:
        raise InvalidInputError(f"method: expected {', '.join(METHODS)}; got {method!r}")
    case = gather(differential, text, record, patient, answers)
    logits = text_logits(differential, case)
    result = answer(differential, case, TOP, logits)
    notes: list[Pair] = []
    if logits is None and differential.engine_name != "graph":
        if differential.engine_name == "both":
            notes.append(NO_WORDS)
        differential = differential.using("graph")
    if differential.engine_name == "model":
        notes.append(MODEL_ONLY)
    elif result.diseases and result.weighed.graph_reason is not None:
        notes.append(w.MODEL_ALONE)
    order = np.argsort(-result.posterior, kind="stable")
    asked = Asked(differential, case, result, order, _target(differential, target, order))
    phases = _Phases(report)
    marks = marks_of(differential, case.text, case.patient)
    units = segment(case.text, marks.marks)
    score = Scorer(differential, Variants(differential, record, patient, answers))
    attribution, faithfulness = None, None
    # A record or answers alone can be explained without words; words with nothing in them can not.
    if units or not (record or answers):
        made = _attributed(asked, score, units, method, seed, phases)
        attribution, faithfulness = made.attribution, made.faithfulness
        notes += made.notes
    phases.begin(900, 1_000)
    paths = paths_of(asked)
    english = marks.english | english_of(differential, paths)
    explained = told(
        asked, attribution, faithfulness, paths, _changes(asked, score, units, logits), notes, english
    )
    phases(1, 1)
    return explained


@dataclass(frozen=True, slots=True)
class _Attributed:
    attribution: Attribution
    faithfulness: Faithfulness
    notes: list[Pair]


def _attributed(
    asked: Asked, score: Scorer, units: tuple[Unit, ...], method: Method, seed: int, phases: _Phases
) -> _Attributed:
    """Explain the words, and measure the explanation."""
    differential, text, notes = asked.differential, asked.case.text, list[Pair]()
    place = _column(asked)
    # A run of the text model lets other threads go on; the graph is plain Python and does not.
    threads = min(THREADS, os.cpu_count() or 1) if differential.engine_name == "model" else 1

    def game_of(scored: Score) -> Game:
        return Game(scored, text, units, place, asked.name[0], threads=threads, progress=phases)

    phases.begin(0, 400)
    game = game_of(score)
    if method == "gradients":
        attribution = _gradients(differential, text, units, place)
        again: list[Attribution] = []
        other = None
    else:
        attribution = _values(game, method, seed)
        phases.begin(400, 550)
        drawn = attribution.method != "exact"
        again = [_values(game, method, seed + 1 + n) for n in range(AGAIN)] if drawn else []
        phases.begin(550, 750)
        try:
            knowing_nothing = randomised(score, seed)
        except MissingExtraError:
            knowing_nothing = None
            notes.append(NO_ONNX)
        other = None if knowing_nothing is None else _values(game_of(knowing_nothing), method, seed, CHECK)
    phases.begin(750, 900)
    measured = measure_faithfulness(
        game, attribution, again=again, randomised=other, orders=ORDERS, seed=seed
    )
    return _Attributed(attribution, measured, notes)


def _values(game: Game, method: Method, seed: int, budget: int = BUDGET) -> Attribution:
    if method == "lime":
        return lime_values(game, seed=seed)
    if method == "exact" or (method == "auto" and len(game) <= EXACT):
        return exact_values(game)
    return partition_values(game, seed=seed, budget=budget, step=STEP)


def _gradients(differential: Differential, text: str, units: tuple[Unit, ...], place: int) -> Attribution:
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
    return gradient_values(load_differentiable(folder), text, units, place)


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


def _target(differential: Differential, named: str | None, order: NDArray[np.int64]) -> int:
    if named is None:
        return int(order[0])
    wanted = named.strip()
    lowered = wanted.lower()
    for place, found in enumerate(differential.pack.diseases):
        if wanted == found.name or lowered in (found.key, found.en.lower()):
            return place
    from xinglin.graph.view import canonical

    name = canonical(differential.knowledge, wanted)  # by alias; names the nearest otherwise
    for place, found in enumerate(differential.pack.diseases):
        if name == found.name:
            return place
    raise UnknownNameError(f"target: expected a disease, got {named!r}: it is no disease of this model")


def _changes(
    asked: Asked, score: Score, units: tuple[Unit, ...], logits: NDArray[np.float32] | None
) -> tuple[Counterfactual, ...]:
    engine = asked.differential.engine_name
    found = []
    if engine != "model":
        found.append(by_findings(asked.differential, asked.case, logits))
    if engine != "graph" and units:
        found.append(by_words(score, asked.case.text, units, class_names(asked.differential)))
    return tuple(found)


class _Phases:
    """Progress of the whole from the progress of its parts; never goes back."""

    def __init__(self, report: Progress | None) -> None:
        self.report, self.told = report, -1
        self.first, self.last = 0, THOUSAND

    def begin(self, first: int, last: int) -> None:
        """A part begins, which is this much of the whole."""
        self.first, self.last = first, last
        self(0, 1)

    def __call__(self, done: int, of: int) -> None:
        share = min(1.0, done / of) if of else 1.0
        here = self.first + int((self.last - self.first) * share)
        if self.report is not None and here > self.told:
            self.told = here
            self.report(here, THOUSAND)
