"""A Gaussian process over molecules: from a few dozen measured values to a prediction with its uncertainty, in a second.

Rasmussen and Williams, *Gaussian Processes for Machine Learning* (2006), chapters 2 and 5. The kernel is that of Ralaivola
et al. (Neural Networks 2005, 18, 1093), Tanimoto's similarity of counted circular fragments (sum of minima over sum of
maxima), with a share of a Gaussian kernel on physicochemical descriptors. What is ours: a value that is only known to
lie beyond a bound (> 10000 nM) enters as its expectation given the other values and the bound; repeats lower the
noise of their mean; intervals are widened until the left-out errors fit them (conformal, with the closed form of
leaving one out).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError

Array = NDArray[np.float64]
MOST_COUNT = 8
"""A fragment that occurs more often counts as often as this."""
DESCRIPTOR_SHARE = 0.3
"""Weight of the descriptors' kernel; chosen on MoleculeACE targets that no result is reported on."""
NOISES = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Candidates for the noise variance over the signal's; the likelihood chooses."""
CENSORED_PASSES = 3
FEWEST = 8
"""Values from which a process is fitted."""


@dataclass(frozen=True)
class Features:
    """Molecules as the kernel sees them."""

    counts: NDArray[np.uint8]
    """Circular fragments of radius 2, folded, shape (molecules, bits)."""
    properties: NDArray[np.float32]
    """Descriptors, damped and standardised over these molecules, shape (molecules, descriptors)."""

    @classmethod
    def of(cls, smiles: Sequence[str]) -> Features:
        """Return the features of molecules. Those that will be compared must be made together.

        Raises:
            InvalidInputError: a SMILES that RDKit cannot read.
        """
        from xinglin.model.molecule.fingerprints import descriptors, ecfp

        counts = np.minimum(ecfp(smiles, counts=True), MOST_COUNT).astype(np.uint8)
        raw = np.nan_to_num(descriptors(smiles).astype(float))
        damped = np.sign(raw) * np.log1p(np.abs(raw))
        spread = damped.std(axis=0)
        return cls(
            counts, ((damped - damped.mean(axis=0)) / np.where(spread > 0, spread, 1)).astype(np.float32)
        )

    def __len__(self) -> int:
        return len(self.counts)


def gram(features: Features) -> NDArray[np.float32]:
    """Return the kernel between all molecules, shape (molecules, molecules), 1 on the diagonal."""
    properties = features.properties
    squares = (properties**2).sum(axis=1)
    apart = np.maximum(squares[:, None] + squares - 2 * properties @ properties.T, 0)
    width = float(np.median(apart)) or 1.0
    return np.asarray(
        (1 - DESCRIPTOR_SHARE) * similarity(features) + DESCRIPTOR_SHARE * np.exp(-apart / (2 * width)),
        np.float32,
    )


def similarity(features: Features) -> NDArray[np.float32]:
    """Return Tanimoto's similarity of counts between all molecules, shape (molecules, molecules)."""
    counts = features.counts
    common = np.zeros((len(counts), len(counts)), np.float32)
    # The sum of minima is a sum over levels of how many fragments reach the level in both.
    for level in range(1, int(counts.max(initial=0)) + 1):
        reached = counts >= level
        plane = reached[:, reached.any(axis=0)].astype(np.float32)
        common += plane @ plane.T
    total = counts.sum(axis=1, dtype=np.float32)
    union = total[:, None] + total - common
    return np.asarray(np.divide(common, union, out=np.ones_like(common), where=union > 0), np.float32)


@dataclass(frozen=True)
class Observed:
    """Measured values of some molecules."""

    at: NDArray[np.int64]
    """Their rows of the kernel."""
    values: Array
    """Means of repeats; of a censored one, the bound."""
    side: NDArray[np.int8]
    """0 exact, -1 the true value lies below the bound, 1 above."""
    repeats: NDArray[np.int64]

    @classmethod
    def exact(cls, at: NDArray[np.int64], values: Array) -> Observed:
        """Return single, exact values."""
        return cls(at, values, np.zeros(len(at), np.int8), np.ones(len(at), np.int64))


