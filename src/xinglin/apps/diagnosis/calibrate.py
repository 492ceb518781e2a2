"""Recalibrate a pack on a site's confirmed diagnoses.

Learnt, in this order and cross-fitted: log priors (how often each disease is the
confirmed one here, shrunk towards the graph), a temperature, the APS quantile for 90 % coverage and, with at
least 49 lethal cases, a quantile of its own for 98 % coverage of lethal diseases (class-conditional in the
sense of Mondrian conformal prediction, with all lethal diseases as one class); with fewer nothing is claimed.
Percentages are switched on only when there are enough cases and the held-out slope is near one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.facts import Case, gather
from xinglin.apps.diagnosis.pack import Pack, seal
from xinglin.apps.diagnosis.posterior import scores, softmax
from xinglin.errors import InvalidInputError
from xinglin.graph.importers import read_lines
from xinglin.measure import (
    aps_quantile,
    aps_scores,
    brier,
    debiased_ece,
    fit_temperature,
    nll,
    slope_intercept,
)
from xinglin.records.intake import PatientJson
from xinglin.terms.codes import is_descendant
from xinglin.types import STATES

Array = NDArray[np.float64]
MIN_CASES = 200
"""Fewer confirmed cases than this and percentages stay off."""
MIN_LETHAL = 49
"""Lethal cases below which no coverage of lethal diseases is claimed: fewer cannot bound 98 %."""
PRIOR_STRENGTH = 20.0
"""Pseudo-cases by which the graph's prior counts."""
SLOPE = (0.8, 1.25)
"""Held-out calibration slope within which percentages are shown."""
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was learnt, and how good it is out of fold."""

    pack: Pack
    n: int
    unmatched: int
    """Cases whose confirmed diagnosis is not in the label space."""
    metrics: dict[str, float]
    enough: bool


@dataclass(frozen=True, slots=True)
class _Confirmed:
    case: Case
    disease: int


def calibrate_site(differential: Differential, path: Path, *, seed: int = 0) -> Calibration:
    """Recalibrate on a JSONL file of confirmed cases.

    Each line: ``{"text": ..., "patient": {...}, "answers": {finding id: state}, "disease": {"system",
    "value", "display"} | "name"}``; this is what the workbench exports (``GET /api/cases/confirmed``).

    Raises:
        InvalidInputError: a line of a wrong shape, or no case in the label space.
    """
    confirmed, unmatched = [], 0
    for number, row in read_lines(path):
        disease = resolve(differential.pack, row.get("disease"))
        if disease is None:
            unmatched += 1
            continue
        try:
            confirmed.append(_Confirmed(_case(differential, row), disease))
        except InvalidInputError as error:
            raise InvalidInputError(f"{path.name}:{number}: {error}") from None
    if not confirmed:
        raise InvalidInputError(f"{path.name}: no case whose confirmed diagnosis is in the label space")
    return _calibrate(differential, confirmed, unmatched, path.stem, seed)


def _case(differential: Differential, row: dict[str, Any]) -> Case:
    text, answers = row.get("text") or "", row.get("answers") or {}
    if not isinstance(text, str):
        raise InvalidInputError(f"text: expected a string, got {type(text).__name__}")
    if not isinstance(answers, dict) or not all(state in STATES for state in answers.values()):
        raise InvalidInputError(f"answers: expected an object of finding id -> {', '.join(STATES)}")
    try:
        header = PatientJson.model_validate(row.get("patient") or {}, strict=False).noun()
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(("patient", *map(str, first["loc"])))
        raise InvalidInputError(f"{place}: {first['msg']}") from None
    return gather(differential, text, patient=header, answers=answers)


def resolve(pack: Pack, disease: Any) -> int | None:
    """Return the pack index of a confirmed diagnosis, by name or by code at three characters or more."""
    if isinstance(disease, str):
        disease = {"display": disease}
    if not isinstance(disease, dict):
        return None
    name, value = disease.get("display"), disease.get("value")
    for index, item in enumerate(pack.diseases):
        if name and name in (item.name, item.en):
            return index
    if isinstance(value, str) and value:
        for index, item in enumerate(pack.diseases):
            if value == item.code or value == item.key:
                return index
        for index, item in enumerate(pack.diseases):
            try:
                if item.system.startswith("icd10") and is_descendant(value, item.code):
                    return index
            except ValueError:
                return None
    return None


def _calibrate(
    differential: Differential, confirmed: Sequence[_Confirmed], unmatched: int, name: str, seed: int
) -> Calibration:
    engine, n = differential.engine, len(confirmed)
    logits = np.array(
        [
            scores(
                engine,
                c.case.states,
                age=c.case.patient.age,
                sex=c.case.patient.sex,
                suspected=c.case.suspected,
            )
            for c in confirmed
        ]
    )
    truth = np.array([item.disease for item in confirmed])
    order = np.random.default_rng(seed).permutation(n)
    shifted = np.empty_like(logits)
    folds = np.array_split(order, min(FOLDS, n))
    for fold in folds:
        rest = np.setdiff1d(order, fold)
        shifted[fold] = logits[fold] + _prior_shift(differential.pack, truth[rest])
    probability = np.empty_like(shifted)
    for fold in folds:
        rest = np.setdiff1d(order, fold)
        temperature = fit_temperature(shifted[rest], truth[rest]) if len(rest) > 1 else 1.0
        probability[fold] = np.array([softmax(row, temperature) for row in shifted[fold]])
    metrics = _metrics(probability, truth)
    reached = aps_scores(probability, truth)
    lethal = np.array([differential.pack.diseases[disease].severity == "lethal" for disease in truth])
    enough = n >= MIN_CASES and SLOPE[0] <= metrics["slope"] <= SLOPE[1]
    shift = _prior_shift(differential.pack, truth)
    diseases = tuple(
        replace(disease, prior=round(disease.prior + float(extra), 6))
        for disease, extra in zip(differential.pack.diseases, shift, strict=True)
    )
    pack = seal(
        replace(
            differential.pack,
            name=f"{differential.pack.name}@{name}",
            diseases=diseases,
            temperature=round(fit_temperature(shifted, truth), 6) if n > 1 else 1.0,
            calibrated_on=f"{name} (n={n})" if enough else None,
            quantile=round(aps_quantile(reached, 0.9), 6) if enough else None,
            lethal_quantile=round(aps_quantile(reached[lethal], 0.98), 6)
            if enough and lethal.sum() >= MIN_LETHAL
            else None,
        )
    )
    return Calibration(pack, n, unmatched, metrics, enough)


def _prior_shift(pack: Pack, truth: NDArray[np.int64]) -> Array:
    """Log ratio of the shrunk observed frequency to the graph's own prior."""
    prior = softmax(np.array([disease.prior for disease in pack.diseases]))
    counts = np.bincount(truth, minlength=len(prior))
    posterior = (counts + PRIOR_STRENGTH * prior) / (len(truth) + PRIOR_STRENGTH)
    return np.asarray(np.log(posterior / prior))


def _metrics(probability: Array, truth: NDArray[np.int64]) -> dict[str, float]:
    top = probability.max(axis=1)
    correct = probability.argmax(axis=1) == truth
    slope, intercept = slope_intercept(top, correct)
    values = {
        "accuracy": correct.mean(),
        "nll": nll(probability, truth).mean(),
        "brier": brier(probability, truth).mean(),
        "ece": debiased_ece(top, correct),
        "slope": slope,
        "intercept": intercept,
    }
    return {name: round(float(value), 4) for name, value in values.items()}
