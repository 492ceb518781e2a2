"""A Gaussian process over molecules: from a few dozen measured values to predictions with their uncertainty, in a second.

Rasmussen and Williams, *Gaussian Processes for Machine Learning* (2006), chapters 2 and 5, on the kernel of
``xinglin.model.molecule.kernel``. What is ours: a value that is only known to lie beyond a bound (> 10000 nM) enters
as its expectation given the other values and the bound; repeats lower the noise of their mean; intervals are
widened until the left-out errors fit them (conformal, with the closed form of leaving one out).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError

Array = NDArray[np.float64]
NOISES = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Candidates for the noise variance over the signal's; the likelihood chooses."""
CENSORED_PASSES = 3
FEWEST = 8
"""Values from which a process is fitted."""


@dataclass(frozen=True)
class Observed:
    """Measured values of some molecules."""

    values: Array
    """Means of repeats; of a censored one, the bound."""
    side: NDArray[np.int8]
    """0 exact, -1 the true value lies below the bound, 1 above."""
    repeats: NDArray[np.int64]

    @classmethod
    def exact(cls, values: Array) -> Observed:
        """Return single, exact values."""
        return cls(values, np.zeros(len(values), np.int8), np.ones(len(values), np.int64))


@dataclass(frozen=True)
class Process:
    """A fitted Gaussian process. ``across`` is the kernel from asked molecules to the observed: (asked, observed)."""

    mean: float
    scale: float
    """Standard deviation of the signal."""
    noise: float
    """Variance of one measurement's noise over the signal's."""
    factor: Array
    """Lower Cholesky factor of the observed kernel with noise."""
    weights: Array
    exact: Array
    """The exact values."""
    left_out: Array
    """Prediction of each exact value from the others."""
    deviation: Array
    """Its predicted standard deviation."""

    @classmethod
    def fit(cls, kernel: NDArray[np.float32], observed: Observed) -> Process:
        """Fit to observed values; noise and signal by the marginal likelihood.

        Args:
            kernel: between the observed, shape (observed, observed).
            observed: what was measured.

        Raises:
            InvalidInputError: fewer than ``FEWEST`` values, all equal, or no exact one.
        """
        exact = observed.side == 0
        if len(exact) < FEWEST or exact.sum() < FEWEST // 2 or np.ptp(observed.values) == 0:
            raise InvalidInputError(
                f"expected at least {FEWEST} measured molecules, half of them with exact values and not all equal, "
                f"got {len(exact)} with {int(exact.sum())} exact: measure more before predicting"
            )
        among = kernel.astype(float)
        values = observed.values.astype(float).copy()
        found = _solve(among, values, observed.repeats)
        for _ in range(CENSORED_PASSES if not exact.all() else 0):
            left, spread = found.left_out(values)
            values[~exact] = _beyond(
                left[~exact], spread[~exact], observed.values[~exact], observed.side[~exact]
            )
            found = _solve(among, values, observed.repeats)
        left, spread = found.left_out(values)
        return cls(
            found.mean,
            found.scale,
            found.noise,
            found.factor,
            found.weights,
            values[exact],
            left[exact],
            spread[exact],
        )

    def predict(self, across: NDArray[np.float32]) -> tuple[Array, Array]:
        """Return mean and standard deviation of the noiseless values, each of shape (asked,)."""
        return self.mean + self.scale * (across @ self.weights), self.scale * np.sqrt(self._variance(across))

    def interval(self, across: NDArray[np.float32], coverage: float = 0.9) -> tuple[Array, Array]:
        """Return the bounds of a new measurement, widened so that left-out values are covered.

        The split-conformal quantile of left-out errors in predicted deviations (Vovk et al. 2005), which here holds
        for molecules like the measured ones.
        """
        errors = np.sort(np.abs(self.exact - self.left_out) / self.deviation)
        width = float(errors[min(int(np.ceil(coverage * (len(errors) + 1))), len(errors)) - 1])
        centre = self.mean + self.scale * (across @ self.weights)
        half = width * self.scale * np.sqrt(self._variance(across) + self.noise)
        return centre - half, centre + half

    def checked(self) -> tuple[float, float]:
        """Return mean absolute error and Spearman's correlation of exact values, each predicted from the others."""
        from scipy.stats import spearmanr

        error = float(np.abs(self.exact - self.left_out).mean())
        return error, float(spearmanr(self.exact, self.left_out).statistic)

    def batch(
        self, across: NDArray[np.float32], within: NDArray[np.float32], count: int, boldness: float
    ) -> NDArray[np.int64]:
        """Return ``count`` of the asked in the order of picking: the highest mean + boldness x deviation each time.

        After each pick the deviations shrink as if it were measured (GP-BUCB: Desautels et al., JMLR 2014, 15, 4053),
        so that a batch does not crowd around one molecule. ``within`` is the kernel between the asked.
        """
        from scipy.linalg import solve_triangular

        centre = across @ self.weights
        solved = solve_triangular(self.factor, across.T.astype(float), lower=True)
        variance = np.maximum(1 - (solved**2).sum(axis=0), 1e-9)
        known = np.zeros((count, len(across)))
        open_ = np.ones(len(across), bool)
        picks: list[int] = []
        for step in range(min(count, len(across))):
            merit = np.where(open_, centre + boldness * np.sqrt(variance), -np.inf)
            pick = int(np.argmax(merit))
            open_[pick] = False
            picks.append(pick)
            if boldness > 0:
                row = within[pick] - solved[:, pick] @ solved - known[:step, pick] @ known[:step]
                known[step] = row / np.sqrt(variance[pick] + self.noise)
                variance = np.maximum(variance - known[step] ** 2, 1e-9)
        return np.array(picks, np.int64)

    def _variance(self, across: NDArray[np.float32]) -> Array:
        from scipy.linalg import solve_triangular

        solved = solve_triangular(self.factor, across.T.astype(float), lower=True)
        return np.asarray(np.maximum(1 - (solved**2).sum(axis=0), 1e-9), np.float64)


