"""Shapley values by sampled orders of the units, each order taken forwards and backwards.

An order adds one unit after the other, and each is credited with what it adds; the mean over all orders is the
Shapley value, the mean over some is unbiased for it (Castro et al. 2009). Taking each order backwards too (antithetic
sampling; compared with other schemes by Mitchell et al. 2022) shares whatever two units do together exactly;
``shap.PermutationExplainer`` does the same. Unlike Partition, whose tree decides what its values converge to, this
converges to the Shapley values themselves.

We differ in that the orders are drawn in two halves whose agreement is the reliability of the whole (Spearman 1910,
Brown 1910), so that the stability costs no second run.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from xinglin.errors import InvalidInputError
from xinglin.explain.attribution import Attribution
from xinglin.explain.door import Explainable
from xinglin.explain.game import Floats, Game
from xinglin.explain.ranks import rank_correlation

BUDGET = 280
"""Variants: about four orders both ways of a note with 33 units; at equal budget nearer to the Shapley values than
Partition from 128 on (docs/results/explanation.md)."""


class Sampled(NamedTuple):
    """Estimated Shapley values and how far a second sample would agree with them."""

    values: Floats
    reliability: float
    """Split-half reliability of the ranks: 2 r / (1 + r) for halves that correlate by r; 1: the halves agree."""


def permutation_values(game: Game, *, budget: int = BUDGET, seed: int = 0) -> Attribution:
    """Explain a note by sampled Shapley values; they sum to full minus base whatever the budget.

    Args:
        game: the note and its model.
        budget: variants, about; two orders are taken forwards and backwards at least.
        seed: of the orders.

    Raises:
        InvalidInputError: a budget below 2.
    """
    start = game.begin()
    found = sampled(game, budget=budget, seed=seed)
    return game.explained("permutation", found.values, start, reliability=found.reliability)


def sampled(game: Explainable, *, budget: int = BUDGET, seed: int = 0) -> Sampled:
    """Return the estimated Shapley value of each part, shape (parts,).

    The orders are those of ``numpy.random.default_rng(seed).permutation(parts)``, one call each: a caller that needs
    the curves of random orders finds them answered already.

    Raises:
        InvalidInputError: a budget below 2.
    """
    parts = len(game)
    if budget < 2:
        raise InvalidInputError(f"budget: expected at least 2, got {budget}")
    # Both ends are the same in every order: an order taken both ways costs 2 (parts - 1), one for each half 4.
    rounds = max(1, int((budget - 2) / max(1, 4 * (parts - 1)) + 0.35))
    generator = np.random.default_rng(seed)
    steps = np.tri(parts + 1, parts, -1, dtype=bool)  # row k: the first k of an order
    game.expect(4 * rounds * (parts + 1))
    halves = np.zeros((2, parts))
    for number in range(2 * rounds):
        drawn = generator.permutation(parts)
        for order in (drawn, drawn[::-1]):
            masks = np.zeros_like(steps)
            masks[:, order] = steps
            halves[number % 2, order] += np.diff(game.value(masks))
    agreement = rank_correlation(*halves.tolist())
    reliability = 2 * agreement / (1 + agreement) if agreement > 0 else agreement
    return Sampled(halves.sum(axis=0) / (4 * rounds), reliability)
