"""Target ``onnx-int8``: matrices in 8 bits, by the scales that are there.

In this order: the scales that the checkpoint was trained for; static ones from a calibration set, where one is given;
dynamic. A detector keeps the INT8 file that was made, with calibration on its own windows, when it was trained.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from xinglin.errors import CheckpointError
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.model.quantisation import FILE as GRIDS
from xinglin.model.runtime import FP32, INT8
from xinglin.release.export.dynamic import write_int8
from xinglin.release.export.graphs import float_graph
from xinglin.release.export.onnx_run import open_file
from xinglin.release.export.probe import Runner
from xinglin.release.export.static import write_static
from xinglin.release.export.targets import Calibration


def export(folder: Path, out: Path, calibration: Calibration = None, /) -> list[Path]:
    """Write ``model.int8.onnx``.

    Raises:
        CheckpointError: the checkpoint cannot be traced, or is a detector without its INT8 file.
        InvalidInputError: the graph is quantised already, or the calibration set is too small or constant.
    """
    import onnx

    checkpoint = verify_checkpoint(folder)
    path = out / INT8
    if checkpoint.manifest["kind"] == "detector":
        if INT8 not in checkpoint.manifest["files"]:
            raise CheckpointError(f"{folder}: expected {INT8} of the detector's training; there is none")
        shutil.copyfile(folder / INT8, path)
        return [path]
    graph = float_graph(folder)
    if calibration is not None and not (folder / GRIDS).is_file():
        onnx.save(write_static(graph, folder, calibration), str(path))
        return [path]
    between = out / f".{FP32}"
    try:
        onnx.save(graph, str(between))
        write_int8(folder, between, path)
    finally:
        between.unlink(missing_ok=True)
    return [path]


def runner(out: Path, /) -> tuple[Runner, str]:
    """Open ``model.int8.onnx`` on ONNX Runtime.

    Raises:
        CheckpointError: damaged, NaN scales, or an operator is missing.
    """
    if not (out / INT8).is_file():
        raise CheckpointError(f"{out}: expected {INT8}; there is none: export it again")
    return open_file(out / INT8)
