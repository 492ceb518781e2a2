"""Prediction intervals for a number: split conformal, wider where the model is expected to be worse.

Normalised non-conformity of Papadopoulos et al. 2011 (doi 10.1613/jair.3198): the error is divided by an expected error, and
a quantile of these ratios holds the stated share of new cases if they are exchangeable with the calibration cases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NormalisedInterval:
    """Half-width of an interval as a function of signs of difficulty."""

    weights: Array
    """Of the constant and each sign, none negative, shape (1 + signs,)."""
    floor: float
    """Least expected error."""
    quantile: float
    """Of error over expected error."""

    @classmethod
    def fit(cls, errors: Array, signs: Array, coverage: float) -> NormalisedInterval:
        """Return the interval that holds ``coverage`` of exchangeable cases.

        Args:
            errors: absolute error of each calibration case, made without that case.
            signs: what grows with difficulty, shape (cases, signs), none negative.
            coverage: in (0, 1).

        Raises:
            ValueError: no case, other shapes, a coverage outside (0, 1).
        """
        from scipy.optimize import nnls

        if len(errors) == 0 or signs.ndim != 2 or len(signs) != len(errors) or not 0 < coverage < 1:
            raise ValueError(
                f"expected errors (n,), signs (n, k), 0 < coverage < 1, got {errors.shape}, {signs.shape}"
            )
        weights, _ = nnls(np.column_stack([np.ones(len(errors)), signs]), errors)
        floor = max(1e-9, 0.25 * float(np.median(errors)))
        expected = np.maximum(weights[0] + signs @ weights[1:], floor)
        n = len(errors)
        rank = int(np.ceil((n + 1) * coverage))
        ratios = np.sort(errors / expected)
        return cls(weights, floor, float("inf") if rank > n else float(ratios[rank - 1]))

    def half_width(self, signs: Array) -> Array:
        """Return the half-width for each case, shape (cases,); infinite if too few cases were there to calibrate."""
        width: Array = np.maximum(self.weights[0] + signs @ self.weights[1:], self.floor) * self.quantile
        return width