@dataclass(frozen=True)
class _Solved:
    mean: float
    scale: float
    noise: float
    factor: Array
    weights: Array

    def left_out(self, values: Array) -> tuple[Array, Array]:
        """Return prediction and deviation of every value from the others (Rasmussen and Williams, eq. 5.12)."""
        from scipy.linalg import cho_solve

        inverse = np.diag(cho_solve((self.factor, True), np.eye(len(values))))
        return values - self.scale * self.weights / inverse, self.scale / np.sqrt(inverse)


def _solve(among: Array, values: Array, repeats: NDArray[np.int64]) -> _Solved:
    from scipy.linalg import cho_factor, cho_solve

    mean = float(values.mean())
    centred = values - mean
    best: tuple[float, _Solved] | None = None
    for noise in NOISES:
        factor = cho_factor(among + np.diag(noise / repeats), lower=True)[0]
        factor = np.tril(factor)
        weights = cho_solve((factor, True), centred)
        # The signal's variance has its maximum in closed form.
        power = max(float(centred @ weights) / len(values), 1e-12)
        likelihood = -0.5 * len(values) * np.log(power) - float(np.log(np.diag(factor)).sum())
        if best is None or likelihood > best[0]:
            scale = float(np.sqrt(power))
            best = likelihood, _Solved(mean, scale, noise, factor, weights / scale)
    if best is None:
        raise InvalidInputError("expected at least one candidate for the noise, there is none")
    return best[1]


def _beyond(mean: Array, spread: Array, bound: Array, side: NDArray[np.int8]) -> Array:
    """Return the expectation of a normal value that lies beyond a bound (of the truncated normal distribution)."""
    from scipy.stats import norm

    edge = side * (bound - mean) / spread
    # Beyond 8 deviations the ratio is its own asymptote.
    ratio = np.where(
        edge < 8, norm.pdf(np.minimum(edge, 8)) / norm.sf(np.minimum(edge, 8)), edge + 1 / np.maximum(edge, 8)
    )
    return np.asarray(mean + side * spread * ratio)
