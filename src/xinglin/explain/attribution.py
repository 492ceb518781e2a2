"""What each unit of a note adds to the log-odds of one answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError
from xinglin.explain.units import Unit

Method = Literal["exact", "permutation", "shap", "lime", "gradients", "occlusion"]
COMPLETE = 0.05
"""Share of the difference between full and base that may stay unexplained in an explanation called complete."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """One explanation of one answer, in natural-log odds."""

    method: Method
    units: tuple[Unit, ...]
    values: tuple[float, ...]
    """Contribution of each unit to the target's log-odds; > 0 speaks for it."""
    base: float
    """Log-odds of the target with no unit."""
    full: float
    """Log-odds of the target with all units."""
    target: str
    """What is explained: the name of a class."""
    evaluations: int
    """Variants of the note that the model was asked for it; of gradients, forward and backward passes."""
    seconds: float
    rest: float = 0.0
    """Contribution of what belongs to no unit (punctuation, filler words); only gradients see it."""
    reliability: float | None = None
    """Split-half reliability of the ranks of values that were sampled in two halves; at most 1."""

    def __post_init__(self) -> None:
        if len(self.values) != len(self.units):
            raise InvalidInputError(
                f"attribution: expected one value a unit, got {len(self.values)} values for {len(self.units)} "
                "units: take both from the same game"
            )

    @property
    def gap(self) -> float:
        """Full minus base minus all contributions: what the explanation leaves unexplained.

        0 for Shapley values; for gradients the error of the integral; for LIME and occlusion, which promise no
        sum, whatever it is.
        """
        return self.full - self.base - sum(self.values) - self.rest

    @property
    def complete(self) -> bool:
        """Whether the contributions sum to the difference, within :data:`COMPLETE` of it (at least of 1)."""
        return abs(self.gap) <= COMPLETE * max(1.0, abs(self.full - self.base))

    @property
    def order(self) -> NDArray[np.intp]:
        """Places of the units, the strongest for the target first; ties keep the order of the note."""
        return np.argsort(-np.asarray(self.values, float), kind="stable")
