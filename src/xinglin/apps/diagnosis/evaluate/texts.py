"""toyhom-department, toyhom-disease, dxy-text, mz10-text: a label from a short Chinese text.

Arms: ``linear``, the floor (TF-IDF of character 1- to 3-grams, linear SVM); ``encoder``, the text encoder
fine-tuned on ``--train``; ``xinglin``, the headline: encoder, the same encoder frozen under a linear model, and
linear models of n-grams and word pairs, pooled with weights learnt by cross-fitting (and, for coded cases, the fitted
engine on the symptoms themselves). Every choice (passes, penalties, temperatures, weights, conformal quantiles)
is made on the training file alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.diagnosis.evaluate.row import CaseResult, Evaluation, ResultRow, probability_figures, rate
from xinglin.apps.diagnosis.evaluate.text_cache import Shelf, file_digest
from xinglin.apps.diagnosis.evaluate.text_coded import CodedScorer
from xinglin.apps.diagnosis.evaluate.text_floor import (
    FLOOR,
    Evidence,
    NgramScorer,
    WordScorer,
    cross_fit,
    need_sklearn,
)
from xinglin.apps.diagnosis.evaluate.text_models import (
    Base,
    EncoderEvidence,
    Progress,
    TextSettings,
    open_base,
)
from xinglin.apps.diagnosis.evaluate.text_sets import TEXT_SETS, Question, TextSet, learnable, read_questions
from xinglin.apps.diagnosis.evaluate.text_stack import (
    Array,
    Ids,
    Settled,
    Stack,
    fit_stack,
    folds_of,
    settle,
    softened,
    tempered,
)
from xinglin.apps.diagnosis.evaluate.text_twins import Twins, find_twins
from xinglin.measure import aps_quantile, aps_scores, aps_set, paired_accuracy, top_k

ARMS = ("linear", "encoder", "xinglin")
HEADLINE = "xinglin"
COVERAGE = 0.9
ENOUGH = 200
"""Learnt cases new to a checkpoint, from which what the pool trusts is settled on them alone."""
FLOOR_NAME = "character 1-3-gram TF-IDF + linear SVM, same run"


@dataclass(frozen=True)
class Answered:
    """One arm's probabilities."""

    inner: Array
    """Learnt cases x labels, out of fold: what the conformal quantile is learnt from."""
    y: Ids
    """Label index of those cases."""
    outer: Array
    """Scored cases x labels."""


@dataclass
class Cases:
    """A training file and a file to score in one mode."""

    learnt: list[Question]
    scored: list[Question]
    labels: tuple[str, ...]
    y: Ids
    """Label index of each learnt case."""
    truth: NDArray[np.int64]
    """Label index of each scored case; -1: the training file has no such label."""
    told: NDArray[np.bool_]
    """Scored cases that have a text."""
    new: Ids | None = None
    """Places of learnt cases whose label is new to a checkpoint that learnt others; ``None``: all are new."""
    remarks: list[str] = field(default_factory=list)


def evaluate_texts(
    name: str,
    data: Path,
    train: Path,
    *,
    model: Path | None = None,
    seed: int = 0,
    settings: TextSettings | None = None,
    report: Progress | None = None,
) -> Evaluation:
    """Fit on ``train``, score ``data``.

    Args:
        name: key of ``TEXT_SETS``.
        data: the file to score.
        train: the file to learn from.
        model: checkpoint folder of the encoder; ``None``: the one that the package ships.
        seed: of folds, fine-tuning and intervals.
        settings: of fine-tuning.
        report: progress.

    Raises:
        InvalidInputError: a file of a wrong shape, or nothing to learn from.
        MissingExtraError: scikit-learn or torch is not installed.
        MissingDataError: no checkpoint is given and none is shipped.
        CheckpointError: the checkpoint is damaged.
    """
    which = TEXT_SETS[name]
    door = f"xinglin evaluate {name}"
    need_sklearn(door)
    modes = {mode: read_cases(which, mode, data, train) for mode in which.modes}
    base = open_base(model, door)
    if base.knows(which.sources):
        for cases in modes.values():
            _mark_new(which, cases, base)
    settings = settings or TextSettings()
    result = Evaluation([])
    source = {"train": file_digest(train), "data": file_digest(data), "set": name}
    for mode, cases in modes.items():
        encoder = EncoderEvidence(
            base,
            [question.text for question in (*cases.learnt, *_told(cases))],
            cases.y,
            cases.labels,
            settings=settings,
            seed=seed,
            source=source | {"mode": mode},
            shelf=Shelf.home(),
            report=report,
        )
        _score_mode(which, mode, cases, encoder, settings, seed, result)
    return result


