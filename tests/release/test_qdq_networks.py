"""Experts, molecules and the 3-D transformer as QDQ graphs: what was felt in training is what the file computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from tests.train.quantize.networks import NETWORKS, answer  # noqa: E402
from xinglin.release.export.onnx_run import open_file  # noqa: E402
from xinglin.release.export.qdq import matched, write_qdq  # noqa: E402
from xinglin.release.export.source import Next, Source  # noqa: E402
from xinglin.release.export.trace import trace  # noqa: E402
from xinglin.train.quantize import fold, insert  # noqa: E402
from xinglin.train.quantize.aware import quantised_linears  # noqa: E402
from xinglin.types import Checkpoint  # noqa: E402

LAYERS = {"experts": 24, "molecules": 14, "vision": 12}


@pytest.mark.slow
@pytest.mark.parametrize("kind", LAYERS)
def test_the_file_computes_what_was_felt(kind: str, tmp_path: Path) -> None:
    import onnx

    torch.manual_seed(0)
    model, given = NETWORKS[kind]()
    insert(model)
    model.train()
    for _ in range(5):
        answer(model, given)
    model.eval()
    with torch.no_grad():
        felt = answer(model, given).numpy()
    grids = fold(model)
    matrices = {name: layer.weight.detach().numpy() for name, layer in quantised_linears(model).items()}
    graph = trace(source(kind, model, given))
    assert write_qdq(graph, matrices, grids) == LAYERS[kind]
    float_nodes = [node for node in graph.graph.node if node.op_type in ("MatMul", "Gemm")]
    assert len(float_nodes) > LAYERS[kind], "attention has products of its own, in float"
    assert not matched(graph.graph, matrices), "every matrix was written"
    onnx.save(graph, str(tmp_path / "m.onnx"))
    feed = {name: value.numpy() for name, value in given.items()}
    found = open_file(tmp_path / "m.onnx")[0](feed)
    assert found.shape == felt.shape
    # Sums in another order turn a level here and there.
    assert np.abs(found - felt).mean() < 0.01 * felt.std()
    pytest.importorskip("openvino")
    from xinglin.release.export.openvino_ir import open_ir

    other = open_ir(tmp_path / "m.onnx")[0](feed)
    assert np.abs(other - found).mean() < 0.01 * felt.std()


def test_an_operator_that_onnx_lacks_is_named() -> None:
    from xinglin.errors import CheckpointError

    class Odd(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.special.bessel_j0(x).sum(1, keepdim=True)

    checkpoint = Checkpoint("0" * 64, "", {"kind": "classifier"})
    odd = Source(Path("odd"), checkpoint, Odd(), ("x",), ("y",), (torch.ones(2, 3),), ({0: "batch"},))
    with pytest.raises(CheckpointError, match=r"odd: node bessel_j0, operator.*prims\.bessel_j0"):
        trace(odd)


def source(kind: str, model: Any, given: dict[str, Any]) -> Source:
    checkpoint = Checkpoint("0" * 64, "", {"kind": "detector" if kind == "vision" else "decoder"})
    if kind == "vision":
        return Source(Path(), checkpoint, model, ("images",), ("maps",), (given["images"],), ({0: "batch"},))
    ids = torch.randint(5, 40, (2, 7))
    axes = ({0: "batch", 1: "length"},)
    return Source(Path(), checkpoint, Next(model).eval(), ("input_ids",), ("logits",), (ids,), axes)
