"""The shipped detector as ONNX Runtime runs it: what INT8 is worth."""

from __future__ import annotations

import time

import numpy as np
import pytest

from xinglin.model.shipped import shipped_folder
from xinglin.model.vision.runtime import InstanceMaps


def test_int8_is_faster_than_fp32_and_says_nearly_the_same() -> None:
    """Processor time, the best of several turns: the machine of the tests is shared."""
    images = np.random.default_rng(0).uniform(-1, 0.5, (8, 20, 32, 32)).astype(np.float32)
    networks = {
        kind: InstanceMaps.load(shipped_folder("lung-nodules"), precision=kind) for kind in ("fp32", "int8")
    }
    maps = {kind: network.maps(images) for kind, network in networks.items()}
    spent: dict[str, list[float]] = {"fp32": [], "int8": []}
    for _ in range(5):
        for kind, network in networks.items():
            begun = time.process_time()
            network.maps(images)
            spent[kind].append(time.process_time() - begun)
    assert min(spent["int8"]) < min(spent["fp32"])
    assert np.corrcoef(maps["int8"][:, 0].ravel(), maps["fp32"][:, 0].ravel())[0, 1] > 0.98


def test_the_first_and_the_last_convolution_of_int8_stay_in_float() -> None:
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(str(shipped_folder("lung-nodules") / "model.int8.onnx")).graph
    made_by = {name: node.op_type for node in graph.node for name in node.output}
    whole = [made_by.get(node.input[1]) for node in graph.node if node.op_type == "Conv"]
    assert whole == [None, *["DequantizeLinear"] * 6, None]  # None: a weight as it is
