"""Shapley values by sampled orders of the units, each order taken forwards and backwards.

An order adds one unit after the other, and each is credited with what it adds; the mean over all orders is the
Shapley value, the mean over some is unbiased for it (Castro et al. 2009). Taking each order backwards too (antithetic
sampling; compared with other schemes by Mitchell et al. 2022) shares whatever two units do together exactly;
``shap.PermutationExplainer`` does the same. Unlike Partition, whose tree decides what its values converge to, this
converges to the Shapley values themselves.
"""

from __future__ import annotations

import numpy as np

from xinglin.errors import InvalidInputError
from xinglin.explain.attribution import Attribution
from xinglin.explain.door import Explainable
from xinglin.explain.game import Floats, Game
from xinglin.explain.partition import BUDGET


def sampled_values(game: Game, *, budget: int = BUDGET, seed: int = 0) -> Attribution:
    """Explain a note by sampled Shapley values; they sum to full minus base whatever the budget.

    Args:
        game: the note and its model.
        budget: most variants; at least one order is taken forwards and backwards.
        seed: of the orders.

    Raises:
        InvalidInputError: a budget below 2.
    """
    start = game.begin()
    return game.explained("shap", sampled(game, budget=budget, seed=seed), start)


def sampled(game: Explainable, *, budget: int = BUDGET, seed: int = 0) -> Floats:
    """Return the estimated Shapley value of each part, shape (parts,).

    Raises:
        InvalidInputError: a budget below 2.
    """
    parts = len(game)
    if budget < 2:
        raise InvalidInputError(f"budget: expected at least 2, got {budget}")
    # Both ends are the same in every order: an order taken both ways costs 2 (parts - 1).
    pairs = max(1, (budget - 2) // max(1, 2 * (parts - 1)))
    generator = np.random.default_rng(seed)
    steps = np.tri(parts + 1, parts, -1, dtype=bool)  # row k: the first k of an order
    game.expect(2 * pairs * (parts + 1))
    total = np.zeros(parts)
    for _ in range(pairs):
        drawn = generator.permutation(parts)
        for order in (drawn, drawn[::-1]):
            masks = np.zeros_like(steps)
            masks[:, order] = steps
            total[order] += np.diff(game.value(masks))
    return total / (2 * pairs)