def read_cases(which: TextSet, mode: str, data: Path, train: Path) -> Cases:
    """Read both files in one mode.

    Raises:
        InvalidInputError: a row of a wrong shape, nothing to score, or nothing to learn from.
    """
    everything = read_questions(which, mode, train)
    learnt, scored = learnable(everything, train), read_questions(which, mode, data)
    labels = tuple(sorted({question.label for question in learnt}))
    place = {label: number for number, label in enumerate(labels)}
    truth = np.array([place.get(question.label, -1) for question in scored], np.int64)
    cases = Cases(
        learnt,
        scored,
        labels,
        np.array([place[question.label] for question in learnt], np.intp),
        truth,
        np.array([bool(question.text) for question in scored], bool),
    )
    empty = len(everything) - len(learnt)
    if empty:
        cases.remarks.append(f"{empty} of {len(everything)} training rows have no text and are left out")
    if not cases.told.all():
        cases.remarks.append(
            f"{int((~cases.told).sum())} of {len(scored)} rows to score have no text: every arm answers them with "
            "the label frequencies of the training file"
        )
    unseen = sorted({question.label for question, t in zip(scored, truth, strict=True) if t < 0})
    if unseen:
        cases.remarks.append(
            f"{int((truth < 0).sum())} of {len(scored)} rows to score have a label that the training file lacks "
            f"({', '.join(unseen[:5])}): they count as misses in every arm"
        )
    return cases


def _mark_new(which: TextSet, cases: Cases, base: Base) -> None:
    """Note which learnt cases are new to a checkpoint that has learnt from the set, and say what follows."""
    new = np.flatnonzero([which.unlearnt(question.row) for question in cases.learnt])
    known = f"{base.name} has learnt from part of this set"
    if len(new) >= ENOUGH:
        cases.new = new
        cases.remarks.append(
            f"{known}; weights, temperatures and quantiles are settled on the {len(new)} learnt cases that are new to it"
        )
    else:
        cases.remarks.append(
            f"{known}, and only {len(new)} of the learnt cases are new to it (expected {ENOUGH}): weights and "
            "temperatures may trust the encoder too much, and confidences may be too high"
        )


def _told(cases: Cases) -> list[Question]:
    return [question for question in cases.scored if question.text]


def _score_mode(
    which: TextSet,
    mode: str,
    cases: Cases,
    encoder: EncoderEvidence,
    settings: TextSettings,
    seed: int,
    result: Evaluation,
) -> None:
    head = f"{which.name} {mode}"
    folds = [
        (rest, held) for rest, held in folds_of(cases.y, settings.fold_count(len(cases.y)), seed) if len(held)
    ]
    evidence, chosen = _gather(which, mode, cases, encoder, folds, seed)
    arms, weights = _answers(evidence, cases, seed)
    result.remarks.extend(f"{head}: {remark}" for remark in cases.remarks)
    result.remarks.append(f"{head}: {chosen}; weights of the pool: {weights}")
    hits = {arm: top_k(answered.outer, cases.truth, 1) for arm, answered in arms.items()}
    first_three = {arm: top_k(answered.outer, cases.truth, 3) for arm, answered in arms.items()}
    for arm, answered in arms.items():
        quantile = aps_quantile(aps_scores(answered.inner, answered.y), COVERAGE)
        sets = [aps_set(row, quantile) for row in answered.outer]
        figures = probability_figures(answered.outer, cases.truth, sets, seed)
        if arm != "linear":
            figures["floor"] = rate(hits["linear"])
            figures["floor_top3"] = rate(first_three["linear"])
        note = {"linear": "floor", HEADLINE: "headline arm"}.get(arm, "")
        notes = "; ".join(part for part in (note, which.note) if part)
        result.rows.append(ResultRow(which.name, mode, arm, len(cases.truth), figures, notes))
        for question, row in zip(cases.scored, answered.outer, strict=True):
            ranked = [(cases.labels[i], float(row[i])) for i in np.argsort(-row, kind="stable")]
            result.cases.append(CaseResult(question.id, mode, arm, ranked, [question.label]))
    for arm, other in ((HEADLINE, "linear"), ("encoder", "linear"), (HEADLINE, "encoder")):
        for figure, table in (("accuracy", hits), ("top3", first_three)):
            result.remarks.append(f"{head} {figure}: {_compared(arm, table[arm], other, table[other])}")
    result.remarks.extend(f"{head}: {remark}" for remark in _twin_remarks(which, cases, hits))


