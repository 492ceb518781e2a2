"""What the diagnosis model says of a record, as a vote on the classes of a scheme."""

from __future__ import annotations

from collections.abc import Mapping

from xinglin.apps.diagnosis.answer import Answer, answer
from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.facts import gather
from xinglin.apps.diagnosis.render import model_json
from xinglin.apps.diagnosis.wording import model_line
from xinglin.errors import InvalidInputError
from xinglin.labels.scheme import Scheme
from xinglin.labels.verify import ModelVote
from xinglin.terms.codes import XINGLIN_DISEASE
from xinglin.types import Candidate, Code, Record

TOP = 50


def model_vote(differential: Differential, record: Record, scheme: Scheme) -> ModelVote:
    """Return the class with the most weight among the diseases that fall under a class of the scheme.

    A disease falls under the class of its own code or, in ICD-10, under the longest code of the scheme that it
    refines (J18.9 under J18). The model abstains when it claims no ranking, when it can read nothing, and when a
    disease that falls under no class outweighs every class.
    """
    name = model_line(model_json(differential))
    try:
        found = answer(differential, gather(differential, "", record), TOP)
    except InvalidInputError:  # nothing to read, or too much
        return ModelVote(name, None)
    if found.prediction.abstained:
        return ModelVote(name, None)
    classes = {(code.system, code.value): code for code in scheme.codes}
    falls = [class_of(one.system, one.code, one.key, classes) for one in differential.pack.diseases]
    weights: dict[Code, float] = {}
    outside = 0.0
    for code, weight in zip(falls, found.posterior, strict=True):
        if code is None:
            outside = max(outside, float(weight))
        else:
            weights[code] = weights.get(code, 0.0) + float(weight)
    best = max(weights, key=lambda code: weights[code], default=None)
    if best is None or outside > weights[best]:
        return ModelVote(name, None)
    own = [
        candidate
        for place, candidate in zip(found.diseases, found.prediction.candidates, strict=True)
        if falls[place] == best
    ]
    return ModelVote(name, best, _probability(own), _spans(found, own, record.text))


def class_of(system: str, value: str, key: str, classes: Mapping[tuple[str, str], Code]) -> Code | None:
    """Return the class under which a disease falls, or ``None``.

    Args:
        system: its coding system.
        value: its code.
        key: its own id in the graph.
        classes: the scheme's codes by (system, value).
    """
    own = classes.get((XINGLIN_DISEASE, key)) or classes.get((system, value))
    if own is not None or not system.startswith("icd10"):
        return own
    for length in range(len(value) - 1, 2, -1):
        found = classes.get((system, value[:length].rstrip(".")))
        if found is not None:
            return found
    return None


def _probability(candidates: list[Candidate]) -> float | None:
    """Sum of calibrated probabilities; ``None`` where one of them claims none."""
    values = [candidate.probability for candidate in candidates]
    if not values or any(value is None for value in values):
        return None
    return min(1.0, sum(value for value in values if value is not None))


def _spans(found: Answer, candidates: list[Candidate], text: str) -> tuple[tuple[int, int], ...]:
    """Return the words that speak for the first candidate of the class."""
    if not candidates:
        return ()
    read = found.case.text
    spans = {
        item.span
        for item in candidates[0].evidence
        if item.span is not None and item.weight > 0 and item.state == "present"
    }
    return tuple(sorted(span for span in spans if read[slice(*span)] == text[slice(*span)] != ""))
