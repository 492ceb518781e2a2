"""Learn how graph and text model count, from cases with known diseases; every figure is out of fold.

Learnt in this order, cross-fitted as in :mod:`.calibrate`: six numbers (:mod:`.join`) by multinomial likelihood
with a Gaussian prior around *both count half*; a temperature on the out-of-fold logits; the APS quantiles on the
out-of-fold probabilities; the thresholds from which there is an answer where the graph read nothing.

A case may have several right diseases: its likelihood is that of the set, it is hit when the first candidate is one
of them, and its conformal score is the mass down to the first of them.

The text model must not have been trained on these cases.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.diagnosis.differential import Differential
from xinglin.apps.diagnosis.facts import Case
from xinglin.apps.diagnosis.join import (
    DEFAULT_LINE,
    FILE,
    Array,
    Ids,
    Join,
    TextModel,
    line,
    log_softmax,
    pool,
    told_by,
)
from xinglin.apps.diagnosis.pack import Pack
from xinglin.apps.diagnosis.posterior import ruled_out
from xinglin.apps.diagnosis.weighing import UNREAD, case_facts, log_posterior, readable, unread
from xinglin.errors import ConfigurationError, InvalidInputError
from xinglin.measure import aps_quantile, debiased_ece, proportion, slope_intercept

Mask = NDArray[np.bool_]
Folds = list[tuple[Ids, Ids]]
"""(the rest, the fold): places of cases."""
GRAPH_ONLY, MODEL_ONLY = (1.0, 0.0), (0.0, 1.0)

FOLDS = 5
MIN_CASES = 200
"""Fewer cases than this and percentages stay off, as in :mod:`.calibrate`."""
SLOPE = (0.8, 1.25)
MIN_SET = 50
"""Cases below which no coverage is claimed."""
MIN_LETHAL = 49
USABLE = 12
"""Median size beyond which conformal sets are of no use and the relative rule stays."""
MIN_ALONE = 30
"""Cases that the graph could not read, below which the model never answers alone."""
MIN_ANSWERED = 20
ALONE = 0.5
"""Lower 95 % limit of the share of right first candidates, above which the model may answer alone."""
SPREAD = (1.0, 0.5, 0.5)
"""Standard deviations of the prior on a line: constant, findings, characters."""
BATCH = 32


@dataclass(frozen=True, slots=True)
class JoinFit:
    """What was learnt, and the out-of-fold posterior that the figures come from."""

    join: Join
    kept: Ids
    """Places of the cases with a disease of the pack; the others are left out."""
    probability: Array
    """Kept cases x diseases, engine ``both``, out of fold."""


@dataclass(frozen=True, slots=True)
class _Cases:
    """Everything the fit needs of the kept cases."""

    graph: Array
    told: Array
    excluded: Array
    facts: Array
    truth: Mask
    alone: Mask
    """Cases that only the model can answer: the graph read nothing, the text is made of words."""

    def __getitem__(self, index: Ids) -> _Cases:
        return _Cases(*(getattr(self, name)[index] for name in self.__slots__))


def fit_join(
    differential: Differential,
    cases: Sequence[Case],
    truths: Sequence[Sequence[int]],
    *,
    name: str,
    logits: NDArray[Any] | None = None,
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> JoinFit:
    """Learn the join of a differential that has a text model.

    Args:
        differential: with an encoder; its engine and its present join play no part.
        cases: from :func:`.facts.gather` over the same pack; a case without words is left out.
        truths: pack indices of the right diseases of each case; an empty one is left out.
        name: of the set of cases, kept in the calibration and shown in answers.
        logits: what the model says of each case's text (cases x labels), when the caller has it; these may
            come from other weights (cross-fitting), the labels must be the encoder's.
        groups: whose case each one is, when several are of one patient: they stay in one fold, and what is claimed
            counts patients; ``None``: each its own.
        seed: of the folds.

    Raises:
        ConfigurationError: the differential has no text model.
        InvalidInputError: lengths differ, or fewer than two cases per fold are left.
    """
    encoder = differential.encoder
    if encoder is None:
        raise ConfigurationError(
            "fit_join needs a text model: load_differential(checkpoint folder) gives one"
        )
    for what, values in (("truth", truths), ("row of logits", logits), ("group", groups)):
        if values is not None and len(values) != len(cases):
            raise InvalidInputError(f"expected one {what} a case; got {len(values)} for {len(cases)} cases")
    kept = np.array(
        [i for i, truth in enumerate(truths) if len(truth) and cases[i].text.strip()], dtype=np.int64
    )
    whose = kept if groups is None else np.unique([groups[i] for i in kept], return_inverse=True)[1]
    if len(np.unique(whose)) < 2 * FOLDS:
        raise InvalidInputError(
            f"expected at least {2 * FOLDS} cases with words and a known disease; got {len(np.unique(whose))}"
        )
    chosen = [cases[i] for i in kept]
    given = _logits(encoder, chosen) if logits is None else np.asarray(logits)[kept]
    data = _gathered(differential, chosen, [truths[i] for i in kept], given)
    left_out = len(cases) - len(kept)
    join, probability = _fit(
        Join(differential.pack.version, encoder.id, set=name), differential.pack, data, whose, seed
    )
    return JoinFit(replace(join, metrics={"left_out": left_out, **join.metrics}), kept, probability)


def keep_join(join: Join, folder: Path) -> None:
    """Write ``calibration.json`` into a checkpoint folder and seal the folder anew; its id stays the same.

    Raises:
        ConfigurationError: the folder holds another model.
        CheckpointError: the folder does not verify.
    """
    from xinglin.model.checkpoint import amending, verify_checkpoint

    checkpoint = verify_checkpoint(folder)
    if checkpoint.id != join.model:
        raise ConfigurationError(
            f"{folder} holds model {checkpoint.id[:16]!r}, the join was fitted for {join.model[:16]!r}: fit it again"
        )
    with amending(folder) as new:
        text = json.dumps(join.as_json(), ensure_ascii=False, indent=1, allow_nan=False)
        (new / FILE).write_text(text + "\n", encoding="utf-8")


def _logits(encoder: TextModel, cases: Sequence[Case]) -> NDArray[Any]:
    texts = [case.text for case in cases]
    return np.concatenate([encoder.logits(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)])


def _gathered(
    differential: Differential, cases: Sequence[Case], truths: Sequence[Sequence[int]], logits: NDArray[Any]
) -> _Cases:
    size = len(differential.pack.diseases)
    truth = np.zeros((len(cases), size), bool)
    for row, members in enumerate(truths):
        places = np.asarray(members, np.int64)
        if places.min() < 0 or places.max() >= size:
            raise InvalidInputError(
                f"truths: expected pack indices from 0 to {size - 1}; got {list(members)[:5]}"
            )
        truth[row, places] = True
    return _Cases(
        graph=np.array([log_softmax(log_posterior(differential, case)) for case in cases]),
        told=told_by(logits, differential.label_places, size),
        excluded=np.array(
            [ruled_out(differential.engine, case.patient.age, case.patient.sex) for case in cases]
        ),
        facts=np.array([case_facts(differential, case) for case in cases]),
        truth=truth,
        alone=np.array([unread(differential, case) in UNREAD and readable(case.text) for case in cases]),
    )


def _fit(blank: Join, pack: Pack, data: _Cases, whose: Ids, seed: int) -> tuple[Join, Array]:
    n, patients, folds = len(data.truth), np.unique(whose), _folds(whose, seed)
    learnt = np.empty((n, 2))
    for rest, fold in folds:
        learnt[fold] = _weights(_lines(data[rest]), data.facts[fold])
    probability = _cross_fitted(data, learnt, folds)
    own, single = (_cross_fitted(data, np.tile(w, (n, 1)), folds) for w in (GRAPH_ONLY, MODEL_ONLY))
    metrics: dict[str, Any] = {"folds": FOLDS, "seed": seed, "patients": len(patients)}
    for engine, values in (("graph", own), ("model", single), ("both", probability)):
        metrics[engine] = _figures(values, data.truth)
    reached = _aps_scores(probability, data.truth)
    metrics["set"] = _coverage(probability, reached, folds)
    metrics["unread"] = {
        "n": int(data.alone.sum()),
        "both": _unread_figures(probability, data, folds),
        "model": _unread_figures(single, data, folds),
    }
    lines, slope = _lines(data), metrics["both"]["slope"]
    silent = np.tile(MODEL_ONLY, (n, 1))
    alone_temperature = round(_temperature(data, silent), 6)
    asked = np.flatnonzero(data.alone)
    enough = len(patients) >= MIN_CASES and slope is not None and SLOPE[0] <= slope <= SLOPE[1]
    usable = len(patients) >= MIN_SET and metrics["set"]["median_size"] <= USABLE
    lethal = _lethal(pack, data.truth)
    deadly = len(np.unique(whose[lethal]))
    join = replace(
        blank,
        graph=_rounded(lines[0]),
        text=_rounded(lines[1]),
        temperature=round(_temperature(data, learnt), 6),
        threshold=_threshold(probability[asked], data.truth[asked]),
        alone_temperature=alone_temperature,
        alone_threshold=_threshold(_joined(data[asked], silent[asked], alone_temperature), data.truth[asked]),
        quantile=round(aps_quantile(reached, 0.9), 6) if usable else None,
        lethal_quantile=round(aps_quantile(reached[lethal], 0.98), 6)
        if usable and deadly >= MIN_LETHAL
        else None,
        n=n,
        calibrated_on=f"{blank.set} (n={n})" if enough else None,
        metrics=metrics,
    )
    return join, probability


def _folds(whose: Ids, seed: int) -> Folds:
    """Deal the patients to the folds, each with all of its cases."""
    dealt = np.array_split(np.random.default_rng(seed).permutation(np.unique(whose)), FOLDS)
    inside = [np.isin(whose, part) for part in dealt]
    return [(np.flatnonzero(~fold), np.flatnonzero(fold)) for fold in inside]


def _cross_fitted(data: _Cases, weights: Array, folds: Folds) -> Array:
    """Probabilities whose temperature comes from the other folds."""
    found = np.empty_like(data.graph)
    for rest, fold in folds:
        temperature = _temperature(data[rest], weights[rest])
        found[fold] = _joined(data[fold], weights[fold], temperature)
    return found


def _lethal(pack: Pack, truth: Mask) -> Mask:
    """Cases with a lethal disease among the right ones."""
    deadly = np.array([disease.severity == "lethal" for disease in pack.diseases])
    return np.asarray((truth & deadly).any(axis=1))


def _rounded(values: Array) -> tuple[float, float, float]:
    first, second, third = (round(float(value), 6) for value in values)
    return first, second, third


def _lines(data: _Cases) -> tuple[Array, Array]:
    """The two lines of largest posterior likelihood; the gradient is exact."""
    from scipy.optimize import minimize

    centre = np.array([*DEFAULT_LINE, *DEFAULT_LINE])
    spread = np.array([*SPREAD, *SPREAD])

    def loss(x: Array) -> tuple[float, Array]:
        a, b = line(x[:3], data.facts), line(x[3:], data.facts)
        scores = pool(data.graph, data.told, data.excluded, a[:, None], b[:, None])
        p = _softmax(scores)
        inside = np.maximum((p * data.truth).sum(axis=1), 1e-300)
        # d(-log p(set)) / d score = p - p(. | set)
        pull = p - p * data.truth / inside[:, None]
        of_a = (pull * (data.graph - np.where(a[:, None] < 1, data.excluded, 0.0))).sum(axis=1) * a
        of_b = (pull * data.told).sum(axis=1) * b
        away = (x - centre) / spread
        gradient = np.concatenate([data.facts.T @ of_a, data.facts.T @ of_b]) + away / spread
        return float(-np.log(inside).sum() + 0.5 * away @ away), gradient

    found = minimize(loss, centre, jac=True, method="L-BFGS-B", bounds=[(-3, 3)] * 6)
    return found.x[:3], found.x[3:]


def _softmax(scores: Array) -> Array:
    return np.asarray(np.exp(log_softmax(scores)))


def _weights(lines: tuple[Array, Array], facts: Array) -> Array:
    """a and b of every case, cases x 2."""
    return np.stack([line(part, facts) for part in lines], axis=1)


def _joined(data: _Cases, weights: Array, temperature: float) -> Array:
    """Probability of every disease; a and b by case."""
    a, b = weights[:, :1], weights[:, 1:]
    return _softmax(pool(data.graph, data.told, data.excluded, a, b, temperature))


def _temperature(data: _Cases, weights: Array) -> float:
    """T in [.05, 20] of least negative log likelihood of the sets."""
    return _minimal(lambda t: _nll(_joined(data, weights, t), data.truth))


def _minimal(loss: Any) -> float:
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda x: loss(float(np.exp(x))),
        bounds=(np.log(0.05), np.log(20.0)),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))


def _nll(probability: Array, truth: Mask) -> float:
    return float(-np.log(np.maximum((probability * truth).sum(axis=1), 1e-12)).mean())


def _figures(probability: Array, truth: Mask) -> dict[str, float | None]:
    """Share of cases with a right disease among the first k, likelihood, calibration of the first."""
    order = np.argsort(-probability, axis=1, kind="stable")[:, :5]
    hits = np.take_along_axis(truth, order, axis=1)
    first, top = hits[:, 0], probability.max(axis=1)
    slope, intercept = slope_intercept(top, first)
    values = {f"top{k}": float(hits[:, :k].any(axis=1).mean()) for k in (1, 3, 5)}
    values |= {"nll": _nll(probability, truth), "ece": debiased_ece(top, first)}
    values |= {"slope": slope, "intercept": intercept}
    return {key: round(value, 4) if np.isfinite(value) else None for key, value in values.items()}


def _aps_scores(probability: Array, truth: Mask) -> Array:
    """Mass needed to reach the first right disease."""
    order = np.argsort(-probability, axis=1, kind="stable")
    mass = np.cumsum(np.take_along_axis(probability, order, axis=1), axis=1)
    rank = np.argmax(np.take_along_axis(truth, order, axis=1), axis=1)
    return np.asarray(mass[np.arange(len(truth)), rank])


def _coverage(probability: Array, reached: Array, folds: Folds) -> dict[str, float]:
    """Coverage and size of 90 % sets whose quantile comes from the other folds."""
    covered = np.zeros(len(reached), bool)
    sizes = np.zeros(len(reached))
    for rest, fold in folds:
        quantile = aps_quantile(reached[rest], 0.9)
        covered[fold] = reached[fold] <= quantile + 1e-12
        mass = np.cumsum(-np.sort(-probability[fold], axis=1), axis=1)
        sizes[fold] = np.maximum(1, (mass <= quantile + 1e-12).sum(axis=1))
    return {
        "aim": 0.9,
        "coverage": round(float(covered.mean()), 4),
        "mean_size": round(float(sizes.mean()), 2),
        "median_size": float(np.median(sizes)),
    }


def _threshold(probability: Array, truth: Mask) -> float | None:
    """Least confidence from which the first candidate is more often right than wrong, or ``None``.

    Of all thresholds at which the lower 95 % limit of that share lies above ``ALONE``, the lowest.
    """
    if len(probability) < MIN_ALONE:
        return None
    top = probability.max(axis=1)
    right = truth[np.arange(len(truth)), probability.argmax(axis=1)]
    order = np.argsort(-top, kind="stable")
    hits = np.cumsum(right[order])
    found = None
    for answered in range(MIN_ANSWERED, len(order) + 1):
        tied = answered < len(order) and top[order[answered]] == top[order[answered - 1]]
        if not tied and proportion(int(hits[answered - 1]), answered).low > ALONE:
            found = float(top[order[answered - 1]])
    return None if found is None else float(np.floor(found * 1e6) / 1e6)


def _unread_figures(probability: Array, data: _Cases, folds: Folds) -> dict[str, float | int | None]:
    """How the rule of the threshold did on cases that had no part in choosing it."""
    answered = right = 0
    for rest, fold in folds:
        learnt = rest[data.alone[rest]]
        limit = _threshold(probability[learnt], data.truth[learnt])
        asked = fold[data.alone[fold]]
        if limit is not None and len(asked):
            sure = asked[probability[asked].max(axis=1) >= limit]
            answered += len(sure)
            right += int(data.truth[sure, probability[sure].argmax(axis=1)].sum())
    return {"answered": answered, "right": round(right / answered, 4) if answered else None}
