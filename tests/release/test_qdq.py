"""8-bit nodes are written where they belong, and nowhere else; what a runtime cannot run is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from xinglin.errors import CheckpointError, InvalidInputError  # noqa: E402
from xinglin.model.quantisation import ACTIVATION_LEVELS, Grid, quantise_weights  # noqa: E402
from xinglin.release.export.onnx_run import open_file  # noqa: E402
from xinglin.release.export.qdq import matched, unmatched, write_qdq  # noqa: E402
from xinglin.release.export.static import LEAST, write_static  # noqa: E402

DRAW = np.random.default_rng(0)
MATRICES = {
    "first": DRAW.normal(size=(6, 4)).astype(np.float32),
    "second": DRAW.normal(size=(5, 6)).astype(np.float32),
    "head": DRAW.normal(size=(3, 5)).astype(np.float32),
}
NAMED = {name: matrix for name, matrix in MATRICES.items() if name != "head"}


def graph(opset: int = 17) -> Any:
    """Three layers, as an exporter writes them: transposed constants without names, a Gemm at the end."""
    constants = [
        numpy_helper.from_array(np.ascontiguousarray(MATRICES["first"].T), "val_1"),
        numpy_helper.from_array(np.ascontiguousarray(MATRICES["second"].T), "val_2"),
        numpy_helper.from_array(MATRICES["head"], "val_3"),
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "val_1"], ["a"], "one"),
        helper.make_node("Relu", ["a"], ["b"], "between"),
        helper.make_node("MatMul", ["b", "val_2"], ["c"], "two"),
        helper.make_node("Gemm", ["c", "val_3"], ["logits"], "three", transB=1),
    ]
    return helper.make_model(
        helper.make_graph(
            nodes,
            "layers",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 4])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", 3])],
            constants,
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=8,
    )


def rounded(values: Any, grid: Grid) -> Any:
    levels = np.clip(np.rint(values / np.float32(grid.scale)) + grid.zero, 0, ACTIVATION_LEVELS)
    return ((levels - grid.zero) * np.float32(grid.scale)).astype(np.float32)


def test_the_graph_computes_what_the_formulas_say() -> None:
    grids = {"first": Grid.of_range(-3, 3), "second": Grid.of_range(0, 9)}
    model = graph()
    assert write_qdq(model, NAMED, grids) == 2
    onnx.checker.check_model(model)
    x = DRAW.normal(size=(50, 4)).astype(np.float32)
    found = onnxruntime.InferenceSession(model.SerializeToString()).run(["logits"], {"x": x})[0]
    steps = {}
    for name in NAMED:
        levels, scales = quantise_weights(MATRICES[name])
        steps[name] = levels * scales[:, None]
    hidden = np.maximum(rounded(x, grids["first"]) @ steps["first"].T, 0)
    expected = rounded(hidden, grids["second"]) @ steps["second"].T @ MATRICES["head"].T
    close = np.isclose(found, expected, atol=1e-5).all(1)
    assert close.mean() > 0.9, "a sum in another order may turn one level"
    np.testing.assert_allclose(found, expected, atol=0.5)
    exact = onnxruntime.InferenceSession(graph().SerializeToString()).run(["logits"], {"x": x})[0]
    assert np.abs(found - exact).max() > 1e-3, "nothing was rounded"


def test_both_runtimes_run_it_with_the_same_numbers(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    from xinglin.release.export.openvino_ir import open_ir

    model = graph()
    write_qdq(model, NAMED, {"first": Grid.of_range(-3, 3), "second": Grid.of_range(0, 9)})
    onnx.save(model, str(tmp_path / "m.onnx"))
    ours, theirs = open_file(tmp_path / "m.onnx")[0], open_ir(tmp_path / "m.onnx")[0]
    x = DRAW.normal(size=(200, 4)).astype(np.float32)
    one, other = ours({"x": x}), theirs({"x": x})
    assert np.isclose(one, other, atol=1e-4).all(1).mean() > 0.98


def test_nodes_are_known_by_their_matrix() -> None:
    assert matched(graph().graph, MATRICES) == {"one": "first", "two": "second", "three": "head"}
    assert unmatched(graph().graph, NAMED) == ["three"]
    with pytest.raises(CheckpointError, match="no MatMul over third"):
        write_qdq(graph(), NAMED, {"third": Grid(0.1, 3)})


def test_readers_of_one_tensor_share_its_nodes() -> None:
    model = graph()
    more = np.ascontiguousarray((2 * MATRICES["first"]).T)
    model.graph.initializer.append(numpy_helper.from_array(more, "val_4"))
    model.graph.node.insert(1, helper.make_node("MatMul", ["x", "val_4"], ["unread"], "beside"))
    grid = Grid.of_range(-3, 3)
    matrices = NAMED | {"other": 2 * MATRICES["first"]}
    write_qdq(model, matrices, {"first": grid, "other": grid, "second": Grid.of_range(0, 9)})
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("QuantizeLinear") == 2
    assert kinds.count("DequantizeLinear") == 2 + 3


def test_quantised_already_is_refused_with_the_node() -> None:
    model = graph()
    write_qdq(model, NAMED, {"first": Grid(0.1, 3)})
    with pytest.raises(InvalidInputError, match=r"quantised already \(node first\.weight\.dq, operator Dequ"):
        write_qdq(model, NAMED, {"second": Grid(0.1, 3)})
    with pytest.raises(InvalidInputError, match="opset 13 or later, got 11"):
        write_qdq(graph(11), NAMED, {"first": Grid(0.1, 3)})


def written(folder: Path) -> Path:
    from safetensors.numpy import save_file

    save_file({f"{name}.weight": matrix for name, matrix in MATRICES.items()}, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize("method", ["minmax", "percentile", "entropy"])
def test_static_scales_come_from_what_occurs(tmp_path: Path, method: Any) -> None:
    inputs = [{"x": DRAW.normal(size=(1 + i % 3, 4)).astype(np.float32)} for i in range(LEAST)]
    model = graph()
    made = write_static(model, written(tmp_path), inputs, method)
    assert not any("Linear" in node.op_type for node in model.graph.node), "the float graph stays"
    assert [node.op_type for node in made.graph.node][-1] == "Gemm"
    x = np.concatenate([feed["x"] for feed in inputs])
    exact, found = (
        onnxruntime.InferenceSession(item.SerializeToString()).run(["logits"], {"x": x})[0]
        for item in (model, made)
    )
    assert 0 < np.abs(found - exact).mean() < 0.2 * exact.std()
    if method == "minmax":
        scale = next(item for item in made.graph.initializer if item.name == "first.input.scale")
        span = max(x.max(), 0) - min(x.min(), 0)
        assert numpy_helper.to_array(scale) == pytest.approx(span / 255, rel=1e-5)


def test_a_calibration_set_that_shows_nothing_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path)
    one = {"x": np.ones((1, 4), np.float32)}
    with pytest.raises(InvalidInputError, match=f"at least {LEAST} inputs, got 3"):
        write_static(graph(), folder, [one] * 3)
    with pytest.raises(InvalidInputError, match="expected inputs that differ"):
        write_static(graph(), folder, [one] * LEAST)
    same = [{"x": np.full((1 + i % 2, 4), -1, np.float32)} for i in range(LEAST)]
    with pytest.raises(InvalidInputError, match="input of first: expected values that vary"):
        write_static(graph(), folder, same)
    broken = [{"x": np.full((1, 4), np.nan if i else 1, np.float32)} for i in range(LEAST)]
    with pytest.raises(InvalidInputError, match=r"input of first: expected (a finite range|values)"):
        write_static(graph(), folder, broken)


def test_an_operator_that_a_runtime_lacks_is_named_with_its_node(tmp_path: Path) -> None:
    model = graph()
    model.graph.node[1].CopyFrom(helper.make_node("Swizzle", ["a"], ["b"], "twist", domain="some.vendor"))
    model.opset_import.append(helper.make_opsetid("some.vendor", 1))
    onnx.save(model, str(tmp_path / "m.onnx"))
    with pytest.raises(
        CheckpointError, match=r"ONNX Runtime cannot run.*node twist, operator some\.vendor:Swizzle"
    ):
        open_file(tmp_path / "m.onnx")
    pytest.importorskip("openvino")
    from xinglin.release.export.openvino_ir import open_ir

    with pytest.raises(CheckpointError, match=r"OpenVINO cannot run.*operator some\.vendor:Swizzle"):
        open_ir(tmp_path / "m.onnx")


def test_what_is_no_graph_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"\x08\x07garbage", b"\xff" * 50, graph().SerializeToString()[:100]):
        (tmp_path / "m.onnx").write_bytes(content)
        with pytest.raises(CheckpointError, match="damaged or none"):
            open_file(tmp_path / "m.onnx")
