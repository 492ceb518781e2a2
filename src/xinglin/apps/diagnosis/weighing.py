"""Graph, text model or both -> one posterior, and why there would be none.

The graph's reading decides whether there is anything to rank. Where it read nothing that touches a disease, the
text model may answer without it (over the graph's priors in engine ``both``) if a threshold was learnt for exactly
that (:mod:`.fit_join`), the first candidate reaches it, and the text is made of words that a model of Chinese and
English can have seen; else the abstention stays, with the graph's reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.diagnosis.differential import Differential, EngineName
from xinglin.apps.diagnosis.facts import Case
from xinglin.apps.diagnosis.join import Array, Join, facts_of, log_softmax, pool, told_by
from xinglin.apps.diagnosis.posterior import informative, ruled_out, scores, seen_weights, softmax
from xinglin.errors import ConfigurationError, InputTooLargeError, InvalidInputError

UNREAD = frozenset({"nothing_matched", "out_of_scope"})
"""Reasons of the graph for which the text model may answer alone: not where everything was denied."""
MIN_WORDS = 6
"""Chinese characters or English words below which a text is too short for the model alone."""
_WORD = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]|[a-z]{2,}", re.I)
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Weighed:
    """The posterior of a case and who made it."""

    posterior: Array
    engine: EngineName
    """What weighed it: ``graph`` where the text model had no words to read, whatever was asked for."""
    reason: str | None
    """Why nothing is ranked, or ``None``."""
    graph: Array
    """Posterior of the graph alone."""
    graph_reason: str | None
    """Why the graph alone would rank nothing."""
    shift: Array | None = None
    """What the model added to each disease's log posterior, before the temperature; ``None``: no say."""
    weights: tuple[float, float, float] = (1.0, 0.0, 1.0)
    """Weight of the graph, weight of the model, temperature."""


def log_posterior(differential: Differential, case: Case) -> Array:
    """Return the graph's unnormalised log posterior, with what images show and the text's echo where there is one."""
    logits = scores(
        differential.engine,
        case.states,
        age=case.patient.age,
        sex=case.patient.sex,
        child=bool(case.facts.holds & {"儿童", "婴儿", "新生儿"}) if case.text else None,
        suspected=case.suspected,
    )
    for finding, ratio in case.seen.items():
        weights = seen_weights(differential.engine, finding, ratio)
        logits[differential.engine.edge_disease[finding]] += weights
    if differential.echo is not None and case.text:
        read = [item.span for item in case.findings if item.span]
        logits = logits + differential.echo.shift(case.text, read)
    return logits


def unread(differential: Differential, case: Case) -> str | None:
    """Return why the graph has nothing to rank, or ``None`` if it has."""
    engine = differential.engine
    known = informative(engine, case.states)
    touched = any(state == "present" and len(engine.edge_disease[f]) for f, state in known.items())
    touched = touched or any(len(engine.edge_disease[f]) for f in case.seen)
    if touched or any(state != "absent" for state in case.suspected.values()):
        return None
    return "only_denied" if known else "out_of_scope" if case.states else "nothing_matched"


def case_facts(differential: Differential, case: Case) -> Array:
    """Return the facts of a case on which the weights of a join depend.

    Findings count once: what a more specific one implies, or a more general denial, is left out.
    """
    return facts_of(len(informative(differential.engine, case.states)), len(case.text))


def text_logits(differential: Differential, case: Case) -> NDArray[np.float32] | None:
    """Return the text model's logits of a case, or ``None`` where it has no say or nothing to read."""
    if differential.engine_name == "graph" or not case.text.strip():
        return None
    try:
        return np.asarray(_encoder(differential).logits([case.text])[0])
    except InputTooLargeError:
        raise
    except InvalidInputError:  # signs that are no words for it: the graph answers, and the answer says so
        return None


def weigh(differential: Differential, case: Case, logits: NDArray[Any] | None = None) -> Weighed:
    """Weigh a case with the engine that the differential names.

    Args:
        differential: the loaded model.
        case: facts of one patient.
        logits: what the text model says of ``case.text``, when the caller has it; ``None`` asks the model.
    """
    reason, scored = unread(differential, case), log_posterior(differential, case)
    graph = softmax(scored, differential.pack.temperature)
    if logits is None:
        logits = text_logits(differential, case)
    if differential.engine_name == "graph" or logits is None:
        wordless = "no_words" if differential.engine_name == "model" else None
        return Weighed(graph, "graph", wordless or reason, graph, reason)
    join, told = _join(differential), told_by(logits, differential.label_places, len(graph))
    excluded = ruled_out(differential.engine, case.patient.age, case.patient.sex)
    if differential.engine_name == "both":
        a, b = join.weights(case_facts(differential, case))
        temperature, threshold = join.temperature, join.threshold
    else:
        a, b, temperature, threshold = 0.0, 1.0, join.alone_temperature, join.alone_threshold
    posterior = softmax(pool(log_softmax(scored), told, excluded, a, b, temperature))
    answers = reason in UNREAD and may_answer(threshold, float(posterior.max()), case.text)
    return Weighed(
        posterior,
        differential.engine_name,
        None if answers else reason,
        graph,
        reason,
        b * told,
        (a, b, temperature),
    )


def may_answer(threshold: float | None, confidence: float, text: str) -> bool:
    """Whether the text model may answer where the graph read nothing."""
    return threshold is not None and confidence >= threshold and readable(text)


def readable(text: str) -> bool:
    """Whether a text is long enough for a model, and mostly Chinese or English: elsewhere its odds mean nothing."""
    words = _WORD.findall(text)
    letters = len(_LETTER.findall(text))
    return len(words) >= MIN_WORDS and sum(map(len, words)) >= 0.8 * letters


def _encoder(differential: Differential) -> Any:
    if differential.encoder is None:
        raise ConfigurationError(
            f"engine {differential.engine_name} needs a text model, and none is loaded: give a checkpoint "
            "(--model DIR), or use engine graph"
        )
    return differential.encoder


def _join(differential: Differential) -> Join:
    if differential.join is None:
        return Join(differential.pack.version, _encoder(differential).id)
    return differential.join
