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

from xinglin import __version__
from xinglin.apps.diagnosis import wording as w
from xinglin.apps.diagnosis.answer import HIGH, MEDIUM, Answer, answer
from xinglin.apps.diagnosis.counterfactual import by_findings, by_words
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.explain_score import Scorer, Variants, class_names, randomised
from xinglin.apps.diagnosis.facts import Case, gather
from xinglin.apps.diagnosis.marks import marks_of
from xinglin.apps.diagnosis.posterior import contributions
from xinglin.apps.diagnosis.remember import now
from xinglin.apps.diagnosis.triage import LEVEL_NAMES
from xinglin.apps.diagnosis.weighing import text_logits
from xinglin.errors import InvalidInputError, MissingExtraError, UnknownNameError
from xinglin.explain.attribution import Attribution
from xinglin.explain.basis import CaseExplanation, Counterfactual, DataSet, Pair, Ranked, Versions
from xinglin.explain.exact import exact_values
from xinglin.explain.faithfulness import Faithfulness, measure_faithfulness
from xinglin.explain.game import Game, Progress, Score
from xinglin.explain.lime_words import lime_values
from xinglin.explain.partition import partition_values
from xinglin.explain.paths import Path, strongest
from xinglin.explain.units import Unit, segment
from xinglin.types import Patient, Record, State

Method = Literal["auto", "exact", "shap", "lime", "gradients"]
METHODS: tuple[Method, ...] = get_args(Method)
EXACT = 10
"""Most units that ``auto`` explains by exact Shapley values (1,024 variants, some seconds with a text model)."""
TOP = 5
"""Candidates shown beside the one that is explained."""
AGAIN = 1
"""Further seeds on which the stability rests."""
BUDGET, CHECK = 400, 128
"""Variants of SHAP Partition: of an explanation, and of the one of the model that knows nothing. A note of 120
characters, with every check, takes two seconds on two processors."""
ORDERS = 6
"""Random orders of the chance floor."""
STEP = 16
"""Variants asked at once: some for every thread."""
THREADS = 4
"""Most runs of the text model side by side."""
THOUSAND = 1_000
"""Of which the progress of a whole explanation is told."""
NO_CLAIM: Pair = ("不作结论", "no claim")
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


