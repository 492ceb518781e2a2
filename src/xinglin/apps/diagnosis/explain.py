"""Why this answer: units of the note, what each adds, whether that can be trusted, paths, what would change it.

The numbers are of what answered, to the last rule: engine ``graph`` reads every variant of the note anew and weighs
it; ``both`` joins that with the text model's logits; ``model`` is the text model's own log-softmax.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from xinglin.apps.diagnosis.counterfactual import by_findings, by_words
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.explain_asked import Question, question
from xinglin.apps.diagnosis.explain_score import class_names
from xinglin.apps.diagnosis.explain_told import english_of, paths_of, told
from xinglin.apps.diagnosis.explain_words import METHODS, Method, Phases, attributed
from xinglin.errors import InvalidInputError
from xinglin.explain.basis import CaseExplanation, Counterfactual
from xinglin.explain.game import Progress
from xinglin.types import Patient, Record, State


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
        method: ``auto`` is exact Shapley values up to 10 units of text, sampled ones (``permutation``) up to 70 and
            SHAP Partition (``shap``) above; ``gradients`` explains the text model alone and needs torch.
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
    asked = question(differential, text, record=record, patient=patient, answers=answers, target=target)
    notes, phases = list(asked.notes), Phases(report)
    attribution, faithfulness = None, None
    # A record or answers alone can be explained without words; words with nothing in them can not.
    if asked.units or not (record or answers):
        phases.begin(0, 900)
        made = attributed(asked, method, seed, phases)
        attribution, faithfulness = made.attribution, made.faithfulness
        notes += made.notes
    phases.begin(900, 1_000)
    paths = paths_of(asked.asked)
    english = {**asked.english, **english_of(asked.asked.differential, paths)}
    explained = told(asked.asked, attribution, faithfulness, paths, _changes(asked), notes, english)
    phases(1, 1)
    return explained


def _changes(asked: Question) -> tuple[Counterfactual, ...]:
    """Search among the findings and among the words, side by side: the one is plain Python, the other the text model."""
    differential, case = asked.asked.differential, asked.asked.case
    engine = differential.engine_name
    found = []
    with ThreadPoolExecutor(1) as pool:
        words = None
        if engine != "graph" and asked.units:
            words = pool.submit(by_words, asked.score, case.text, asked.units, class_names(differential))
        if engine != "model":
            found.append(by_findings(differential, case, asked.logits))
        if words is not None:
            found.append(words.result())
    return tuple(found)
