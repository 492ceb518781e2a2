"""Operators that ``onnx.reference`` answers wrongly or not at all at our sizes, as of onnx 1.23; needs onnx.

``GatherElements`` there gives up beyond 64 columns (``numpy.choose`` takes no more); ``Gelu`` is known to it only as a
function of a whole graph, not of a single node.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx.reference.op_run import OpRun
from scipy.special import erf


class GatherElements(OpRun):
    """Pick along one axis; the other axes of the data are cut to those of the indices, as the standard says."""

    op_domain = ""

    def _run(self, data: NDArray[Any], indices: NDArray[np.int64], axis: int = 0) -> tuple[NDArray[Any]]:
        place = axis % data.ndim
        cut = tuple(slice(None) if i == place else slice(indices.shape[i]) for i in range(data.ndim))
        return (np.take_along_axis(data[cut], indices, place),)


class Gelu(OpRun):
    """The Gaussian error linear unit, exact or by tanh, as the standard of opset 20 writes it."""

    op_domain = ""

    def _run(self, x: NDArray[Any], approximate: str = "none") -> tuple[NDArray[Any]]:
        if approximate == "tanh":
            share = 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
        else:
            share = 0.5 * (1 + erf(x / np.sqrt(2)))
        return ((x * share).astype(x.dtype),)


OPERATORS: tuple[type[OpRun], ...] = (GatherElements, Gelu)
