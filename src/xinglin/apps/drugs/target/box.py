"""The box that is searched, and how it is placed around a ligand or residues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError

Array = NDArray[np.float64]

PADDING = 4.0
"""Ångström beyond the outermost reference atom, on every side."""
LEAST, MOST = 20.0, 30.0
"""Shortest and longest edge, Ångström: AutoDock Vina's own example searches 20, dockstring (Garcia-Ortegon et al.
2022) 30; larger boxes want a higher exhaustiveness."""


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned box in the receptor's frame."""

    center: tuple[float, float, float]
    """Ångström."""
    size: tuple[float, float, float]
    """Lengths of the edges, Ångström."""
    origin: str = ""
    """How it was placed: ``ligand STI``, ``residues``, ``detected 1 of 5``, ``stated``."""

    def __post_init__(self) -> None:
        numbers = np.array([*self.center, *self.size], float)
        if not np.isfinite(numbers).all() or min(self.size) <= 0 or max(self.size) > 126:
            raise InvalidInputError(
                f"box: expected finite numbers and edges in (0, 126] Å, got {self.center}, {self.size}"
            )

    def holds(self, points: Array) -> NDArray[np.bool_]:
        """Whether each of ``points`` (n x 3, Å) lies within."""
        half = np.asarray(self.size) / 2
        return np.asarray((np.abs(np.asarray(points) - self.center) <= half).all(axis=-1))

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values; ``center`` and ``size`` as AutoDock Vina names them."""
        return {"center": list(self.center), "size": list(self.size), "origin": self.origin}

    @staticmethod
    def from_json(body: Any) -> Box:
        """Return a box from ``as_json``.

        Raises:
            InvalidInputError: not a box.
        """
        try:
            center, size = (tuple(float(value) for value in body[key]) for key in ("center", "size"))
            origin = str(body.get("origin", "stated"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidInputError("box: expected {center: [x, y, z], size: [x, y, z]} in Å") from error
        if len(center) != 3 or len(size) != 3:
            raise InvalidInputError("box: expected three numbers for center and for size")
        return Box(center, size, origin)


def box_around(points: Array, origin: str, *, padding: float = PADDING) -> Box:
    """Return the box around atoms: their extent and ``padding``, no edge shorter than 20 nor longer than 30 Å.

    Args:
        points: n x 3, Å.
        origin: how it was placed.
        padding: Å on every side.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    middle = (low + high) / 2
    edges = np.clip(high - low + 2 * padding, LEAST, MOST)
    x, y, z = (round(float(value), 3) for value in middle)
    a, b, c = (round(float(value), 3) for value in edges)
    return Box((x, y, z), (a, b, c), origin)
