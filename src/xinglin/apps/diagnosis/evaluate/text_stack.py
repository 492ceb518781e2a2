"""Several models of the same cases -> one probability: how much each counts is learnt out of fold.

A logarithmic opinion pool (Genest and Zidek 1986; stacking after Wolpert 1992): log p is a weighted sum of the
members' log probabilities, weights at least 0 and pulled towards equal, plus a correction that may see every
member's whole distribution (which labels a member mistakes for which), pulled towards none. How strongly it is
pulled is chosen by cross-validated likelihood, *no correction at all* among the choices. All of it is fitted to
scores that the members gave to cases they were not fitted on.

A member may know cases in another way: an encoder that met them in its own training. Where some cases are known to
be new to it, the stack is weighed again on those (:func:`settle`), pulled towards staying as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp

from xinglin.measure import fit_temperature

Array = NDArray[np.float64]
Ids = NDArray[np.intp]
RIDGES = (np.inf, 1000.0, 300.0, 100.0, 30.0)
"""Penalties of the correction among which likelihood chooses; infinity is a plain pool."""
PULL = 1.0
"""Penalty of the weights' distance from equal ones."""
FOLDS = 5
STAY = 10.0
"""Penalty of a settled stack's distance from the stack."""


@dataclass(frozen=True)
class Stack:
    """A fitted pool of M members over K labels."""

    temperature: Array
    """(M,) by which each member's scores are divided before they are log probabilities."""
    weight: Array
    """(M,)"""
    centre: Array
    """(M K,) mean log probabilities, so that a correction leaves the average case alone."""
    correction: Array
    """(M K, K)"""
    bias: Array
    """(K,)"""
    ridge: float
    """Penalty of the correction that was chosen."""

    def probabilities(self, scores: Sequence[Array]) -> Array:
        """Return cases x labels from the members' scores, in the order of the fit."""
        return self.pooled(_logs(scores, self.temperature))

    def pooled(self, logs: Array) -> Array:
        """Return cases x labels from the members' log probabilities, members x cases x labels."""
        flat = _flat(logs) - self.centre
        pooled = np.tensordot(self.weight, logs, 1) + flat @ self.correction + self.bias
        return np.asarray(np.exp(log_softmax(pooled, axis=1)))


def folds_of(y: Ids, count: int, seed: int) -> list[tuple[Ids, Ids]]:
    """Return (rest, held) places of ``count`` folds in which every label is spread evenly."""
    generator = np.random.default_rng(seed)
    fold = np.empty(len(y), np.intp)
    place = 0
    for label in np.unique(y):
        rows = generator.permutation(np.flatnonzero(y == label))
        fold[rows] = (place + np.arange(len(rows))) % count
        place += len(rows)
    return [(np.flatnonzero(fold != part), np.flatnonzero(fold == part)) for part in range(count)]


def tempered(scores: Array, y: Ids) -> float:
    """Return the temperature of a member alone."""
    return float(fit_temperature(scores, y))


def softened(scores: Array, temperature: float) -> Array:
    """Return probabilities of scores at a temperature."""
    return np.asarray(np.exp(log_softmax(scores / temperature, axis=1)))


def fit_stack(scores: Sequence[Array], y: Ids, seed: int = 0) -> tuple[Stack, Array]:
    """Fit to out-of-fold scores; return the stack, and what stacks fitted without a case's fold give to the case.

    The penalty of the correction is chosen by the likelihood of those probabilities: one choice of five, which
    the figures learnt from them (a conformal quantile, never a score of the data) take no notice of.

    Args:
        scores: cases x labels of each member, of cases that it was not fitted on.
        y: label index of each case.
        seed: of the folds.
    """
    parts = [(rest, held) for rest, held in folds_of(y, FOLDS, seed) if len(rest) and len(held)]
    # One number a member, to bring all to one scale: what it could tell of a case, the weights undo.
    temperature = np.array([tempered(part, y) for part in scores])
    logs = _logs(scores, temperature)
    starts: list[Array | None] = [None] * len(parts)
    tried: list[tuple[float, float, Array]] = []
    for ridge in RIDGES:
        found = np.empty(scores[0].shape)
        for place, (rest, held) in enumerate(parts):
            fitted, starts[place] = _fit(temperature, logs[:, rest], y[rest], ridge, starts[place])
            found[held] = fitted.pooled(logs[:, held])
        loss = -float(np.log(np.maximum(found[np.arange(len(y)), y], 1e-12)).mean())
        tried.append((loss, ridge, found))
    _, ridge, found = min(tried, key=lambda item: item[0])
    return _fit(temperature, logs, y, ridge, None)[0], found


