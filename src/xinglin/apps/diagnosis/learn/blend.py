"""Blend of log-linear head and mixture, calibrated on out-of-fold scores."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax

from xinglin.apps.diagnosis.learn.encode import Array, Ids

Powers = tuple[float, float, float]
"""(u, v, e): log-linear power, mixture power, noise floor."""


def apply_blend(blend: tuple[float, float, float], head: Array, mix: Array) -> Array:
    """Return ``p = (1 - e) softmax(u head + v mixture) + e / D``, cases x diseases."""
    u, v, e = blend
    return np.asarray((1 - e) * softmax(u * head + v * mix, 1) + e / head.shape[1])


def fit_blend(head: Array, mix: Array, y: Ids) -> tuple[float, float, float]:
    """Return the powers and noise floor of least out-of-fold log loss (1 / (u + v) acts as temperature)."""
    rows = np.arange(len(y))

    def unpack(x: Array) -> tuple[float, float, float]:
        return float(np.exp(x[0])), float(np.exp(x[1])), float(0.2 / (1 + np.exp(-x[2])))

    def loss(x: Array) -> float:
        return float(-np.log(apply_blend(unpack(x), head, mix)[rows, y]).mean())

    return unpack(
        minimize(loss, np.array([-0.7, -0.9, -2.0]), method="Nelder-Mead", options={"maxiter": 300}).x
    )
