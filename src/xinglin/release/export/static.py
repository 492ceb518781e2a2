"""Static INT8 after training: the grids of activations are taken from calibration texts, the rest is as in training for it.

Ranges are ONNX Runtime's own (``onnxruntime.quantization.calibrate``): least and largest, a percentile, or the cut of least
entropy (Migacz 2017). The nodes are written by :mod:`~xinglin.release.export.qdq`: exclusions and weights are the same.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from xinglin.errors import InvalidInputError, MissingExtraError
from xinglin.model.quantisation import Grid
from xinglin.model.quiet import quiet_loggers
from xinglin.release.export.probe import Feed
from xinglin.release.export.qdq import linear_weights, matched, quantise_rows, require_float, write_qdq

if TYPE_CHECKING:
    from onnx import ModelProto

Method = Literal["minmax", "percentile", "entropy"]
LEAST = 32
"""Fewest calibration inputs."""
MOST = 512
"""Inputs that are read of a larger set, evenly spread."""
PERCENTILE = 99.99


def write_static(
    model: ModelProto, folder: Path, inputs: Sequence[Feed], method: Method = "minmax"
) -> ModelProto:
    """Return a float graph of a checkpoint in 8 bits, with scales from calibration.

    Args:
        model: is left as it is.
        folder: the checkpoint, for its matrices.
        inputs: what shows which values occur.
        method: how a range follows from them.

    Raises:
        InvalidInputError: too few inputs, all of them the same, an activation that never varies or is not finite, an unknown
            method, or a graph that is quantised already.
        MissingExtraError: onnx is not installed.
    """
    if method not in get_args(Method):
        raise InvalidInputError(f"method: expected one of {', '.join(get_args(Method))}, got {method!r}")
    _require_varied(inputs)
    require_float(model)
    weights = linear_weights(folder)
    places = matched(model.graph, weights)
    readers = {node.name: node.input[0] for node in model.graph.node if node.name in places}
    ranges = _ranges(model, inputs[:: max(1, len(inputs) // MOST)], set(readers.values()), method)
    grids = {}
    for node, tensor in readers.items():
        try:
            grids[places[node]] = Grid.of_range(*ranges[tensor])
        except InvalidInputError as error:
            raise InvalidInputError(f"calibration: input of {places[node]}: {error}") from None
    made = type(model)()
    made.CopyFrom(model)
    write_qdq(made, weights, grids)
    quantise_rows(made)
    return made


def _require_varied(inputs: Sequence[Feed]) -> None:
    if len(inputs) < LEAST:
        raise InvalidInputError(f"calibration: expected at least {LEAST} inputs, got {len(inputs)}")
    first = inputs[0]
    if all(
        feed[name].shape == first[name].shape and (feed[name] == first[name]).all()
        for feed in inputs
        for name in first
    ):
        raise InvalidInputError(
            f"calibration: expected inputs that differ, got one of them {len(inputs)} times"
        )


def _ranges(
    model: ModelProto, inputs: Sequence[Feed], tensors: set[str], method: Method
) -> dict[str, tuple[float, float]]:
    try:
        import onnx
        from onnxruntime.quantization.calibrate import CalibrationMethod, create_calibrator
    except ModuleNotFoundError as error:
        raise MissingExtraError("static INT8", "train") from error
    how = {
        "minmax": (CalibrationMethod.MinMax, {}),
        "percentile": (CalibrationMethod.Percentile, {"percentile": PERCENTILE}),
        "entropy": (CalibrationMethod.Entropy, {}),
    }[method]
    silent = redirect_stdout(io.StringIO())  # the calibration tells its steps with print as well
    with tempfile.TemporaryDirectory() as place, quiet_loggers("root"), silent:
        path = Path(place) / "float.onnx"
        onnx.save(model, str(path))
        calibrator: Any = create_calibrator(
            str(path),
            op_types_to_calibrate=["MatMul"],
            augmented_model_path=str(Path(place) / "augmented.onnx"),
            calibrate_method=how[0],
            extra_options=how[1],
        )
        for feed in inputs:  # one by one: the histograms take no tensors of unlike length together
            calibrator.collect_data(_Reader([feed]))
        found = calibrator.compute_data().data
    ends = {name: found[name].range_value for name in tensors}
    return {name: (float(np.min(low)), float(np.max(high))) for name, (low, high) in ends.items()}


class _Reader:
    """Inputs one by one, as the calibration of ONNX Runtime wants them."""

    def __init__(self, inputs: Sequence[Feed]) -> None:
        self._rest = iter(inputs)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next input, or ``None`` at the end."""
        feed = next(self._rest, None)
        return None if feed is None else dict(feed)
