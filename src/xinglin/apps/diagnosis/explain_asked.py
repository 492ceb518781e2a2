"""One case as a question to be explained: what answered it, what is explained, the units of its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.diagnosis import wording as w
from xinglin.apps.diagnosis.answer import answer
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.explain_score import Scorer, Variants
from xinglin.apps.diagnosis.explain_told import TOP, Asked
from xinglin.apps.diagnosis.facts import gather
from xinglin.apps.diagnosis.marks import marks_of
from xinglin.apps.diagnosis.weighing import text_logits
from xinglin.errors import UnknownNameError
from xinglin.explain.basis import Pair
from xinglin.explain.units import Unit, segment
from xinglin.types import Patient, Record, State

MODEL_ONLY: Pair = (
    "只有文本模型作答:下面的图谱路径没有参与这个答案,仅供对照。",
    "The text model answered alone: the graph's paths below had no part in this answer and stand for comparison.",
)
NO_WORDS: Pair = (
    "文本模型在这份病例中没有可读的文字,由知识图谱作答。",
    "The text model found no words to read in this case: the knowledge graph answered.",
)


@dataclass(frozen=True, slots=True)
class Question:
    """One answered case, ready to be explained."""

    asked: Asked
    score: Scorer
    units: tuple[Unit, ...]
    """Parts of the text; empty where there is no text."""
    logits: NDArray[np.float32] | None
    """Of the text model; ``None`` where it has no say."""
    notes: tuple[Pair, ...]
    """What the reader must know."""
    english: Mapping[str, str]
    """English of the units' names."""


def question(
    differential: Differential,
    text: str,
    *,
    record: Record | None = None,
    patient: Patient | None = None,
    answers: Mapping[str, State] | None = None,
    target: str | None = None,
) -> Question:
    """Answer a case and divide its words.

    Raises:
        InvalidInputError: nothing to read.
        InputTooLargeError: the text is too long.
        UnknownNameError: no such disease.
    """
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
    marks = marks_of(differential, case.text, case.patient)
    score = Scorer(differential, Variants(differential, record, patient, answers))
    return Question(asked, score, segment(case.text, marks.marks), logits, tuple(notes), marks.english)


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
