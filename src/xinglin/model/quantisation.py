"""How a network is written in 8 bits: what stays in float, the grids, and the file that keeps trained scales.

Weights: symmetric int8, a scale for each output channel. Activations: uint8 with a zero point, one scale a tensor. The
formulas are those of ONNX ``QuantizeLinear`` and ``DequantizeLinear`` (opset 13 and later), rounding half to even.

Weights use 7 of the 8 bits, -64 to 64. Without VNNI the kernels of x86 add pairs of u8 x s8 products in 16 bits and
saturate at 32,767 = beyond 2 x 255 x 64; with the full range the same file would give other numbers on other machines.
64 is a power of two: a weight that lies on its grid gives the same grid, bit by bit, when it is quantised again.

Router, norms, head and everything without a matrix stay in float.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import CheckpointError, InvalidInputError
from xinglin.model.parts import read_json

FILE = "quantization.json"
"""Beside the weights of a checkpoint that was trained for 8 bits: the scale and zero point of every activation."""
FORMAT = 1
WEIGHT_LEVELS = 64
"""Largest magnitude of a quantised weight."""
ROW_LEVELS = 127
"""The same for the rows of an embedding, which are looked up and never multiplied in 8 bits."""
ACTIVATION_LEVELS = 255
SMALLEST = 1e-12
"""Least magnitude from which a scale is made: a channel of zeros has one too."""
FLOAT = frozenset({"head", "classifier", "lm_head", "router", "gate", "score"})
"""Parts of a name that keep a matrix in float: what decides (the head) and what sends tokens to experts."""
MOST = 100_000
"""Activations that a file may name."""
Floats = NDArray[np.float32]


def stays_float(name: str) -> bool:
    """Return whether the matrix of that dotted name keeps its 32 bits."""
    parts = name.split(".")
    # A detector's pooling attention is its head; the attention of its encoder is not at the top.
    return parts[0] == "attention" or not FLOAT.isdisjoint(parts)


def weight_scales(weights: Floats) -> Floats:
    """Return one scale for each row of a matrix (outputs, inputs)."""
    scales: NDArray[np.float32] = np.maximum(np.abs(weights).max(axis=1), SMALLEST) / WEIGHT_LEVELS
    return scales.astype(np.float32)


def quantise_weights(weights: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Return a matrix (outputs, inputs) in 8 bits and its scales, one a row."""
    scales = weight_scales(weights)
    levels = np.rint(weights / scales[:, None])
    return np.clip(levels, -WEIGHT_LEVELS, WEIGHT_LEVELS).astype(np.int8), scales


@dataclass(frozen=True, slots=True)
class Grid:
    """Scale and zero point of an activation: ``value = scale * (level - zero)``, levels 0 to 255."""

    scale: float
    zero: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise InvalidInputError(
                f"scale: expected a finite number above 0, got {self.scale}: the range of this activation was "
                "not learnt, or the model gives NaN"
            )
        if not 0 <= self.zero <= ACTIVATION_LEVELS:
            raise InvalidInputError(f"zero point: expected 0 to {ACTIVATION_LEVELS}, got {self.zero}")

    @staticmethod
    def of_range(low: float, high: float) -> Grid:
        """Return the grid over a range, widened so that 0 lies on it.

        Raises:
            InvalidInputError: a bound is not finite, or the range is a single point: a constant tells no scale.
        """
        if not (math.isfinite(low) and math.isfinite(high)):
            raise InvalidInputError(f"expected a finite range of an activation, got {low} to {high}")
        if high <= low:
            raise InvalidInputError(
                f"expected values that vary, got {low} throughout: calibrate on texts that differ"
            )
        # In 32 bits throughout, as the training has it: the scale that is written is the scale that was felt.
        least, most = np.float32(min(low, 0.0)), np.float32(max(high, 0.0))
        scale = np.maximum((most - least) / np.float32(ACTIVATION_LEVELS), np.float32(SMALLEST))
        return Grid(float(scale), int(np.clip(np.rint(-least / scale), 0, ACTIVATION_LEVELS)))

    @property
    def range(self) -> tuple[float, float]:
        """The least and the largest value on the grid."""
        return -self.zero * self.scale, (ACTIVATION_LEVELS - self.zero) * self.scale


def write_grids(folder: Path, grids: Mapping[str, Grid], settings: Mapping[str, Any]) -> None:
    """Write the grids of a network's activations, by the name of the matrix that reads them."""
    body = {
        "format": FORMAT,
        "settings": dict(settings),
        "activations": {name: [grid.scale, grid.zero] for name, grid in sorted(grids.items())},
    }
    text = json.dumps(body, indent=1, allow_nan=False) + "\n"
    (folder / FILE).write_text(text, encoding="utf-8")


def read_grids(folder: Path) -> dict[str, Grid]:
    """Read what :func:`write_grids` wrote.

    Raises:
        CheckpointError: broken, of another format, or a scale that is no finite number above 0.
    """
    body = read_json(folder / FILE)
    named = body.get("activations")
    if body.get("format") != FORMAT or not isinstance(named, dict) or not 0 < len(named) <= MOST:
        raise CheckpointError(f"{FILE}: expected format {FORMAT} with activations by name; train it again")
    found = {}
    for name, pair in named.items():
        right = isinstance(pair, list) and len(pair) == 2 and type(pair[1]) is int
        if not right or not isinstance(pair[0], (int, float)) or isinstance(pair[0], bool):
            raise CheckpointError(f"{FILE}: {name[:80]}: expected [scale, zero point]")
        try:
            found[name] = Grid(float(pair[0]), pair[1])
        except InvalidInputError as error:
            raise CheckpointError(f"{FILE}: {name[:80]}: {error}") from None
    return found
