"""A figure never stands alone: value, 95 % interval, n."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int

    def as_json(self) -> dict[str, float]:
        """Return ``{"value", "low", "high"}``, rounded to six digits."""
        return {"value": round(self.value, 6), "low": round(self.low, 6), "high": round(self.high, 6)}


def proportion(hits: int, n: int) -> Figure:
    """Return a proportion with its Wilson score interval (Wilson 1927).

    Raises:
        ValueError: ``n`` is not positive or ``hits`` lies outside ``0..n``.
    """
    if n <= 0 or not 0 <= hits <= n:
        raise ValueError(f"expected 0 <= hits <= n and n > 0, got hits={hits}, n={n}")
    z = 1.959963984540054
    p = hits / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * float(np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n)
    return Figure(p, max(0.0, centre - half), min(1.0, centre + half), n)


def upper_bound_zero_or_more(events: int, n: int, confidence: float = 0.95) -> float:
    """Return the one-sided exact upper bound of a rate (Clopper and Pearson 1934)."""
    from scipy.stats import beta

    return 1.0 if events >= n else float(beta.ppf(confidence, events + 1, n - events))


def bootstrap(
    statistic: Callable[[NDArray[np.int64]], float], n: int, *, seed: int = 0, repetitions: int = 1000
) -> Figure:
    """Return a statistic of resampled case indices with its percentile interval (Efron 1979).

    Args:
        statistic: maps case indices (length ``n``) to the figure.
        n: number of cases.
        seed: of the resampling.
        repetitions: number of resamples.
    """
    generator = np.random.default_rng(seed)
    values = [statistic(generator.integers(0, n, n)) for _ in range(repetitions)]
    # A resample may have no figure (all cases agree); the interval is over those that have one.
    low, high = np.nanpercentile(np.asarray(values), [2.5, 97.5])
    return Figure(statistic(np.arange(n)), float(low), float(high), n)