def _gather(
    which: TextSet,
    mode: str,
    cases: Cases,
    encoder: EncoderEvidence,
    folds: Sequence[tuple[Ids, Ids]],
    seed: int,
) -> tuple[dict[str, Evidence], str]:
    """Return every member's evidence, and what was chosen on the way."""
    learnt, labels = len(cases.y), len(cases.labels)
    told = _told(cases)
    texts = [question.text for question in (*cases.learnt, *told)]
    ngrams = NgramScorer(texts, cases.y, labels, seed)
    c = ngrams.choose(*folds[0])
    evidence = cross_fit(ngrams, folds, learnt, len(told))
    words = WordScorer(encoder.words(), cases.y, labels, seed)
    evidence |= cross_fit(words, folds, learnt, len(told))
    if which.coded:
        coded = CodedScorer([*cases.learnt, *told], cases.y, labels, mode, seed)
        evidence |= cross_fit(coded, folds, learnt, len(told))
    evidence["encoder"], epochs = encoder.fine_tuned(folds)
    evidence["frozen encoder"], frozen_c = encoder.frozen(folds)
    chosen = (
        f"{learnt} cases learnt in {len(folds)} folds; chosen on the first fold: {epochs:g} passes of fine-tuning, "
        f"C {c:g} (logistic), C {frozen_c:g} (frozen encoder)"
    )
    return evidence, chosen


def _answers(evidence: dict[str, Evidence], cases: Cases, seed: int) -> tuple[dict[str, Answered], str]:
    """Return each arm's probabilities, and the pool's weights in words."""
    arms = {}
    new = np.arange(len(cases.y)) if cases.new is None else cases.new
    y = cases.y[new]
    for arm, member in (("linear", FLOOR), ("encoder", "encoder")):
        one = evidence[member]
        t = tempered(one.inner[new], y)
        arms[arm] = Answered(softened(one.inner[new], t), y, _placed(softened(one.outer, t), cases))
    scores = [one.inner for one in evidence.values()]
    stack, inner = fit_stack(scores, cases.y, seed)
    weights = ", ".join(f"{name} {weight:.2f}" for name, weight in zip(evidence, stack.weight, strict=True))
    ridge = "none" if np.isinf(stack.ridge) else f"penalty {stack.ridge:g}"
    said = f"{weights}; correction: {ridge}"
    final: Stack | Settled = stack
    if cases.new is not None:
        settled, inner = settle(stack, inner, scores, cases.y, new, seed)
        final, moved = settled, ", ".join(f"{weight:+.2f}" for weight in settled.weight[:-1])
        said += f"; settled by {moved} and {settled.weight[-1]:.2f} of the whole"
    outer = final.probabilities([one.outer for one in evidence.values()])
    arms[HEADLINE] = Answered(inner, y, _placed(outer, cases))
    return arms, said


def _placed(outer: Array, cases: Cases) -> Array:
    """Return probabilities of all scored cases: the label frequencies where there is no text."""
    counts = np.bincount(cases.y, minlength=len(cases.labels)).astype(float)
    found = np.tile(counts / counts.sum(), (len(cases.truth), 1))
    found[cases.told] = outer
    return found


def _compared(arm: str, ours: NDArray[np.bool_], other: str, theirs: NDArray[np.bool_]) -> str:
    test = paired_accuracy(ours, theirs)
    named = f"{other} ({FLOOR_NAME})" if other == "linear" else other
    return (
        f"{arm} {ours.mean():.3f} against {named} {theirs.mean():.3f}, gain {test.gain:+.3f} "
        f"[{test.low:+.3f}, {test.high:+.3f}], p = {test.p:.3g}"
    )


def _twin_remarks(which: TextSet, cases: Cases, hits: dict[str, NDArray[np.bool_]]) -> list[str]:
    twins: Twins = find_twins(
        *([q.text for q in cases.learnt], [q.label for q in cases.learnt]),
        *([q.text for q in cases.scored], [q.label for q in cases.scored]),
    )
    n, alone = len(cases.scored), ~(twins.same | twins.near)
    found = [
        f"{int(twins.same.sum())} of {n} scored texts stand in the training file word for word ({twins.contrary} with "
        f"another label only), {int(twins.near.sum())} more nearly so (3-gram Jaccard from .7); none was removed"
        + ("; coded cases with the same symptoms have the same text" if which.coded else "")
    ]
    if alone.any() and not alone.all():
        shares = ", ".join(f"{arm} {hits[arm][alone].mean():.3f}" for arm in ARMS)
        found.append(f"accuracy on the {int(alone.sum())} texts without such a twin: {shares}")
    return found
