"""The typed door: whatever has parts that can be kept or deleted, and an answer, can be explained.

A note is explained by :class:`xinglin.explain.Game`. The methods ask for nothing but this protocol, so a volume
whose parts are regions, or a molecule whose parts are atoms, joins by bringing an object that fits it.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@runtime_checkable
class Explainable(Protocol):
    """Something that is asked which of its parts an answer rests on."""

    def __len__(self) -> int:
        """Return the number of parts."""

    @property
    def evaluations(self) -> int:
        """Variants that the model was asked so far."""

    def expect(self, masks: int) -> None:
        """Announce masks to come, for a progress bar."""

    def value(self, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the log-odds of the answer for each mask.

        Args:
            masks: shape (n, parts); ``True``: the part is kept.
        """
