"""Figures of ranked lists."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray


def top_k(probability: NDArray[np.float64], truth: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """Return per case whether the truth is among the ``k`` most probable (ties: lower index first).

    Args:
        probability: cases x classes.
        truth: class index per case; -1 (not in the label space) never hits.
        k: list length.
    """
    order = np.argsort(-probability, axis=1, kind="stable")[:, :k]
    return np.asarray((order == truth[:, None]).any(axis=1))


def hit_at(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Return 1.0 if one of the first ``k`` is relevant, else 0.0."""
    return float(any(name in relevant for name in ranked[:k]))


def precision_at(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Return the share of the first ``k`` places that are relevant; missing places count as wrong."""
    return sum(name in relevant for name in ranked[:k]) / k


def recall_at(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Return the share of the relevant that the first ``k`` hold; 0.0 when nothing is relevant."""
    return sum(name in relevant for name in ranked[:k]) / len(relevant) if relevant else 0.0
