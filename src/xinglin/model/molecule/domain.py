"""Applicability domain: how near a molecule lies to those a model was trained on.

The OECD's principles for QSAR models ask for a defined domain of applicability. Ours is the similarity to the k nearest
training molecules, as in Sahigara et al. 2013 (doi 10.1186/1758-2946-5-27), who set one threshold a training molecule on
distances of descriptors; we differ in one threshold for all, from cross-validation, on similarity of fragments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 5
COVERAGE = 0.95


@dataclass(frozen=True, slots=True)
class Domain:
    """A threshold on ``nearness``."""

    threshold: float
    """Molecules nearer than this are inside."""

    @classmethod
    def of(cls, nearness: NDArray[np.float64], coverage: float = COVERAGE) -> Domain:
        """Return the domain that holds this share of molecules held out in cross-validation.

        Args:
            nearness: of each training molecule to those of the other folds.
            coverage: share that is inside.
        """
        return cls(float(np.quantile(nearness, 1 - coverage)))

    def holds(self, nearness: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return whether each molecule is inside."""
        return nearness >= self.threshold


def nearness(fragments: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean fragment similarity to the five nearest reference molecules, shape (molecules,), in [0, 1].

    Args:
        fragments: ``Similarity.fragments`` to the reference, shape (molecules, reference).
    """
    k = min(NEIGHBOURS, fragments.shape[1])
    best = np.partition(fragments, fragments.shape[1] - k, axis=1)[:, -k:]
    return np.asarray(best.mean(axis=1), np.float64)
