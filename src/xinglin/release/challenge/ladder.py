"""The Ladder: a board that tells a new score only when it beats the last one told by more than chance.

Blum and Hardt 2015 (arXiv 1502.04585), the parameter-free variant: an entry is accepted when its mean loss is below
the last one told by more than s / sqrt(n), s the standard deviation of the difference of the two entries' losses on the
n cases; what is told is rounded to 1 / n. Otherwise the last one is told again. However many entries a person tries,
what the board tells depends on the labels only through the few that were accepted. Where we differ: one ladder a
person, so that nobody's entries move another's score; k accounts make k ladders, which the daily cap slows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Rung:
    """What the board tells of a person after an entry."""

    told: float
    """Mean loss, rounded to 1 / n."""
    accepted: bool
    """Whether this entry is the one that it is the loss of."""


def climb(losses: Array, best: Array | None, told: float | None) -> Rung:
    """Return what the board tells after a new entry.

    Args:
        losses: of the new entry on the board's part, in [0, 1], shape (cases,).
        best: losses of the last accepted entry; ``None``: none was yet.
        told: what was told last.

    Raises:
        ValueError: no case, losses outside [0, 1], or another number of cases than before.
    """
    n = len(losses)
    if not n or losses.min() < 0 or losses.max() > 1 or (best is not None and len(best) != n):
        raise ValueError(f"expected losses within [0, 1] of the same cases as before, got {losses.shape}")
    mean = float(losses.mean())
    if best is None or told is None:
        return Rung(_rounded(mean, n), True)
    step = float((losses - best).std(ddof=1)) / math.sqrt(n) if n > 1 else 1.0
    if mean < told - step:
        return Rung(_rounded(mean, n), True)
    return Rung(told, False)


def _rounded(value: float, n: int) -> float:
    return round(value * n) / n
