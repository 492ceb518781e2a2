"""Log-linear heads: score_d = b_d + sum_f W[f, state(f), d], multinomial logistic regression with L2.

A finding shares weight with findings whose names share character n-grams (fever, low fever), so that rare
findings borrow strength. Fitted by L-BFGS (SciPy).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import logsumexp

from xinglin.apps.diagnosis.learn.encode import Array, Codes, Ids

BLOCKS = ("absent", "present", "unsure", "silent", "explicit")
"""Second axis of a head's weights."""
HEADS = ("self", "dialogue", "full")


@dataclass(frozen=True)
class Head:
    """One fitted log-linear head."""

    bias: Array  # (D,)
    weight: Array  # (F, 5, D), second axis BLOCKS
    gram_weight: Array  # (5, G, D) n-gram part, for names unseen in training
    block_weight: Array  # (5, D)
    cells: Mapping[tuple[int, ...], Array]  # self-report conjunctions: sorted present findings -> (D,)


def _columns(states: Codes, explicit: Codes, gram: Array, blocks: Sequence[str]) -> sparse.csr_matrix:
    parts = []
    for b in blocks:
        on = {"explicit": explicit == 1, "mentioned": (states >= 0) & (states < 3)}.get(b)
        if on is None:
            on = states == BLOCKS.index(b)
        hot = sparse.csr_matrix(on.astype(float))
        parts += [hot, hot @ sparse.csr_matrix(gram), sparse.csr_matrix(0.3 * np.asarray(hot.sum(1)))]
    return sparse.hstack(parts).tocsr()


def _logistic(x: sparse.csr_matrix, y: Ids, diseases: int, ridge: float) -> tuple[Array, Array]:
    f = x.shape[1]
    xt = x.T.tocsr()
    target = np.eye(diseases)[y]

    def loss(v: Array) -> tuple[float, Array]:
        w, b = v[: f * diseases].reshape(f, diseases), v[f * diseases :]
        s = x @ w + b
        lp = s - logsumexp(s, 1, keepdims=True)
        g = np.exp(lp) - target
        return -(target * lp).sum() + 0.5 * ridge * (w * w).sum(), np.concatenate(
            [(xt @ g + ridge * w).ravel(), g.sum(0)]
        )

    r = minimize(
        loss,
        np.zeros(f * diseases + diseases),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 150, "maxcor": 15, "ftol": 1e-7},
    )
    return r.x[: f * diseases].reshape(f, diseases), r.x[f * diseases :]


_HEAD_BLOCKS = {
    "self": ("present",),
    "dialogue": ("present", "absent", "unsure", "explicit", "silent"),
    "full": ("present", "absent", "unsure", "explicit", "mentioned"),
}


def _cell_keys(explicit: Codes) -> list[tuple[int, ...]]:
    return [tuple(np.flatnonzero(row == 1).tolist()) for row in explicit]


def fit_head(
    kind: str,
    states: Codes,
    explicit: Codes,
    y: Ids,
    gram: Array,
    diseases: int,
    ridge: float,
    cell_count: int,
) -> Head:
    """Fit one head on states (cases x findings) and diseases.

    Args:
        kind: ``self``, ``dialogue`` or ``full``: which states the head sees.
        states: what is known of each case.
        explicit: the self-report alone.
        y: disease index per case.
        gram: names x gram columns.
        diseases: number of diseases.
        ridge: L2 penalty.
        cell_count: least cases with exactly the same self-report for a weight of their own.
    """
    blocks = _HEAD_BLOCKS[kind]
    x = _columns(states, explicit, gram, blocks)
    cells: dict[tuple[int, ...], int] = {}
    if kind == "self":  # exact sets of self-reported findings that are common enough
        keys = _cell_keys(explicit)
        common = {k: keys.count(k) for k in set(keys) if len(k) != 1}
        cells = {k: i for i, k in enumerate(sorted(k for k, n in common.items() if n >= cell_count))}
        rows = [n for n, k in enumerate(keys) if k in cells]
        hot = sparse.csr_matrix(
            (np.ones(len(rows)), (rows, [cells[keys[n]] for n in rows])), (len(keys), len(cells))
        )
        x = sparse.hstack([x, hot]).tocsr()
    w, b = _logistic(x, y, diseases, ridge)
    f, g = gram.shape
    weight, gram_w, block_w = np.zeros((f, 5, diseases)), np.zeros((5, g, diseases)), np.zeros((5, diseases))
    at = 0
    for name in blocks:
        into = range(3) if name == "mentioned" else (BLOCKS.index(name),)
        for k in into:
            gram_w[k] += w[at + f : at + f + g]
            block_w[k] += 0.3 * w[at + f + g]
            weight[:, k] += w[at : at + f] + gram @ w[at + f : at + f + g] + 0.3 * w[at + f + g]
        at += f + g + 1
    return Head(b, weight, gram_w, block_w, {k: w[at + i] for k, i in cells.items()})


def head_scores(head: Head, states: Codes, explicit: Codes) -> Array:
    """Return normalised log scores, cases x diseases."""
    out = np.tile(head.bias, (len(states), 1))
    for a in range(4):
        out += sparse.csr_matrix((states == a).astype(float)) @ head.weight[:, a]
    out += sparse.csr_matrix((explicit == 1).astype(float)) @ head.weight[:, 4]
    if head.cells:
        zero = np.zeros(out.shape[1])
        out += np.array([head.cells.get(k, zero) for k in _cell_keys(explicit)])
    return np.asarray(out - logsumexp(out, 1, keepdims=True))
