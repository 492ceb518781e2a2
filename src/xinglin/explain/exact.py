"""Exact Shapley values by enumeration of all coalitions (Shapley 1953): for up to twelve units.

The value of unit i is the mean, over all orders of the units, of what it adds when its turn comes. Grouped by the
set S before it: sum over S of |S|! (U - |S| - 1)! / U! (v(S with i) - v(S)).
"""

from __future__ import annotations

from math import comb

import numpy as np

from xinglin.errors import InputTooLargeError
from xinglin.explain.attribution import Attribution
from xinglin.explain.door import Explainable
from xinglin.explain.game import Floats, Game

MAX_EXACT = 12
"""Units; each more doubles the variants, of which twelve have 4,096."""


def exact_values(game: Game) -> Attribution:
    """Explain a note by its exact Shapley values; the model is asked about every variant.

    Raises:
        InputTooLargeError: more than :data:`MAX_EXACT` units.
    """
    start = game.begin()
    return game.explained("exact", shapley(game), start)


def shapley(game: Explainable) -> Floats:
    """Return the Shapley value of each part, shape (parts,); they sum to full minus base.

    Raises:
        InputTooLargeError: more than :data:`MAX_EXACT` parts.
    """
    parts = len(game)
    if parts > MAX_EXACT:
        raise InputTooLargeError(
            f"exact Shapley values: expected at most {MAX_EXACT} units, got {parts}: use SHAP Partition"
        )
    sets = np.arange(2**parts)
    masks = (sets[:, None] >> np.arange(parts)) & 1 == 1
    game.expect(len(masks))
    worth = game.value(masks)
    size = masks.sum(axis=1)
    weight = np.array([1 / (parts * comb(parts - 1, before)) for before in range(parts)])
    values = np.empty(parts)
    for i in range(parts):
        lacking = sets[~masks[:, i]]
        values[i] = weight[size[lacking]] @ (worth[lacking | 1 << i] - worth[lacking])
    return values
