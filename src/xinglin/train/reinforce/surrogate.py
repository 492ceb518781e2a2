"""A cheap guess at what the oracle would say, learned from its own answers: which of many candidates to ask about.

Bayesian linear regression on square roots of folded ECFP4 counts (ridge regression's mean, Bishop 2006, section 3.3),
updated with every answer; a molecule asked about costs a call, one only guessed at costs a tenth of a millisecond.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xinglin.model.molecule.fingerprints import ecfp

WIDTH = 1024
PRECISION = 1.0
"""Ratio of the noise's variance to a weight's."""


class Surrogate:
    """Predicts scores; before the first answer it says 0 of all."""

    def __init__(self) -> None:
        self._gram = PRECISION * np.eye(WIDTH + 1)
        self._sums = np.zeros(WIDTH + 1)
        self._weights: NDArray[np.float64] | None = None

    def add(self, smiles: Sequence[str], scores: NDArray[np.float64]) -> None:
        """Learn from scored molecules; NaN is left out."""
        known = ~np.isnan(scores)
        if not known.any():
            return
        rows = _features([one for one, is_known in zip(smiles, known, strict=True) if is_known])
        self._gram += rows.T @ rows
        self._sums += rows.T @ scores[known]
        self._weights = None

    def predict(self, smiles: Sequence[str]) -> NDArray[np.float64]:
        """Return the expected score of molecules, shape (n,)."""
        if self._weights is None:
            from scipy.linalg import cho_factor, cho_solve

            self._weights = np.asarray(cho_solve(cho_factor(self._gram), self._sums))
        return _features(smiles) @ self._weights if smiles else np.zeros(0)


def _features(smiles: Sequence[str]) -> NDArray[np.float64]:
    counts = np.sqrt(ecfp(smiles, bits=WIDTH, counts=True).astype(np.float64))
    return np.hstack([counts, np.ones((len(smiles), 1))])
