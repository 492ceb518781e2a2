"""An exported graph on ONNX Runtime, with a complaint that names the node where it cannot be run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import CheckpointError
from xinglin.model.runtime import open_session
from xinglin.release.export.graphs import read_graph, refused
from xinglin.release.export.probe import Feed, Runner
from xinglin.release.export.qdq import require_scales


def open_file(path: Path) -> tuple[Runner, str]:
    """Open an ONNX file with this package's settings, one thread; its first output is the answer.

    Raises:
        CheckpointError: damaged, NaN scales, or an operator is missing: the node is named.
    """
    import onnxruntime

    model = read_graph(path)
    require_scales(model)
    try:
        session = open_session(path, 1)
    except CheckpointError as error:
        raise refused("ONNX Runtime", model, error) from error
    first = session.get_outputs()[0].name

    def run(feed: Feed) -> NDArray[np.float32]:
        found: NDArray[np.float32] = session.run([first], dict(feed))[0]
        return found

    return run, f"onnxruntime {onnxruntime.__version__}, {session.get_providers()[0]}"
