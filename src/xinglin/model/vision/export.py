"""A nodule network as ONNX, fp32 and INT8: what the product runs without torch.

INT8 is static: activations are scaled by what real windows show once, weights per channel (QDQ). So an answer does not
depend on what else is in the batch, as it would with dynamic scales. The first convolution stays in float: it has one
channel, and ONNX Runtime's INT8 convolution, which multiplies the channels of a place at once, is seven times slower on it.
The head stays in float: it is a hundredth of the arithmetic, and its error would go straight into logits and millimetres.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from xinglin.errors import CheckpointError, MissingExtraError
from xinglin.model.quiet import quiet_loggers
from xinglin.model.runtime import FP32, INT8, OF_CHECKPOINT, open_session

EXPORTER = ("torch.onnx", "onnxscript", "onnx_ir", "root")
"""Loggers with which torch's exporter tells the terminal of its passes."""
TOLERANCE = 1e-3
"""Largest difference of a map to torch with which an export is kept."""


def export_maps(network: nn.Module, folder: Path, identity: str, samples: NDArray[np.float32]) -> None:
    """Write ``model.onnx`` and ``model.int8.onnx`` into a folder; the caller seals it anew.

    Args:
        network: in evaluation mode.
        folder: of the checkpoint.
        identity: the checkpoint's id, noted in both files.
        samples: scaled windows (n, z, y, x) that show which values occur.

    Raises:
        MissingExtraError: onnx or onnxscript are not installed.
        CheckpointError: the export disagrees with torch.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  (torch's exporter needs it and fails late without)
        from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ModuleNotFoundError as error:
        raise MissingExtraError("xinglin train nodules", "train") from error
    with quiet_loggers(*EXPORTER):
        _trace(network, folder / FP32, identity)
        _agrees(network, folder / FP32, samples[:2])
        prepared = folder / ".prepared.onnx"
        try:
            quant_pre_process(str(folder / FP32), str(prepared), skip_symbolic_shape=True)
            model = onnx.load(str(prepared))
            convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
            quantize_static(
                str(prepared),
                str(folder / INT8),
                _Reader(samples),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                nodes_to_exclude=[convolutions[0], convolutions[-1]],
                op_types_to_quantize=["Conv", "Add"],
            )
        finally:
            prepared.unlink(missing_ok=True)
    named(folder / INT8, identity)


class _Reader:
    """Windows one by one, as the calibration of ONNX Runtime wants them."""

    def __init__(self, samples: NDArray[np.float32]) -> None:
        self._rest = iter(samples)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next window, or ``None`` at the end."""
        sample = next(self._rest, None)
        return None if sample is None else {"images": sample[None, None]}


def _trace(network: nn.Module, path: Path, identity: str) -> None:
    dims = dict.fromkeys((0, 2, 3, 4), torch.export.Dim.DYNAMIC)
    example = torch.zeros(2, 1, 20, 32, 36)
    program = torch.onnx.export(
        network.to(memory_format=torch.contiguous_format).eval(),  # type: ignore[call-overload]
        (example,),
        input_names=["images"],
        output_names=["maps"],
        dynamic_shapes=(dims,),
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise CheckpointError(
            f"{path.name}: torch exported nothing: check the versions of torch and onnxscript"
        )
    import onnx

    onnx.save(program.model_proto, str(path))
    named(path, identity)


def named(path: Path, identity: str) -> None:
    """Note the checkpoint, and drop what the exporter notes of its own run: source lines with paths."""
    import onnx

    model = onnx.load(str(path))
    graph = model.graph
    for item in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    graph.ClearField("value_info")
    model.metadata_props.add(key=OF_CHECKPOINT, value=identity)
    onnx.save(model, str(path))


def _agrees(network: nn.Module, path: Path, samples: NDArray[np.float32]) -> None:
    with torch.no_grad():
        expected = network(torch.from_numpy(samples)[:, None]).numpy()
    found = open_session(path, 1).run(["maps"], {"images": samples[:, None]})[0]
    delta = float(np.abs(found - expected).max())
    if not delta <= TOLERANCE * max(
        1.0, float(np.abs(expected).max())
    ):  # asked so that NaN is refused as well
        raise CheckpointError(
            f"{path.name}: disagrees with torch by {delta:.2g}: report it with your versions"
        )
