"""Are the probabilities true? NLL, Brier, debiased ECE, calibration slope and intercept, temperature."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
FLOOR = 1e-12


def nll(probability: Array, truth: NDArray[np.int64]) -> Array:
    """Return the negative log-likelihood per case, natural log (cases x classes, class index)."""
    return -np.log(np.maximum(probability[np.arange(len(truth)), truth], FLOOR))


def brier(probability: Array, truth: NDArray[np.int64]) -> Array:
    """Return the multi-class Brier score per case, in [0, 2] (Brier 1950)."""
    target = np.zeros_like(probability)
    target[np.arange(len(truth)), truth] = 1.0
    return np.asarray(((probability - target) ** 2).sum(axis=1))


def debiased_ece(confidence: Array, correct: NDArray[np.bool_], bins: int = 10) -> float:
    """Return the debiased expected calibration error of top-label confidence, in [0, 1].

    Equal-mass bins; the squared gap of each bin loses its expected sampling variance
    ``acc (1 - acc) / (n_b - 1)`` (Kumar et al. 2019, "Verified Uncertainty Calibration"), and the root is
    taken over the weighted sum. A calibrated model reads near 0, not .03, at n = 800.
    """
    order = np.argsort(confidence, kind="stable")
    total, n = 0.0, len(order)
    for part in np.array_split(order, min(bins, max(1, n // 2))):
        size = len(part)
        if size < 2:
            continue
        accuracy = float(correct[part].mean())
        gap = float(confidence[part].mean()) - accuracy
        total += size / n * (gap**2 - accuracy * (1 - accuracy) / (size - 1))
    return float(np.sqrt(max(0.0, total)))


def slope_intercept(confidence: Array, correct: NDArray[np.bool_]) -> tuple[float, float]:
    """Return Cox's calibration slope and intercept of top-label confidence (Cox 1958).

    Logistic regression of being correct on the logit of confidence; 1 and 0 are perfect, a slope below
    1 means over-confidence. Newton's method; returns ``(nan, nan)`` if all cases agree.
    """
    from scipy.special import expit

    if correct.all() or not correct.any():
        return float("nan"), float("nan")
    clipped = np.clip(confidence, 1e-6, 1 - 1e-6)
    x = np.log(clipped / (1 - clipped))
    design = np.column_stack([x, np.ones_like(x)])
    beta = np.array([1.0, 0.0])
    for _ in range(50):
        p = expit(design @ beta)
        hessian = design.T @ (design * (p * (1 - p))[:, None]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, design.T @ (correct - p))
        beta = beta + step
        if np.abs(step).max() < 1e-9:
            break
    return float(beta[0]), float(beta[1])


def fit_temperature(logits: Array, truth: NDArray[np.int64]) -> float:
    """Return T in [.05, 20] that minimises the NLL of ``softmax(logits / T)`` (Guo et al. 2017)."""
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    rows = np.arange(len(truth))

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float((logsumexp(scaled, axis=1) - scaled[rows, truth]).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(found.x))
