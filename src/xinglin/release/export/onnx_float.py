"""Target ``onnx``: the graph in 32 bits."""

from __future__ import annotations

from pathlib import Path

from xinglin.errors import CheckpointError
from xinglin.model.runtime import FP32
from xinglin.release.export.graphs import float_graph
from xinglin.release.export.onnx_run import open_file
from xinglin.release.export.probe import Runner
from xinglin.release.export.targets import Calibration


def export(folder: Path, out: Path, calibration: Calibration = None, /) -> list[Path]:
    """Write ``model.onnx``.

    Raises:
        CheckpointError: the checkpoint cannot be traced.
    """
    import onnx

    path = out / FP32
    onnx.save(float_graph(folder), str(path))
    return [path]


def runner(out: Path, /) -> tuple[Runner, str]:
    """Open ``model.onnx`` on ONNX Runtime.

    Raises:
        CheckpointError: damaged, or an operator is missing.
    """
    if not (out / FP32).is_file():
        raise CheckpointError(f"{out}: expected {FP32}; there is none: export it again")
    return open_file(out / FP32)
