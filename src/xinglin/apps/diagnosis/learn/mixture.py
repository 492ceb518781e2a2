"""Latent-class naive Bayes: the answer model of the question policy and one half of the posterior.

Each disease owns a few product-multinomial components over the four outcomes of every finding (absent,
present, unsure, silent), fitted by EM and shrunk to the disease's naive Bayes table (Lazarsfeld and Henry
1968; one component is plain naive Bayes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import logsumexp, softmax

from xinglin.apps.diagnosis.learn.encode import SILENT, Array, Codes, Ids


@dataclass(frozen=True)
class Mixture:
    """Components of all diseases."""

    log_weight: Array  # (Z,)
    log_outcome: Array  # (F, 4, Z)
    owner: Ids  # (Z,) disease of a component


def _naive_bayes(outcome: Codes, y: Ids, diseases: int) -> tuple[Array, Array]:
    count = np.stack([[(outcome[y == d] == a).sum(0) for a in range(4)] for d in range(diseases)], -1)
    n = np.bincount(y, minlength=diseases).astype(float)
    table = (count.transpose(1, 0, 2) + 1.0) / (n + 4.0)
    return np.log((n + 1) / (n + 1).sum()), table


def fit_mixture(
    states: Codes, y: Ids, diseases: int, components: int, per: int, shrink: float, seed: int
) -> Mixture:
    """Fit by EM per disease, one component per ``per`` cases, shrunk to the disease's naive Bayes table."""
    rng = np.random.default_rng(seed)
    outcome = np.where(states < 0, SILENT, states).astype(np.int8)
    prior, base = _naive_bayes(outcome, y, diseases)
    hot = [sparse.csr_matrix((outcome == a).astype(float)) for a in range(3)]
    weights, tables, owner = [], [], []
    for d in range(diseases):
        rows = np.flatnonzero(y == d)
        c = int(np.clip(len(rows) // per, 1, components))
        own = [h[rows] for h in hot]
        resp = rng.dirichlet(np.full(c, 0.5), len(rows)) if c > 1 else np.ones((len(rows), 1))
        for step in range(26 if c > 1 else 1):
            n = resp.sum(0)
            count = np.stack([h.T @ resp for h in own], 1)
            count = np.concatenate([count, n - count.sum(1)[:, None]], 1)
            table = np.log((count + shrink * base[:, :, d, None]) / (n + shrink))
            weight = np.log((n + 1) / (n + 1).sum())
            if step < 25:
                score = (
                    weight
                    + table[:, 3].sum(0)
                    + sum(h @ (table[:, a] - table[:, 3]) for a, h in enumerate(own))
                )
                resp = softmax(score, 1)
        weights.append(prior[d] + weight)
        tables.append(table)
        owner += [d] * c
    return Mixture(np.concatenate(weights), np.concatenate(tables, 2), np.array(owner))


def component_scores(mix: Mixture, states: Codes) -> Array:
    """Return log P(component, states), cases x components."""
    out = np.tile(mix.log_weight, (len(states), 1))
    for a in range(4):
        out += sparse.csr_matrix((states == a).astype(float)) @ mix.log_outcome[:, a]
    return out


def by_disease(mix: Mixture, scores: Array, diseases: int) -> Array:
    """Return normalised log scores by disease from component scores."""
    own = np.zeros((len(mix.owner), diseases))
    own[np.arange(len(mix.owner)), mix.owner] = 1.0
    top = scores.max(1, keepdims=True)
    out = np.log(np.exp(scores - top) @ own + 1e-300)
    return np.asarray(out - logsumexp(out, 1, keepdims=True))


def expected_gain(mix: Mixture, scores: Array, diseases: int, ignore_silent: bool) -> Array:
    """Return the expected information about the disease of asking each finding, up to a constant per case."""
    z = mix.log_outcome.shape[2]
    table = np.exp(mix.log_outcome).reshape(-1, z)
    p = softmax(scores, 1)
    joint = np.stack([p[:, mix.owner == d] @ table[:, mix.owner == d].T for d in range(diseases)], -1)
    pa = joint.sum(-1)
    v = (joint * np.log(np.maximum(joint, 1e-12))).sum(-1) - pa * np.log(np.maximum(pa, 1e-12))
    v, pa = v.reshape(len(p), -1, 4), pa.reshape(len(p), -1, 4)
    if not ignore_silent:
        return np.asarray(v.sum(2))
    prior = np.stack([p[:, mix.owner == d].sum(1) for d in range(diseases)], 1)
    return np.asarray(
        v[..., :3].sum(2) + pa[..., 3] * (prior * np.log(np.maximum(prior, 1e-12))).sum(1)[:, None]
    )


def mixture_view(kind: str, arm: str, states: Codes) -> Codes:
    """Return states as the mixture reads them: only arm A takes the silence of a record as an observation."""
    return np.where(states < 0, SILENT, states).astype(np.int8) if arm == "A" and kind == "full" else states
