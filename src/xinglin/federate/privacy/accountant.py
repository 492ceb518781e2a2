"""Epsilon of a sequence of steps of the Poisson-sampled Gaussian mechanism, by Opacus' accountants.

Neighbours are data sets that differ by one protected unit added or removed (its gradient set to zero). ``rdp`` composes
Renyi divergences (Mironov, Talwar and Zhang 2019, arXiv:1908.10530) and converts by Balle et al. 2020
(arXiv:1905.09982, theorem 21); ``prv`` composes privacy loss variables numerically (Gopi, Lee and Wutschitz 2021,
arXiv:2106.02848) and returns its upper end. Both are upper bounds. The budget counts in ``rdp``, which is fast and
never far off; ``prv`` is tighter where epsilon is small. Where we differ from Opacus: larger orders are tried, so that
small epsilons are not overstated, and what is out of range is refused instead of warned of.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from xinglin.errors import ConfigurationError, InvalidInputError, MissingExtraError

Kind = Literal["rdp", "prv"]
Array = np.ndarray[Any, np.dtype[np.float64]]
ORDERS = (*(1 + tenth / 10 for tenth in range(1, 100)), *range(11, 65), 80, 96, 128, 192, 256, 384, 512)
PRV_MOST = 60.0
"""Largest epsilon (by ``rdp``) that ``prv`` refines: beyond it the grid grows without end, and nothing is protected."""
MOST_STEPS = 10**9
MOST_NOISE = 1e6


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """A number of steps that draw and add noise alike."""

    sample_rate: float
    """Chance of a unit to be drawn in a step, in (0, 1]; 1 means that every unit takes part in every step."""
    noise_multiplier: float
    """Standard deviation of the noise over the clipping norm; 0 means no noise, and no privacy."""
    steps: int = 1

    def __post_init__(self) -> None:
        for name, value, most in (
            ("sample_rate", self.sample_rate, 1),
            ("noise_multiplier", self.noise_multiplier, MOST_NOISE),
        ):
            if not (isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= most):
                raise InvalidInputError(f"{name}: expected a number of 0 to {most:g}, got {value!r}")
        if not self.sample_rate > 0:
            raise InvalidInputError("sample_rate: expected more than 0, got 0: nothing would be drawn")
        if (
            isinstance(self.steps, bool)
            or not isinstance(self.steps, int)
            or not 1 <= self.steps <= MOST_STEPS
        ):
            raise InvalidInputError(f"steps: expected 1 to {MOST_STEPS}, got {self.steps!r}")

    def of_group(self, size: int) -> Step:
        """Return a step that bounds what this one tells about ``size`` units at once, e.g. all examples of a patient.

        At least one of them is drawn with chance ``1 - (1 - q)^k``, and together they move the sum by at most ``k``
        times the clipping norm. The true output of the step is a post-processing of that one: scale the shift by
        (number drawn) / k and add the missing noise. So the bound holds for every accountant, and composes.
        """
        if size < 1:
            raise InvalidInputError(f"group: expected 1 or more, got {size}")
        rate = -math.expm1(size * math.log1p(-self.sample_rate)) if self.sample_rate < 1 else 1.0
        return Step(rate, self.noise_multiplier / size, self.steps)


def merged(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return the steps in order, those that are alike added up: composition does not depend on the order."""
    total: Counter[tuple[float, float]] = Counter()
    for step in steps:
        total[step.sample_rate, step.noise_multiplier] += step.steps
    return tuple(Step(rate, noise, count) for (rate, noise), count in sorted(total.items()))


def epsilon(steps: Iterable[Step], delta: float, kind: Kind = "rdp") -> float:
    """Return epsilon of all steps together.

    Args:
        steps: in any order; each may draw and add noise differently.
        delta: in (0, 1).
        kind: accountant. Where ``rdp`` says more than 60, ``prv`` returns what ``rdp`` says.

    Returns:
        An upper bound of epsilon; 0 without steps, infinite if one of them added no noise.

    Raises:
        InvalidInputError: a delta out of range, or an unknown accountant.
        MissingExtraError: Opacus is not installed.
    """
    check_delta(delta)
    if kind not in ("rdp", "prv"):
        raise InvalidInputError(f"accountant: expected rdp or prv, got {kind!r}")
    history = merged(steps)
    if not history:
        return 0.0
    if any(step.noise_multiplier == 0 for step in history):
        return math.inf
    bound = _renyi(history, delta)
    return _numerical(history, delta) if kind == "prv" and bound <= PRV_MOST else bound


