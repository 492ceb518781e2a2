"""A scaffold memory: what has been found often enough is no longer rewarded, so that the search goes elsewhere.

Murcko scaffolds are counted among molecules that score well; beyond a limit the reward of further ones is 0 (Blaschke et
al. 2020, doi 10.1186/s13321-020-00473-0, with identical scaffolds). A molecule without a ring counts under itself.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from xinglin.errors import ConfigurationError
from xinglin.records.molecules.scaffold import murcko


@dataclass
class ScaffoldMemory:
    """Counts scaffolds of what scored well.

    Raises:
        ConfigurationError: a limit below 1.
    """

    limit: int | None = None
    """Rewarded molecules a scaffold; ``None``: no limit."""
    threshold: float = 0.4
    """A lower score counts for nothing, and is never held back."""
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise ConfigurationError(f"scaffolds: expected a limit of at least 1 or none, got {self.limit}")

    def reward(self, smiles: str, score: float) -> float:
        """Enter a molecule and return its score, or 0 when its scaffold has had its share."""
        if self.limit is None or score < self.threshold:
            return score
        scaffold = murcko(smiles) or smiles
        self.counts[scaffold] += 1
        return score if self.counts[scaffold] <= self.limit else 0.0
