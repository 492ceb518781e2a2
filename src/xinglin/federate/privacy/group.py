"""What a step tells about several units at once: all examples of a patient, where the example is drawn and clipped.

With k units, each drawn with chance q, as many take part as a binomial says, and j of them move the sum by at most j
clipping norms. So the step is at most as telling as the scalar mixture of Gaussians sum_j P(j) N(j, s^2) against
N(0, s^2) (Choquette-Choo, Ganesh, Steinke and Thakurta 2024, arXiv:2310.15526, corollary 4.7: vectors may be replaced by
their norms). Its Renyi divergence is a one-dimensional integral, computed here on a grid in both directions.

Where that is out of reach, a cruder bound: at least one unit is drawn with chance 1 - (1 - q)^k, and then all are
counted. The mixture is a post-processing of that: draw j from the binomial given j >= 1, scale the shift by j / k, add
the missing noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import logsumexp
from scipy.stats import binom

Array = np.ndarray[Any, np.dtype[np.float64]]
MOST = 256
"""Largest group for which the mixture is computed."""
_FINE = 20
"""Points of the grid in one standard deviation of the noise."""
_TAIL = 14.0
"""Standard deviations beyond the outermost centre of mass; what lies outside weighs less than 1e-40 of the whole."""
_LONGEST = 2000.0
"""Length of the grid in standard deviations: orders that need a longer one are not used, which is a bound still."""
_SAFETY = 1e-6
"""Relative allowance for the error of the grid."""


def group_curve(sample_rate: float, noise_multiplier: float, group: int, orders: Sequence[float]) -> Array:
    """Return the Renyi divergence of one step for a group, at every order; infinite where it is not computed.

    Args:
        sample_rate: chance of each unit to be drawn, in (0, 1).
        noise_multiplier: standard deviation of the noise over the clipping norm, above 0.
        group: how many units, 1 to ``MOST``.
        orders: above 1.
    """
    sd, shift = noise_multiplier, np.arange(group + 1)
    weight = binom.logpmf(shift, group, sample_rate)
    end = min(max(orders) * group / sd, _LONGEST) + _TAIL
    x = sd * np.arange(-_TAIL, end, 1 / _FINE)
    loss = np.full(len(x), -np.inf)
    for j, chance in zip(shift, weight, strict=True):
        loss = np.logaddexp(loss, chance + (2 * x * j - j * j) / (2 * sd * sd))
    density = -(x**2) / (2 * sd * sd) - 0.5 * math.log(2 * math.pi) - math.log(_FINE)
    near = x <= _TAIL * sd
    curve = np.full(len(orders), np.inf)
    for place, order in enumerate(orders):
        reach = order * group / sd
        if reach > _LONGEST:
            continue
        inside = x <= (reach + _TAIL) * sd
        forward = logsumexp(density[inside] + order * loss[inside])
        backward = logsumexp(density[near] + (1 - order) * loss[near])
        curve[place] = max(forward, backward, 0.0) / (order - 1) * (1 + _SAFETY) + 1e-12
    whole = (
        np.asarray(orders, float) * (group / sd) ** 2 / 2
    )  # all of them in every step: the Gaussian mechanism
    return np.minimum(curve, whole)


def at_least_one(
    sample_rate: float, noise_multiplier: float, steps: int, group: int
) -> tuple[float, float, int]:
    """Return the cruder bound as a step of a single unit: (sample rate, noise multiplier, steps)."""
    if group == 1:
        return sample_rate, noise_multiplier, steps
    return -math.expm1(group * math.log1p(-sample_rate)), noise_multiplier / group, steps