def noise_for(
    target: float,
    delta: float,
    sample_rate: float,
    steps: int,
    *,
    kind: Kind = "rdp",
    spent: Sequence[Step] = (),
    group: int = 1,
) -> float:
    """Return the least noise multiplier with which ``steps`` steps keep to an epsilon, by bisection to 0.1 %.

    Args:
        target: epsilon in all, above 0.
        delta: in (0, 1).
        sample_rate: of each step.
        steps: how many.
        kind: accountant.
        spent: steps that were taken before and count too.
        group: how many units are protected at once (:meth:`Step.of_group`).

    Raises:
        ConfigurationError: no noise suffices: too much was spent before, or the target is too small.
        InvalidInputError: a number out of range.
    """
    if not (math.isfinite(target) and target > 0):
        raise InvalidInputError(f"epsilon: expected a number above 0, got {target!r}")

    def keeps(noise: float) -> bool:
        return epsilon((*spent, Step(sample_rate, noise, steps).of_group(group)), delta, kind) <= target

    low, high = 0.0, 1.0
    while not keeps(high):
        low, high = high, 2 * high
        if high > MOST_NOISE:
            raise ConfigurationError(
                f"no noise keeps {steps} steps at rate {sample_rate:g} within epsilon {target:g} at delta {delta:g}: "
                "ask for fewer steps, a larger delta or a larger epsilon"
            )
    while high - low > 1e-3 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if middle > 0 and keeps(middle) else (middle, high)
    return high


def check_delta(delta: float, patients: int | None = None) -> None:
    """Refuse a delta that is no small probability: with delta >= 1/n a mechanism may publish one patient whole.

    Args:
        delta: the delta.
        patients: n, counted by the node itself; ``None`` checks the range only.

    Raises:
        InvalidInputError: not in (0, 1), or not below 1/n.
    """
    if not (isinstance(delta, int | float) and 0 < delta < 1):
        raise InvalidInputError(f"delta: expected a number between 0 and 1, got {delta!r}")
    if patients is not None and delta * patients >= 1:
        raise InvalidInputError(
            f"delta: expected less than 1/n = {1 / patients:.3g} with n = {patients} patients, got {delta:g}: "
            "a chance that large may give one of them away whole"
        )


def _renyi(history: tuple[Step, ...], delta: float) -> float:
    total = np.zeros(len(ORDERS))
    for step in history:
        total += step.steps * _curve(step.sample_rate, step.noise_multiplier)
    with warnings.catch_warnings():
        # At the largest or the least order the bound is loose, and a bound all the same.
        warnings.filterwarnings("ignore", message="Optimal order is the")
        found, _ = _library().get_privacy_spent(orders=ORDERS, rdp=total, delta=delta)
    return max(0.0, float(found))


@lru_cache(maxsize=65536)
def _curve(sample_rate: float, noise_multiplier: float) -> Array:
    """Renyi divergence of one step at every order."""
    curve = _library().compute_rdp(q=sample_rate, noise_multiplier=noise_multiplier, steps=1, orders=ORDERS)
    return np.asarray(curve, float)


@lru_cache(maxsize=4096)
def _numerical(history: tuple[Step, ...], delta: float) -> float:
    _library()
    from opacus.accountants import PRVAccountant

    accountant = PRVAccountant()
    accountant.history = [(step.noise_multiplier, step.sample_rate, step.steps) for step in history]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # log of 0 in a branch that np.where throws away
        return max(0.0, float(accountant.get_epsilon(delta=delta)))


def _library() -> Any:
    """The functions that Opacus' RDP accountant is made of: taken apart, each curve is computed once."""
    try:
        from opacus.accountants.analysis import rdp
    except ImportError:
        raise MissingExtraError("privacy accounting", "federate") from None
    return rdp
