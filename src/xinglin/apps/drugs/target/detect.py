"""Where a ligand may bind, from the shape of the protein alone: a grid method after LIGSITE.

Hendlich, Rippmann and Barnickel, LIGSITE, J Mol Graph Model 1997, 15:359: a grid point outside the protein is buried
when lines through it, along three axes and four diagonals, meet protein on both sides. We differ in two ways: a line
counts only where it meets protein within 10 grid steps on both sides, and sites are not connected components (in which
neighbouring grooves run together) but the places with most buried volume within 6 Å.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.drugs.target.box import LEAST, Box
from xinglin.errors import InvalidInputError

Array = NDArray[np.float64]

SPACING = 1.0
"""Of the grid, Ångström."""
PROBE = 3.0
"""A point closer than this to an atom other than hydrogen belongs to the protein, Ångström (as in LIGSITE)."""
REACH = 10
"""Grid steps within which a line must meet protein."""
ENCLOSED = 5
"""Of seven lines, how many must be closed on both sides."""
RADIUS = 6.0
"""Of the ball in which buried volume is counted, Ångström."""
APART = 10.0
"""Between the centres of two pockets, Ångström."""
LEAST_VOLUME = 60.0
"""Buried volume within the ball, cubic Ångström, below which there is no pocket."""
MOST_POINTS = 20_000_000
LINES = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1), (1, 1, -1), (1, -1, 1), (-1, 1, 1))


@dataclass(frozen=True, slots=True)
class Pocket:
    """A place where a ligand may bind."""

    center: tuple[float, float, float]
    """Å."""
    volume: float
    """Buried volume within ``RADIUS``, cubic Å."""

    def box(self, rank: int, of: int) -> Box:
        """Return the box around it."""
        return Box(self.center, (LEAST, LEAST, LEAST), f"detected {rank} of {of}")


def find_pockets(atoms: Array, most: int = 5) -> list[Pocket]:
    """Return pockets, the largest buried volume first; empty where the protein has none.

    Args:
        atoms: n x 3 positions of atoms other than hydrogen, Å.
        most: pockets at most.

    Raises:
        InvalidInputError: the structure is too wide for the grid.
    """
    from scipy.ndimage import maximum_filter

    margin = PROBE + 2
    low = atoms.min(axis=0) - margin
    shape = tuple(int(n) for n in np.ceil((atoms.max(axis=0) + margin - low) / SPACING).astype(int) + 1)
    if np.prod(shape) > MOST_POINTS:
        raise InvalidInputError(
            f"a grid of {np.prod(shape):,} points is too large: keep the chain that binds"
        )
    inside = _protein(atoms, low, shape)
    enclosed = np.zeros(shape, np.uint8)
    for line in LINES:
        enclosed += _meets(inside, line) & _meets(inside, tuple(-step for step in line))
    buried = (enclosed >= ENCLOSED) & ~inside
    volume = _in_ball(buried)
    near = int(APART / SPACING)
    peaks = np.argwhere((volume == maximum_filter(volume, size=near)) & (volume * SPACING**3 >= LEAST_VOLUME))
    order = np.argsort(-volume[tuple(peaks.T)], kind="stable")
    found: list[Pocket] = []
    for place in peaks[order]:
        point = low + _middle(buried, place) * SPACING
        if all(np.linalg.norm(point - other.center) >= APART for other in found):
            x, y, z = (round(float(value), 3) for value in point)
            found.append(Pocket((x, y, z), round(float(volume[tuple(place)]) * SPACING**3, 1)))
        if len(found) == most:
            break
    return found


def _protein(atoms: Array, low: Array, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Whether each grid point lies within ``PROBE`` of an atom: exact, by the atoms' neighbouring points."""
    inside = np.zeros(shape, bool)
    reach = int(np.ceil(PROBE / SPACING)) + 1
    steps = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    nearest = np.rint((atoms - low) / SPACING).astype(int)
    for step in steps:
        point = nearest + step
        close = np.linalg.norm(low + point * SPACING - atoms, axis=1) < PROBE
        kept = point[close & ((point >= 0) & (point < shape)).all(axis=1)]
        inside[tuple(kept.T)] = True
    return inside


def _meets(inside: NDArray[np.bool_], line: tuple[int, ...]) -> NDArray[np.bool_]:
    """Whether the line from each point meets protein within ``REACH`` steps."""
    met = np.zeros_like(inside)
    for step in range(1, REACH + 1):
        here, there = [], []
        for n, direction in zip(inside.shape, line, strict=True):
            shift = direction * step
            here.append(slice(max(0, -shift), n - max(0, shift)))
            there.append(slice(max(0, shift), n - max(0, -shift)))
        met[tuple(here)] |= inside[tuple(there)]
    return met


def _ball() -> NDArray[np.bool_]:
    reach = int(RADIUS / SPACING)
    offsets = np.arange(-reach, reach + 1) * SPACING
    squares = offsets[:, None, None] ** 2 + offsets[None, :, None] ** 2 + offsets[None, None, :] ** 2
    return np.asarray(squares <= RADIUS**2)


def _in_ball(buried: NDArray[np.bool_]) -> Array:
    from scipy.signal import fftconvolve

    return np.asarray(
        np.rint(fftconvolve(buried.astype(np.float64), _ball().astype(np.float64), mode="same"))
    )


def _middle(buried: NDArray[np.bool_], place: NDArray[np.int64]) -> Array:
    """Centroid of the buried points within the ball around a grid point."""
    points = np.argwhere(buried)
    near = points[np.linalg.norm(points - place, axis=1) * SPACING <= RADIUS]
    return np.asarray(near.mean(axis=0))
