"""Shapley values from random orders of arrival, for more sites than all coalitions can be measured of.

Permutation sampling with truncation (Ghorbani and Zou 2019, "Data Shapley", arXiv 1904.02868, algorithm 1): once a
coalition is worth as much as all sites within a tolerance, those that arrive later are taken to add nothing. With a
tolerance of 0 nothing is truncated, and the mean over a number of orders fixed beforehand is unbiased; with truncation
late arrivals are biased towards 0 by at most the tolerance an order.

Where we differ: sampling stops when the largest standard error is small enough, not when the estimates have stopped
moving. Stopping by what was seen biases the estimate a little; ``least`` keeps it from stopping on a lucky few.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError
from xinglin.ledger.credit.values import Value, checked_sites

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Plan:
    """How long orders are drawn."""

    seed: int
    tolerance: float = 0.0
    """Truncate once within this of the value of all sites; 0 never does."""
    error: float = 0.0
    """Stop when no site's standard error is above this; 0: after ``most`` orders."""
    least: int = 30
    """Orders drawn in any case."""
    most: int = 1000
    """Orders after which sampling ends, small errors or not."""

    def __post_init__(self) -> None:
        if (
            not (math.isfinite(self.tolerance) and math.isfinite(self.error))
            or min(self.tolerance, self.error) < 0
        ):
            raise InvalidInputError("tolerance, error: expected finite numbers, 0 or more")
        if not 2 <= self.least <= self.most <= 1_000_000 or self.seed < 0:
            raise InvalidInputError("expected a seed of 0 or more and 2 <= least <= most <= 1,000,000 orders")


@dataclass(frozen=True, slots=True)
class Sampled:
    """Estimates out of random orders."""

    values: dict[str, float]
    errors: dict[str, float]
    """Standard error of each."""
    orders: int
    skipped: int
    """Arrivals that truncation took for nothing."""
    met: bool
    """Whether the wanted error was reached."""


def sample(sites: Collection[str], value: Value, plan: Plan) -> Sampled:
    """Estimate each site's Shapley value.

    Args:
        sites: names.
        value: of a coalition; asked for again whenever an order comes by, so hand in a ``values.Recorded``.
        plan: seed, truncation, stopping rule.

    Raises:
        InvalidInputError: as ``values.checked_sites``.
    """
    names = checked_sites(sites)
    generator = np.random.default_rng(plan.seed)
    none, everyone = value(frozenset()), value(frozenset(names))
    mean, spread = np.zeros(len(names)), np.zeros(len(names))  # Welford's running mean and sum of squares
    skipped = orders = 0
    met = False
    while orders < plan.most and not met:
        gains, last, members = np.zeros(len(names)), none, frozenset[str]()
        for place, number in enumerate(generator.permutation(len(names))):
            if plan.tolerance and abs(everyone - last) <= plan.tolerance:
                skipped += len(names) - place
                break
            members |= {names[number]}
            reached = value(members)
            gains[number], last = reached - last, reached
        orders += 1
        away = gains - mean
        mean += away / orders
        spread += away * (gains - mean)
        if orders >= plan.least:
            met = bool(_errors(spread, orders).max() <= plan.error)
    errors = _errors(spread, orders)
    return Sampled(
        dict(zip(names, mean.tolist(), strict=True)),
        dict(zip(names, errors.tolist(), strict=True)),
        orders,
        skipped,
        met,
    )


def _errors(spread: Array, orders: int) -> Array:
    return np.asarray(np.sqrt(spread / (orders - 1) / orders))
