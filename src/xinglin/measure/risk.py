"""Risk and coverage: how often is an answer wrong if only the surest cases are answered?

The curve of selective classification (El-Yaniv and Wiener 2010) and its area (AURC, Geifman, Uziel and
El-Yaniv 2019). Cases of equal confidence have no order: the curve is its mean over all orders of the ties, so
that a figure does not depend on how a file is sorted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def risk_curve(confidence: Array, correct: NDArray[np.bool_]) -> Array:
    """Return the share of wrong answers among the ``k`` surest cases, for ``k`` = 1 to n.

    Raises:
        ValueError: the vectors differ in length or are empty.
    """
    confidence, correct = np.asarray(confidence, float), np.asarray(correct, bool)
    if confidence.ndim != 1 or confidence.shape != correct.shape or not confidence.size:
        raise ValueError(f"expected two equal, non-empty vectors, got {confidence.shape} and {correct.shape}")
    order = np.argsort(-confidence, kind="stable")
    wrong = (~correct[order]).astype(float)
    # Within a group of ties every case is as likely as any other to come next.
    starts = np.flatnonzero(np.concatenate([[True], np.diff(confidence[order]) != 0]))
    sizes = np.diff(np.append(starts, len(order)))
    expected = np.repeat(np.add.reduceat(wrong, starts) / sizes, sizes)
    return np.asarray(np.cumsum(expected) / np.arange(1, len(order) + 1))


def aurc(confidence: Array, correct: NDArray[np.bool_]) -> float:
    """Return the area under the risk-coverage curve, in [0, 1]: the mean risk over all shares answered."""
    return float(risk_curve(confidence, correct).mean())


def least_aurc(errors: int, n: int) -> float:
    """Return the least area that a model with so many errors can have: all of them come last.

    Raises:
        ValueError: ``n`` is not positive or ``errors`` lies outside ``0..n``.
    """
    if n <= 0 or not 0 <= errors <= n:
        raise ValueError(f"expected 0 <= errors <= n and n > 0, got errors={errors}, n={n}")
    last = np.arange(1, errors + 1)
    return float((last / (n - errors + last)).sum() / n)
