"""Target ``openvino``: OpenVINO's intermediate representation, in 8 bits where scales are known, else in 32.

Static scales only: OpenVINO has no dynamic ones of the same meaning. Precision is forced to float32 outside of the quantised
matrices: on newer CPUs OpenVINO computes in bfloat16 by default, and the numbers would not be those that were probed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import CheckpointError, MissingExtraError
from xinglin.model.quantisation import FILE as GRIDS
from xinglin.model.runtime import FP32, INT8
from xinglin.release.export import onnx_float, onnx_int8
from xinglin.release.export.graphs import read_graph, refused
from xinglin.release.export.probe import Feed, Runner
from xinglin.release.export.targets import Calibration

XML, BIN = "openvino.xml", "openvino.bin"
SETTINGS = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}


def export(folder: Path, out: Path, calibration: Calibration = None, /) -> list[Path]:
    """Write ``openvino.xml`` and ``openvino.bin``.

    Raises:
        MissingExtraError: openvino is not installed.
        CheckpointError: the checkpoint cannot be traced, or an operator is missing: the node is named.
    """
    openvino = _library()
    quantised = (folder / GRIDS).is_file() or calibration is not None
    with tempfile.TemporaryDirectory() as place:
        between = Path(place)
        (onnx_int8 if quantised else onnx_float).export(folder, between, calibration)
        path = between / (INT8 if quantised else FP32)
        try:
            model = openvino.Core().read_model(str(path))
        except RuntimeError as error:
            raise refused("OpenVINO", read_graph(path), error) from error
        openvino.save_model(model, str(out / XML), compress_to_fp16=False)
    return [out / XML, out / BIN]


def runner(out: Path, /) -> tuple[Runner, str]:
    """Open the representation on OpenVINO's CPU device, one thread.

    Raises:
        MissingExtraError: openvino is not installed.
        CheckpointError: damaged or missing.
    """
    return open_ir(out / XML)


def open_ir(path: Path) -> tuple[Runner, str]:
    """Open an intermediate representation or an ONNX file on OpenVINO's CPU device, one thread.

    Raises:
        MissingExtraError: openvino is not installed.
        CheckpointError: damaged or missing.
    """
    openvino = _library()
    try:
        compiled = openvino.Core().compile_model(str(path), "CPU", SETTINGS)
    except RuntimeError as error:
        if path.suffix == ".onnx":
            raise refused("OpenVINO", read_graph(path), error) from error
        raise CheckpointError(
            f"{path.name}: OpenVINO cannot read it ({' '.join(str(error).split())[:200]}): export it again"
        ) from error
    answer = compiled.output(0)

    def run(feed: Feed) -> NDArray[np.float32]:
        found: NDArray[np.float32] = compiled(dict(feed))[answer].copy()
        return found

    return run, f"openvino {openvino.__version__.split('-')[0]}, CPU, float32 outside INT8"


def _library() -> Any:
    """The library's own module."""
    try:
        import openvino
    except ModuleNotFoundError as error:
        raise MissingExtraError("xinglin model export --to openvino", "edge") from error
    return openvino