@dataclass(frozen=True)
class _Asked:
    """One explanation on its way."""

    differential: Differential
    """What really answers: the graph where the text model has no words."""
    case: Case
    result: Answer
    order: NDArray[np.int64]
    """Pack indices, the most probable first."""
    target: int
    """Pack index."""

    @property
    def name(self) -> Pair:
        found = self.differential.pack.diseases[self.target]
        return found.name, found.en


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
        differential = differential.using("graph")
        notes.append(NO_WORDS)
    if differential.engine_name == "model":
        notes.append(MODEL_ONLY)
    elif result.diseases and result.weighed.graph_reason is not None:
        notes.append(w.MODEL_ALONE)
    order = np.argsort(-result.posterior, kind="stable")
    asked = _Asked(differential, case, result, order, _target(differential, target, order))
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
    paths = _paths(asked)
    english = marks.english | {name: differential.finding_name(name, "en") for name in _named(paths)}
    english |= {name: differential.knowledge.exams[name].en for name in _exams(paths)}
    explained = _explanation(
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
    asked: _Asked, score: Scorer, units: tuple[Unit, ...], method: Method, seed: int, phases: _Phases
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


def _column(asked: _Asked) -> int:
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


def _paths(asked: _Asked) -> tuple[Path, ...]:
    """Paths of the target: by the engine's evidence, or by the graph's own words where the graph had no say."""
    differential, case = asked.differential, asked.case
    name = asked.name[0]
    if name not in differential.knowledge.diseases:
        return ()  # a pack of another label space
    findings = differential.pack.findings
    parents = {item.name: tuple(findings[above].name for above in item.parents) for item in findings}
    if differential.engine_name == "model":
        told = [findings[f].name for f, state in case.states.items() if state == "present"]
        return strongest(differential.knowledge, name, told, parents=parents)
    evidence = contributions(differential.engine, case.states, asked.target)
    weights = {findings[f].name: weight for f, _, weight in evidence}
    return strongest(differential.knowledge, name, tuple(weights), weights=weights, parents=parents)


def _named(paths: tuple[Path, ...]) -> set[str]:
    return {name for path in paths for name in (path.finding, path.finding_edge.target)}


def _exams(paths: tuple[Path, ...]) -> set[str]:
    return {path.exam for path in paths if path.exam is not None}


def _changes(
    asked: _Asked, score: Score, units: tuple[Unit, ...], logits: NDArray[np.float32] | None
) -> tuple[Counterfactual, ...]:
    engine = asked.differential.engine_name
    found = []
    if engine != "model":
        found.append(by_findings(asked.differential, asked.case, logits))
    if engine != "graph" and units:
        found.append(by_words(score, asked.case.text, units, class_names(asked.differential)))
    return tuple(found)


def _explanation(
    asked: _Asked,
    attribution: Attribution | None,
    faithfulness: Faithfulness | None,
    paths: tuple[Path, ...],
    changes: tuple[Counterfactual, ...],
    notes: list[Pair],
    english: dict[str, str],
) -> CaseExplanation:
    result, reason = asked.result, asked.result.prediction.reason
    shown = [int(place) for place in asked.order[:TOP]]
    abstained = None
    if reason is not None:
        zh, en = w.REASON[reason]
        abstained = zh.format(count=result.set_size), en.format(count=result.set_size)
    return CaseExplanation(
        text=asked.case.text,
        patient=_header(asked.case.patient),
        triage=LEVEL_NAMES[result.triage],
        triage_level=result.triage,
        red_flags=tuple((hit.flag.display, hit.flag.en) for hit in result.flags),
        candidates=tuple(_ranked(asked, place) for place in shown),
        target=_ranked(asked, asked.target),
        place=int(np.flatnonzero(asked.order == asked.target)[0]) + 1,
        abstained=abstained,
        attribution=attribution,
        faithfulness=faithfulness,
        paths=paths,
        counterfactuals=changes,
        versions=versions(asked.differential),
        time=now(),
        notes=tuple(notes),
        english=english,
    )


def _ranked(asked: _Asked, place: int) -> Ranked:
    disease, share = asked.differential.pack.diseases[place], float(asked.result.posterior[place])
    prediction = asked.result.prediction
    level = w.LEVEL["high" if share >= HIGH else "medium" if share >= MEDIUM else "low"]
    calibrated = bool(prediction.candidates) and prediction.candidates[0].calibrated
    return Ranked(
        (disease.name, disease.en),
        disease.system,
        disease.code,
        NO_CLAIM if prediction.abstained else level,
        round(share, 6),
        round(share, 4) if calibrated else None,
    )


def _header(patient: Patient) -> tuple[tuple[Pair, Pair], ...]:
    facts: list[tuple[Pair, Pair]] = []
    if patient.age is not None:
        facts.append((("年龄", "Age"), (w.aged(patient.age, "zh"), w.aged(patient.age, "en"))))
    if patient.sex is not None:
        facts.append((("性别", "Sex"), ("男", "male") if patient.sex == "male" else ("女", "female")))
    if patient.pregnant:
        facts.append((("妊娠", "Pregnancy"), ("是", "yes")))
    return tuple(facts)


def versions(differential: Differential) -> Versions:
    """Return what answers, to the digest; the text model only where it has a say."""
    pack, encoder = differential.pack, differential.encoder
    named = f"{pack.name} {pack.version}"
    if encoder is None or differential.engine_name == "graph":
        return Versions(__version__, "graph", named)
    data = tuple(
        DataSet(
            str(item.get("name", "?")),
            item.get("sha256"),
            item.get("records"),
            str(item.get("licence", "?")),
            bool(item.get("weak")),
        )
        for item in encoder.manifest.get("data", ())
    )
    join = differential.join
    weights = join.name if join is not None and differential.engine_name == "both" else None
    return Versions(
        __version__,
        differential.engine_name,
        named,
        str(encoder.manifest.get("name", "")),
        encoder.id,
        weights,
        data,
    )


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
