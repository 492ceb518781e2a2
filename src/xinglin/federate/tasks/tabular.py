"""Logistic regression on a table whose schema the job states.

Two ways to train it. ``sgd``: steps of gradient descent, as any model. ``newton``: each hospital sends the mean
gradient and Hessian at the round's weights, and the next round begins with the step that their average gives
(iteratively reweighted least squares; over sites: Wu et al. 2012, doi 10.1136/amiajnl-2012-000862). The average over
all rows is the pooled one, so the rounds walk the very steps of pooled training; a hospital shows a matrix over its
patients, never a row. Needs plain averaging of all sites (``fedavg``), which secure aggregation gives too.

With ``intercept = "site"`` each hospital keeps an intercept of its own at home: its base rate is its own affair (name
``bias`` in ``local_keys``). For ``newton`` it is the best one for the shared weights, and the hospital sends the
derivatives of its loss with the intercept so profiled out (Murphy and van der Vaart 2000, doi
10.1080/01621459.2000.10474219); the optimum is that of pooled training with an intercept for each hospital.

Columns are scaled by bounds that the job states (nothing is read from the data), by the hospital's own moments, or by
the moments over all hospitals. The last travel in the state: round 1 sends them instead of a step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.linalg import LinAlgError, solve
from scipy.optimize import brentq
from scipy.special import expit

from xinglin.errors import ConfigurationError, InvalidInputError, MissingExtraError, TrainingError
from xinglin.federate.tasks.options import FitOptions, read_options
from xinglin.federate.tasks.protocol import Array, NodeData, Privacy, Sampling, State, Update
from xinglin.federate.tasks.table import Examples, Schema, read_examples

ONE = np.ones(1, np.float32)


@dataclass(frozen=True, slots=True)
class TabularOptions(Schema):
    """Settings of the table and of logistic regression."""

    scaling: Literal["bounds", "site", "federated"] = "site"
    """Columns are scaled by the job's bounds, by the hospital's own moments, or by those over all hospitals."""
    solver: Literal["sgd", "newton"] = "sgd"
    intercept: Literal["shared", "site"] = "shared"
    """One intercept for all, or one for each hospital, which never leaves it."""
    prior: float = 10.0
    """Variance of the normal prior on a hospital's own intercept (``newton``): it keeps a hospital finite where all
    answers are the same, and says little elsewhere."""
    ridge: float = 0.0
    """L2 penalty on the weights (not the intercept) of ``newton``, per row: the objective is the mean loss plus
    ``ridge / 2 * |w|^2``. For ``sgd`` it is ``weight_decay``."""


class Tabular:
    """The task ``tabular``."""

    name = "tabular"

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._given = dict(options)
        self._options, _ = read_options(options, TabularOptions)
        own = self._options
        if own.scaling != "site" and own.numeric and not own.lower:
            raise ConfigurationError(
                f"[train] scaling = {own.scaling!r} needs lower and upper, the plausible bounds of each numeric column"
            )
        if own.ridge < 0 or own.prior <= 0:
            raise ConfigurationError(
                f"[train] ridge, prior: expected 0 or more and more than 0, got {own.ridge} and {own.prior}"
            )
        self.features = own.features()
        """Names of the numbers that a row becomes."""

    def initial(self, seed: int) -> State:
        """Return weights of zero: the objective is convex, so nothing is drawn."""
        size = len(self.features)
        state: State = {"bias": np.zeros(1, np.float32), "weight": np.zeros((1, size), np.float32)}
        if self._options.scaling == "federated":
            state |= {f"moments.{name}": np.zeros(size, np.float32) for name in ("share", "square", "sum")}
            state["moments.known"] = np.zeros(1, np.float32)
        if self._options.solver == "newton":
            sent = size + (self._options.intercept == "shared")
            state["newton.gradient"] = np.zeros(sent, np.float32)
            state["newton.hessian"] = np.zeros((sent, sent), np.float32)
            state["newton.known"] = np.zeros(1, np.float32)
        return dict(sorted(state.items()))

    def load(self, node: NodeData) -> Examples:
        """Read a hospital's table; see ``table.read_examples``."""
        return read_examples(node, self._options)

    def sampling(self, rows: int, options: Mapping[str, Any]) -> Sampling:
        """Return what one call of ``train`` costs the privacy budget."""
        return self._fit(options).sampling(rows)

    def train(
        self,
        state: State,
        examples: Examples,
        *,
        options: Mapping[str, Any],
        private: Privacy | None,
        seed: int,
    ) -> Update:
        """Train on a hospital's rows; see ``protocol.Task``.

        Raises:
            ConfigurationError: ``private`` with ``newton`` or with ``federated`` scaling, which DP-SGD does not cover.
        """
        fit_options = self._fit(options)
        self._check(state)
        own = self._options
        if private is not None and (own.solver == "newton" or own.scaling == "federated"):
            raise ConfigurationError(
                "[privacy] DP-SGD covers solver = 'sgd' with scaling = 'bounds' (or 'site', whose moments stay home): "
                "choose these, or leave [privacy] out"
            )
        counts = {"dropped": float(examples.dropped), "outside": float(examples.outside)}
        if own.scaling == "federated" and not state["moments.known"][0]:
            return Update({**state, **_moments(examples)}, len(examples), counts)
        x = self._scaled(state, examples)
        if own.solver == "newton":
            prior = own.prior if own.intercept == "site" else None
            sent, loss = second_order(x, examples.targets, self._stepped(state), prior)
            new = dict(sorted({**self._stepped(state), **sent}.items()))
        else:
            new, loss = _descend(state, x, examples.targets, fit_options, private, seed)
        return Update(new, len(examples), {"loss": loss, **counts})

    def evaluate(self, state: State, examples: Examples) -> dict[str, float]:
        """Return ``n``, ``loss``, ``accuracy`` at .5 and, where both answers occur, ``auc``."""
        p = self.predict(state, examples)
        y = examples.targets.astype(np.float64)
        safe = np.clip(p, 1e-12, 1 - 1e-12)
        found = {
            "n": float(len(y)),
            "loss": float(-(y * np.log(safe) + (1 - y) * np.log1p(-safe)).mean()),
            "accuracy": float(((p > 0.5) == (y > 0.5)).mean()),
        }
        if 0 < y.sum() < len(y):
            from scipy.stats import rankdata

            positives = y.sum()
            above = rankdata(p)[y > 0.5].sum() - positives * (positives + 1) / 2
            found["auc"] = float(above / (positives * (len(y) - positives)))
        return found

    def predict(self, state: State, examples: Examples) -> Array:
        """Return the probability of a positive answer for each row, shape (rows,)."""
        self._check(state)
        if self._options.scaling == "federated" and not state["moments.known"][0]:
            raise InvalidInputError(
                "state: the moments over all hospitals are not known before the first round ends"
            )
        done = self._stepped(state)
        x = self._scaled(state, examples).astype(np.float64)
        return np.asarray(expit(x @ done["weight"][0].astype(np.float64) + float(done["bias"][0])))

    def _fit(self, options: Mapping[str, Any]) -> FitOptions:
        return read_options({**self._given, **options}, TabularOptions)[1]

    def _check(self, state: State) -> None:
        from xinglin.federate.tasks.states import check_state

        check_state(state, self.initial(0))
        for name in ("moments.known", "newton.known"):
            if name in state and abs(state[name][0] - round(float(state[name][0]))) > 1e-3:
                raise ConfigurationError(
                    f"state: {name} is {state[name][0]:.3f}, not 0 or 1: statistics need plain averaging over sites; "
                    "choose [strategy] fedavg or fedprox, or scaling = 'site' and solver = 'sgd'"
                )

    def _scaled(self, state: State, examples: Examples) -> Array:
        """Return the features as the model reads them; a missing number adds nothing, its indicator does."""
        x = examples.features
        if self._options.scaling == "site":
            x = (x - examples.centre) / examples.spread
        elif self._options.scaling == "federated":
            share = np.maximum(state["moments.share"].astype(np.float64), 1e-12)
            mean = state["moments.sum"] / share
            deviation = np.sqrt(np.maximum(state["moments.square"] / share - mean**2, 0.0))
            x = (x - mean) / np.where(deviation > 1e-4, deviation, 1.0)
        return np.nan_to_num(x).astype(np.float32)

    def _stepped(self, state: State) -> State:
        """Return the state after the Newton step that its averaged statistics give; without any, as it is."""
        if self._options.solver != "newton" or not round(float(state["newton.known"][0])):
            return state
        shared = int(self._options.intercept == "shared")
        weights = np.r_[state["bias"][:shared], state["weight"][0]].astype(np.float64)
        penalty = np.r_[np.zeros(shared), np.full(len(self.features), self._options.ridge)]
        hessian = state["newton.hessian"].astype(np.float64) + np.diag(penalty)
        try:
            step = solve(hessian, state["newton.gradient"] + penalty * weights, assume_a="sym")
        except (LinAlgError, ValueError):
            raise TrainingError(
                "newton: the columns do not determine the weights: set ridge above 0, or leave columns out"
            ) from None
        moved = (weights - step).astype(np.float32)
        if not np.isfinite(moved).all():
            raise TrainingError("newton: the weights grow without bound: set ridge above 0")
        return {**state, "bias": moved[:1] if shared else state["bias"], "weight": moved[None, shared:]}


