"""One engine for a label space that has labelled cases: fit, posterior, next question.

The same three parts as over the graph (a likelihood of findings given diseases, a log-linear posterior, the
question with the highest expected information gain), with every number learnt from the training cases.
Three heads: self-report alone, mid-dialogue, full record. Blend, calibration and conformal quantile come
from out-of-fold scores of the training cases, the dialogue head's at the policy's own stopping point.

Arms: ``A`` a not-mentioned answer is evidence (as published benchmarks do), ``B`` it is ignored, ``C`` like
``B`` without findings that name a diagnosis, an examination or a treatment.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from xinglin.apps.diagnosis.learn.blend import Powers, apply_blend, fit_blend
from xinglin.apps.diagnosis.learn.encode import (
    SILENT,
    UNKNOWN,
    Array,
    Codes,
    Ids,
    encode,
    gram_matrix,
    gram_table,
    grams_of,
    merge,
)
from xinglin.apps.diagnosis.learn.loglinear import HEADS, Head, fit_head, head_scores
from xinglin.apps.diagnosis.learn.mixture import (
    Mixture,
    by_disease,
    component_scores,
    expected_gain,
    fit_mixture,
    mixture_view,
)
from xinglin.apps.diagnosis.learn.policy import Belief, policy_scores, simulate
from xinglin.measure import aps_quantile, aps_scores


@dataclass(frozen=True)
class Settings:
    """Hyper-parameters: one set for every label space, chosen by cross-validation (docs/log.md)."""

    components: int = 5  # most latent classes per disease
    cases_per_component: int = 50
    shrink: float = 20.0  # pseudo-cases that pull a component to its disease's naive Bayes table
    folds: int = 5  # cross-fitting folds
    questions: int = 10
    stages: tuple[int, ...] = (0, 3, 6, 10)  # dialogue lengths the dialogue head is trained on
    ridge: Mapping[str, float] = field(default_factory=lambda: {"self": 4.0, "dialogue": 24.0, "full": 12.0})
    ridge_factors: tuple[float, ...] = (1.0, 1 / 3)  # the best by out-of-fold log loss is kept, per head
    cell_count: int = 4  # least training cases for a self-report conjunction cell
    coverage: float = 0.90
    belief: Powers = (0.5, 0.4, 0.0)
    """Blend that the question policy holds: softer than the calibrated one, so that it keeps asking."""


@dataclass(frozen=True)
class Model:
    """A fitted engine."""

    arm: str
    findings: tuple[str, ...]
    diseases: tuple[str, ...]
    grams: Mapping[str, int]
    mixture: Mixture
    heads: Mapping[str, Head]
    policy: Belief  # what the question policy believes about the disease
    blend: Mapping[str, Powers]  # head -> (u, v, e): log-linear power, mixture power, noise floor
    aps_quantile: Mapping[str, float]


@dataclass(frozen=True)
class States:
    """What is known: self-reported findings, and answers (code 3: asked, not mentioned)."""

    explicit: Mapping[str, int]
    answers: Mapping[str, int]


def fit(
    cases: Sequence[Mapping[str, object]],
    arm: str = "A",
    seed: int = 0,
    leaky: Collection[str] = (),
    settings: Settings = Settings(),
) -> Model:
    """Fit on labelled dialogues; deterministic under a seed.

    Args:
        cases: ``{"explicit": {name: state}, "implicit": {name: state}, "disease": name}``.
        arm: ``A``, ``B`` or ``C`` (module docstring).
        seed: of folds and EM starts.
        leaky: names dropped from the findings (arm C).
        settings: hyper-parameters.
    """
    drop = set(leaky)
    findings = tuple(sorted({k for c in cases for part in ("explicit", "implicit") for k in c[part]} - drop))  # type: ignore[attr-defined]
    index = {k: i for i, k in enumerate(findings)}
    diseases = tuple(sorted({str(c["disease"]) for c in cases}))
    y = np.array([diseases.index(str(c["disease"])) for c in cases])
    explicit = encode((c["explicit"] for c in cases), index)  # type: ignore[misc]
    answers = encode((c["implicit"] for c in cases), index)  # type: ignore[misc]
    full = merge(explicit, answers)
    k, n = len(diseases), len(y)
    grams = gram_table(findings)
    gram = gram_matrix(findings, grams)

    rng = np.random.default_rng(seed)
    fold = np.empty(n, np.intp)
    for d in range(k):
        rows = rng.permutation(np.flatnonzero(y == d))
        fold[rows] = (np.arange(len(rows)) + rng.integers(settings.folds)) % settings.folds

    def mixture(rows: Ids) -> Mixture:
        return fit_mixture(
            full[rows], y[rows], k, settings.components, settings.cases_per_component, settings.shrink, seed
        )

    parts_of = [(np.flatnonzero(fold == j), np.flatnonzero(fold != j)) for j in range(settings.folds)]
    mixes = [mixture(inn) for _, inn in parts_of]
    everyone = np.arange(n)

    def mix_scores(kind: str, states: Codes) -> Array:
        res = np.empty((n, k))
        for mix, (out, _) in zip(mixes, parts_of, strict=True):
            res[out] = by_disease(mix, component_scores(mix, mixture_view(kind, arm, states[out])), k)
        return res

    def train(kind: str, views: Sequence[Codes]) -> tuple[Head, list[Head], Powers, Array]:
        """Final head, fold heads, blend and out-of-fold probabilities (at the last view)."""

        def one(rows: Ids, ridge: float) -> Head:
            return fit_head(
                kind,
                np.vstack([v[rows] for v in views]),
                np.tile(explicit[rows], (len(views), 1)),
                np.tile(y[rows], len(views)),
                gram,
                k,
                ridge,
                settings.cell_count,
            )

        mix_log = mix_scores(kind, views[-1])
        tried: list[tuple[float, float, list[Head], Powers, Array]] = []
        for factor in settings.ridge_factors:
            ridge = settings.ridge[kind] * factor
            inner = [one(inn, ridge) for _, inn in parts_of]
            oof = np.empty((n, k))
            for h, (out, _) in zip(inner, parts_of, strict=True):
                oof[out] = head_scores(h, views[-1][out], explicit[out])
            blend = fit_blend(oof, mix_log, y)
            p = apply_blend(blend, oof, mix_log)
            loss = float(-np.log(p[everyone, y]).mean())
            tried.append((loss, ridge, inner, blend, p))
        best = min(tried, key=lambda item: item[0])
        return one(everyone, best[1]), best[2], best[3], best[4]

    def walk(beliefs: Sequence[Belief | None]) -> list[Codes]:
        """Cross-fitted dialogues: each fold is questioned by what was fitted without it."""
        res = np.empty((settings.questions + 1, n, len(findings)), np.int8)
        for mix, belief, (out, _) in zip(mixes, beliefs, parts_of, strict=True):
            res[:, out] = np.stack(
                simulate(mix, explicit[out], answers[out], k, arm, settings.questions, belief)
            )
        return [res[t] for t in settings.stages]

    # Round 1: the mixture asks. Round 2: mixture and round-1 head ask; the dialogue head learns from that.
    first, inner, _, _ = train("dialogue", walk([None] * settings.folds))
    views = {
        "self": [explicit],
        "dialogue": walk([Belief(h, settings.belief) for h in inner]),
        "full": [full],
    }
    heads, blend, quantile = {}, {}, {}
    for kind in HEADS:
        heads[kind], _, blend[kind], p = train(kind, views[kind])
        quantile[kind] = aps_quantile(aps_scores(p, y), settings.coverage)
    return Model(
        arm,
        findings,
        diseases,
        grams,
        mixture(everyone),
        heads,
        Belief(first, settings.belief),
        blend,
        quantile,
    )


def probabilities(
    model: Model, kind: str, states: Codes, explicit: Codes, extra: Array | float = 0.0
) -> Array:
    """Return calibrated probabilities, cases x diseases (arrays in the model's finding order)."""
    mix = by_disease(
        model.mixture,
        component_scores(model.mixture, mixture_view(kind, model.arm, states)),
        len(model.diseases),
    )
    return apply_blend(model.blend[kind], head_scores(model.heads[kind], states, explicit) + extra, mix)


def _arrays(model: Model, states: States) -> tuple[Codes, Codes]:
    index = {k: i for i, k in enumerate(model.findings)}
    explicit = encode([states.explicit], index)
    answers = encode([states.answers], index)
    if model.arm != "A":
        answers[answers == SILENT] = UNKNOWN
    return merge(explicit, answers), explicit


def posterior(model: Model, states: States, kind: str | None = None) -> dict[str, float]:
    """Return calibrated probabilities, best first; ``kind`` is a head (default: by what is known)."""
    kind = kind or ("dialogue" if states.answers else "self")
    known, explicit = _arrays(model, states)
    p = probabilities(model, kind, known, explicit, _unseen(model, kind, states))[0]
    return {model.diseases[i]: float(p[i]) for i in np.argsort(-p, kind="stable")}


def _unseen(model: Model, kind: str, states: States) -> Array:
    """Head score of findings that training never saw, from the n-grams of their names."""
    head, out = model.heads[kind], np.zeros(len(model.diseases))
    have = set(model.findings)
    for part, block in ((states.explicit, 4), ({**states.explicit, **states.answers}, None)):
        for name, state in part.items():
            code = int(state)
            if name in have or (block == 4 and code != 1) or code == SILENT:
                continue
            b = code if block is None else 4
            cols = [model.grams[g] for g in grams_of(name) if g in model.grams]
            out += head.block_weight[b] + head.gram_weight[b][sorted(set(cols))].sum(0)
    return out


def next_question(model: Model, states: States, asked: Collection[str] = ()) -> str:
    """The finding with the highest expected information gain that is neither known nor asked."""
    known, explicit = _arrays(model, states)
    k = len(model.diseases)
    held = policy_scores(
        model.mixture, component_scores(model.mixture, known), model.policy, known, explicit, k
    )
    gain = expected_gain(model.mixture, held, k, model.arm != "A")[0]
    used = set(asked) | set(states.explicit) | set(states.answers)
    gain[[i for i, k in enumerate(model.findings) if k in used]] = -np.inf
    return model.findings[int(gain.argmax())]
