"""Spearman's rank correlation, ties sharing their mean rank; without the two seconds that scipy.stats imports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the correlation of the ranks, in [-1, 1]; 1 for two constants, 0 for one."""
    a, b = _ranks(first), _ranks(second)
    spread = float(np.std(a) * np.std(b))
    if spread == 0.0:
        return 1.0 if np.std(a) == np.std(b) else 0.0
    return float(np.clip(((a - a.mean()) * (b - b.mean())).mean() / spread, -1.0, 1.0))


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    _, places, counts = np.unique(np.asarray(values, float), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    found: NDArray[np.float64] = (last - (counts - 1) / 2)[places]
    return found
