"""The published rule from values to points, ``xinglin-credit-1``.

1. A coalition is worth at least what no data are worth (free disposal): nobody releases a model that harms.
2. A site counts if the 95 % interval of its Shapley value over retrainings lies above 0.
3. The value of a site that does not count is set to 0: what is negative or not distinguishable from 0 earns nothing,
   and nobody is charged.
4. What is left is divided by its sum and written in basis points, 10,000 in all, by largest remainder; of equal
   remainders the site whose name comes first gets the point.

What it costs: Shapley's efficiency. The counted values sum to more (or less) than v(all) - v(none), so a point is a share
of what the counted sites added, not of what was gained. A site of small but real worth may earn nothing until more
rows show it, and of worthless sites one in forty passes by chance (the upper half of a 95 % interval).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from xinglin.errors import ConflictError, InvalidInputError
from xinglin.ledger.credit.values import finite

RULE = "xinglin-credit-1"
POINTS = 10_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over retrainings and its 95 % interval."""

    value: float
    low: float
    high: float
    runs: int


def over_runs(values: Sequence[float], ratio: float) -> Interval:
    """Return the mean of a figure over retrainings on random parts, and its interval.

    Parts drawn from the same rows overlap, so their spread alone says too little: the variance of the mean is taken as
    ``(1 / runs + ratio) * s^2``, Student with runs - 1 degrees of freedom (Nadeau and Bengio 2003, doi
    10.1023/A:1024068626366).

    Args:
        values: one a retraining, two or more.
        ratio: held-out rows over training rows; 0 where the retrainings share no row.

    Raises:
        InvalidInputError: fewer than two values, one that is not finite, or a ratio below 0.
    """
    from scipy.stats import t

    if len(values) < 2:
        raise InvalidInputError(f"expected two or more retrainings, got {len(values)}: one has no interval")
    if not math.isfinite(ratio) or ratio < 0:
        raise InvalidInputError(f"ratio of held-out to training rows: expected 0 or more, got {ratio}")
    numbers = np.array([finite(value, ()) for value in values])
    mean, count = float(numbers.mean()), len(numbers)
    half = float(t.ppf(0.975, count - 1)) * math.sqrt((1 / count + ratio) * float(numbers.var(ddof=1)))
    return Interval(mean, mean - half, mean + half, count)


def counted(values: Mapping[str, Interval]) -> dict[str, float]:
    """Return each site's value by points 2 and 3 of the rule: 0 for those that do not count."""
    return {site: one.value if one.low > 0.0 else 0.0 for site, one in values.items()}


def basis_points(values: Mapping[str, float]) -> dict[str, int]:
    """Return each site's points, which sum to exactly 10,000, by point 4 of the rule.

    Raises:
        InvalidInputError: a value that is negative or not finite.
        ConflictError: every value is 0: nothing can be paid.
    """
    exact = {site: Fraction(finite(value, {site})) for site, value in values.items()}
    if any(value < 0 for value in exact.values()):
        raise InvalidInputError("basis points: expected values of 0 or more; negatives are cut off before")
    total = sum(exact.values())
    if not total:
        raise ConflictError("no site's contribution can be told from nothing: there is nothing to pay")
    quotas = {site: value * POINTS / total for site, value in exact.items()}
    points = {site: int(quota) for site, quota in quotas.items()}
    left = POINTS - sum(points.values())
    for site in sorted(quotas, key=lambda site: (points[site] - quotas[site], site))[:left]:
        points[site] += 1
    return points