def _moments(examples: Examples) -> State:
    """Return what, averaged by rows over hospitals, is the share of known values, their sum and sum of squares a row."""
    known = ~np.isnan(examples.features)
    x = np.nan_to_num(examples.features).astype(np.float64)
    return {
        "moments.known": ONE,
        "moments.share": known.mean(axis=0).astype(np.float32),
        "moments.square": (x**2).mean(axis=0).astype(np.float32),
        "moments.sum": x.mean(axis=0).astype(np.float32),
    }


def second_order(x: Array, y: Array, state: State, prior: float | None) -> tuple[State, float]:
    """Return a hospital's mean gradient and Hessian at a state's weights, and its mean loss.

    Args:
        x: scaled features, shape (rows, features).
        y: answers, shape (rows,).
        state: with ``bias`` and ``weight``.
        prior: variance of the hospital's own intercept, which is then fitted, returned as ``bias`` and profiled out
            of the derivatives; ``None``: the intercept is shared, and stands first in the derivatives.
    """
    design = np.c_[np.ones(len(x)), x.astype(np.float64)]
    weights = np.r_[state["bias"], state["weight"][0]].astype(np.float64)
    sent: State = {"newton.known": ONE}
    if prior is not None:
        weights[0] = _own_intercept(design[:, 1:] @ weights[1:], y, prior)
        sent["bias"] = weights[:1].astype(np.float32)
    logit = design @ weights
    p = expit(logit)
    gradient = design.T @ (p - y) / len(y)
    hessian = (design * (p * (1 - p))[:, None]).T @ design / len(y)
    loss = float(np.mean(np.logaddexp(0.0, logit) - y * logit))
    if not math.isfinite(loss):
        raise TrainingError(
            "newton: the loss is not finite: look for extreme values in the data, or set ridge above 0"
        )
    if prior is not None:
        own = hessian[0, 0] + 1.0 / (prior * len(y))
        gradient, hessian = gradient[1:], hessian[1:, 1:] - np.outer(hessian[0, 1:], hessian[0, 1:]) / own
    sent["newton.gradient"], sent["newton.hessian"] = gradient.astype(np.float32), hessian.astype(np.float32)
    return sent, loss


def _own_intercept(offset: Array, y: Array, prior: float) -> float:
    """Return the intercept that maximises the posterior for given offsets: the root of a falling function."""

    def slope(intercept: float) -> float:
        return float((y - expit(offset + intercept)).sum() - intercept / prior)

    # At the bounds the prior outweighs every answer, so the root lies between.
    reach = prior * len(y) + 1.0
    return float(brentq(slope, -reach, reach))


def _descend(
    state: State, x: Array, y: Array, options: FitOptions, private: Privacy | None, seed: int
) -> tuple[State, float]:
    try:
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits
    except ModuleNotFoundError as error:
        raise MissingExtraError("Federated training", "federate") from error
    from xinglin.federate.tasks.fit import Rows, fit
    from xinglin.federate.tasks.states import load_weights, weights_of

    model = torch.nn.Linear(x.shape[1], 1)
    load_weights(model, {name: state[name] for name in ("bias", "weight")})
    rows = Rows(torch.from_numpy(x), torch.from_numpy(y))

    def loss(module: Any, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return binary_cross_entropy_with_logits(module(batch[0])[:, 0], batch[1])

    mean = fit(model, rows, loss, options, private=private, seed=seed)
    return {**state, **weights_of(model, ("bias", "weight"))}, mean