@dataclass(frozen=True)
class Settled:
    """A stack that was weighed again: its own log probabilities, and a correction of every member's weight."""

    stack: Stack
    weight: Array
    """(M + 1,) the members' corrections, which may be negative, and the stack's own weight: 0, ..., 0, 1 to stay."""

    def probabilities(self, scores: Sequence[Array]) -> Array:
        """Return cases x labels from the members' scores, in the order of the fit."""
        return _reweighed(self.weight, _views(self.stack, scores, self.stack.probabilities(scores)))


def settle(
    stack: Stack, inner: Array, scores: Sequence[Array], y: Ids, rows: Ids, seed: int = 0
) -> tuple[Settled, Array]:
    """Weigh a stack again on some of its cases; return it, and its probabilities of those cases, cross-fitted.

    Args:
        stack: fitted to all cases.
        inner: what stacks fitted without a case's fold give to the case.
        scores: cases x labels of each member, out of fold.
        y: label index of each case.
        rows: places of the cases that are new to every member.
        seed: of the folds.
    """
    views = _views(stack, scores, inner)[:, rows]
    found = np.empty((len(rows), inner.shape[1]))
    for rest, held in folds_of(y[rows], FOLDS, seed):
        if len(held) and len(rest):
            found[held] = _reweighed(_weights(views[:, rest], y[rows][rest]), views[:, held])
    return Settled(stack, _weights(views, y[rows])), found


def _views(stack: Stack, scores: Sequence[Array], probability: Array) -> Array:
    """(M + 1) x cases x labels: the members' log probabilities and the stack's own."""
    own = np.log(np.maximum(probability, 1e-12))
    return np.concatenate([_logs(scores, stack.temperature), own[None]])


def _reweighed(weight: Array, views: Array) -> Array:
    return np.asarray(np.exp(log_softmax(np.tensordot(weight, views, 1), axis=1)))


def _weights(views: Array, y: Ids) -> Array:
    from scipy.optimize import minimize

    stay = np.zeros(len(views))
    stay[-1] = 1.0
    rows = np.arange(len(y))

    def loss(x: Array) -> tuple[float, Array]:
        pooled = np.tensordot(x, views, 1)
        log_p = pooled - logsumexp(pooled, axis=1, keepdims=True)
        pull = np.exp(log_p)
        pull[rows, y] -= 1.0
        away = x - stay
        value = -log_p[rows, y].sum() + STAY / 2 * float(away @ away)
        return float(value), np.einsum("mnk,nk->m", views, pull) + STAY * away

    return np.asarray(minimize(loss, stay, jac=True, method="L-BFGS-B").x)


def _logs(scores: Sequence[Array], temperature: Array) -> Array:
    return np.stack([log_softmax(part / t, axis=1) for part, t in zip(scores, temperature, strict=True)])


def _flat(logs: Array) -> Array:
    """Members x cases x labels -> cases x (members labels)."""
    return np.asarray(logs.transpose(1, 0, 2).reshape(logs.shape[1], -1))


def _fit(temperature: Array, logs: Array, y: Ids, ridge: float, start: Array | None) -> tuple[Stack, Array]:
    """Return the stack at a penalty, and where the next search may start."""
    from scipy.optimize import minimize

    members, n, labels = logs.shape
    centre = _flat(logs).mean(axis=0)
    flat = _flat(logs) - centre
    plain = not np.isfinite(ridge)
    sizes = (members, 0 if plain else members * labels * labels, 0 if plain else labels)
    rows = np.arange(n)

    def unpack(x: Array) -> tuple[Array, Array, Array]:
        first, second = members, members + sizes[1]
        if plain:
            return x, np.zeros((members * labels, labels)), np.zeros(labels)
        return x[:first], x[first:second].reshape(members * labels, labels), x[second:]

    def loss(x: Array) -> tuple[float, Array]:
        weight, correction, bias = unpack(x)
        pooled = np.tensordot(weight, logs, 1)
        if not plain:
            pooled = pooled + flat @ correction + bias
        log_p = pooled - logsumexp(pooled, axis=1, keepdims=True)
        pull = np.exp(log_p)
        pull[rows, y] -= 1.0
        away = weight - 1.0 / members
        value = -log_p[rows, y].sum() + PULL / 2 * float(away @ away)
        slope = [np.einsum("mnk,nk->m", logs, pull) + PULL * away]
        if not plain:
            value += ridge / 2 * float((correction**2).sum() + (bias**2).sum())
            slope += [(flat.T @ pull + ridge * correction).ravel(), pull.sum(axis=0) + ridge * bias]
        return float(value), np.concatenate(slope)

    first = np.zeros(sum(sizes))
    first[:members] = 1.0 / members
    if start is not None:
        first[: min(len(start), len(first))] = start[: len(first)]
    bounds = [(0.0, None)] * members + [(None, None)] * (sizes[1] + sizes[2])
    found = minimize(
        loss, first, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 100, "ftol": 1e-7}
    ).x
    weight, correction, bias = unpack(found)
    return Stack(temperature, weight, centre, correction, bias, float(ridge)), found
