"""The best molecules so far, drawn by rank: what the policy learns from and what children are bred from.

Rank-based draws (Kim et al. 2024, arXiv 2402.05961; Tripp et al. 2020, arXiv 2006.09191): the molecule of rank r, 0 the
best of N, has weight 1 / (k N + r). A small k looks at the very best only, a large one at all alike.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import ConfigurationError
from xinglin.train.reinforce.diversity import ScaffoldMemory


class Entry(NamedTuple):
    """A molecule of the memory; sorts from the best reward on, of equal ones the earlier first."""

    minus_reward: float
    order: int
    smiles: str

    @property
    def reward(self) -> float:
        """The score, or 0 where the scaffold had had its share."""
        return -self.minus_reward


class Memory:
    """The best molecules, each once.

    Args:
        capacity: how many are kept.
        rank_coefficient: k of the draws.
        scaffolds: holds back rewards of overused scaffolds.

    Raises:
        ConfigurationError: a capacity below 1, or a coefficient that is not positive.
    """

    def __init__(self, capacity: int, rank_coefficient: float, scaffolds: ScaffoldMemory) -> None:
        if capacity < 1 or not rank_coefficient > 0:
            raise ConfigurationError(
                f"memory: expected capacity >= 1 and rank coefficient > 0, got {capacity} and {rank_coefficient}"
            )
        self.capacity = capacity
        self.rank_coefficient = rank_coefficient
        self.scaffolds = scaffolds
        self.entries: list[Entry] = []
        self._entered = 0

    def __len__(self) -> int:
        return len(self.entries)

    def add(self, smiles: Sequence[str], scores: Sequence[float] | NDArray[np.float64]) -> None:
        """Enter scored molecules in their order, none of them entered before; NaN is left out."""
        for one, score in zip(smiles, scores, strict=True):
            if np.isnan(score):
                continue
            insort(self.entries, Entry(-self.scaffolds.reward(one, float(score)), self._entered, one))
            self._entered += 1
        del self.entries[self.capacity :]

    def draw(self, count: int, generator: np.random.Generator) -> list[Entry]:
        """Return entries by rank, with replacement; none from an empty memory."""
        if not self.entries:
            return []
        weights = 1 / (self.rank_coefficient * len(self.entries) + np.arange(len(self.entries)))
        sums = weights.cumsum()
        places = np.searchsorted(sums, generator.random(count) * sums[-1], side="right")
        return [self.entries[min(int(place), len(self.entries) - 1)] for place in places]

    def parents(self) -> list[tuple[float, str]]:
        """Return (reward, SMILES) of all, the best first: what children are bred from."""
        return [(entry.reward, entry.smiles) for entry in self.entries]