@dataclass(frozen=True)
class Process:
    """A fitted Gaussian process on the rows of one kernel."""

    kernel: NDArray[np.float32]
    observed: Observed
    mean: float
    scale: float
    """Standard deviation of the signal."""
    noise: float
    """Variance of one measurement's noise over the signal's."""
    factor: Array
    """Lower Cholesky factor of the observed kernel with noise."""
    weights: Array
    left_out: Array
    """Errors of each exact value when left out, in predicted standard deviations."""

    @classmethod
    def fit(cls, kernel: NDArray[np.float32], observed: Observed) -> Process:
        """Fit to the observed values; noise and signal by the marginal likelihood.

        Raises:
            InvalidInputError: fewer than ``FEWEST`` values, all equal, or no exact one.
        """
        exact = observed.side == 0
        if len(observed.at) < FEWEST or exact.sum() < FEWEST // 2 or np.ptp(observed.values) == 0:
            raise InvalidInputError(
                f"expected at least {FEWEST} measured molecules, half of them with exact values and not all equal, "
                f"got {len(observed.at)} with {int(exact.sum())} exact: measure more before predicting"
            )
        among = kernel[np.ix_(observed.at, observed.at)].astype(float)
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
            kernel,
            observed,
            found.mean,
            found.scale,
            found.noise,
            found.factor,
            found.weights,
            ((values - left) / spread)[exact],
        )

    def predict(self, at: NDArray[np.int64]) -> tuple[Array, Array]:
        """Return mean and standard deviation of the noiseless value of rows of the kernel."""
        across = self._across(at)
        return self.mean + self.scale * (across @ self.weights), self.scale * np.sqrt(self._variance(across))

    def interval(self, at: NDArray[np.int64], coverage: float = 0.9) -> tuple[Array, Array]:
        """Return the bounds of a new measurement, widened so that left-out values are covered.

        The split-conformal quantile of left-out errors in predicted deviations (Vovk et al. 2005), which here holds
        for molecules like the measured ones.
        """
        rank = min(int(np.ceil(coverage * (len(self.left_out) + 1))), len(self.left_out))
        width = float(np.sort(np.abs(self.left_out))[rank - 1])
        across = self._across(at)
        centre = self.mean + self.scale * (across @ self.weights)
        half = width * self.scale * np.sqrt(self._variance(across) + self.noise)
        return centre - half, centre + half

    def batch(self, at: NDArray[np.int64], count: int, boldness: float) -> NDArray[np.int64]:
        """Return ``count`` of ``at`` in the order of picking: highest mean + boldness x deviation, one after another.

        After each pick the deviations shrink as if it were measured (GP-BUCB: Desautels et al., JMLR 2014, 15, 4053),
        so that a batch does not crowd around one molecule.
        """
        from scipy.linalg import solve_triangular

        across = self._across(at)
        centre = across @ self.weights
        solved = solve_triangular(self.factor, across.T, lower=True)
        variance = np.maximum(1 - (solved**2).sum(axis=0), 1e-9)
        known = np.zeros((count, len(at)))
        open_ = np.ones(len(at), bool)
        picks: list[int] = []
        for step in range(min(count, len(at))):
            merit = np.where(open_, centre + boldness * np.sqrt(variance), -np.inf)
            pick = int(np.argmax(merit))
            open_[pick] = False
            picks.append(pick)
            if boldness > 0:
                row = self.kernel[at[pick], at] - solved[:, pick] @ solved - known[:step, pick] @ known[:step]
                known[step] = row / np.sqrt(variance[pick] + self.noise)
                variance = np.maximum(variance - known[step] ** 2, 1e-9)
        return at[picks]

    def _across(self, at: NDArray[np.int64]) -> Array:
        return self.kernel[np.ix_(at, self.observed.at)].astype(float)

    def _variance(self, across: Array) -> Array:
        from scipy.linalg import solve_triangular

        solved = solve_triangular(self.factor, across.T, lower=True)
        return np.maximum(1 - (solved**2).sum(axis=0), 1e-9)


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
