"""What may happen to a window without changing its answer: flips, turns, other scanners, thicker slices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
THICKNESSES = (2.0, 2.5, 3.0, 4.0, 5.0)
"""Slices in mm that a scan may have had before it was resampled to 1 mm."""


@dataclass(frozen=True, slots=True)
class Changes:
    """How much of what is done to a window."""

    thick: float = 0.3
    """Share of windows that are seen as if from thicker slices."""
    gain: float = 0.08
    """Largest relative change of contrast."""
    shift_hu: float = 60.0
    """Largest shift."""
    noise_hu: float = 30.0
    """Largest standard deviation of added noise."""


def thick_slices(size: int, thickness: float, phase: float) -> Floats:
    """Return the matrix (size, size) that averages 1 mm slices into thick ones and interpolates back.

    Args:
        size: slices of 1 mm.
        thickness: mm of a thick slice.
        phase: mm by which the first thick slice begins before the window, in [0, thickness).
    """
    edges = np.arange(-phase, size + thickness, thickness)
    average, centres = [], []
    voxels = np.arange(size)
    for low, high in pairwise(edges):
        share = np.clip(np.minimum(high, voxels + 1) - np.maximum(low, voxels), 0, 1)
        if share.sum() > 0:
            average.append(share / share.sum())
            centres.append(average[-1] @ voxels)  # of what the window holds of it
    weights = np.array([np.interp(voxels, centres, row) for row in np.eye(len(centres))]).T
    return np.asarray(weights @ np.array(average), dtype=np.float32)


@cache
def _thick(size: int) -> tuple[Floats, ...]:
    return tuple(
        thick_slices(size, thickness, phase)
        for thickness in THICKNESSES
        for phase in np.arange(0, thickness, 0.5)
    )


def turned(image: Floats, flips: NDArray[np.bool_], swap: bool) -> Floats:
    """Return an image (z, y, x) flipped along the axes marked and, with ``swap``, with y and x exchanged."""
    axes = tuple(np.flatnonzero(flips).tolist())
    flipped = np.flip(image, axes) if axes else image
    return flipped.swapaxes(1, 2) if swap else flipped


def turned_point(
    point: NDArray[np.float64], shape: tuple[int, ...], flips: NDArray[np.bool_], swap: bool
) -> NDArray[np.float64]:
    """Return where a voxel (z, y, x) of an image of ``shape`` comes to lie under :func:`turned`."""
    there = np.where(flips, np.array(shape) - 1 - point, point)
    return there[[0, 2, 1]] if swap else there


def changed(hu: Floats, changes: Changes, generator: np.random.Generator) -> Floats:
    """Return an image in HU as another scanner might have taken it."""
    image = hu
    if generator.random() < changes.thick:
        matrices = _thick(hu.shape[0])
        image = np.tensordot(matrices[generator.integers(len(matrices))], image, 1)
    gain = 1 + generator.uniform(-changes.gain, changes.gain)
    shift = generator.uniform(-changes.shift_hu, changes.shift_hu)
    noise = generator.standard_normal(image.shape, dtype=np.float32) * generator.uniform(0, changes.noise_hu)
    return np.asarray((image + 300.0) * gain - 300.0 + shift + noise, dtype=np.float32)
