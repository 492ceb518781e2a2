"""Matrices of an exported graph in 8 bits, as QuantizeLinear and DequantizeLinear nodes with scales that are given.

The scales come from training (``quantization.json``) or from calibration (``static``); this file only writes them. A node is
known by its constant operand, which is one of the checkpoint's matrices transposed; the exporter gives it no name. Two
readers of one tensor with one grid share the pair of nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import CheckpointError, InvalidInputError
from xinglin.model.parts import WEIGHTS
from xinglin.model.quantisation import ROW_LEVELS, SMALLEST, Grid, quantise_weights, stays_float

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

Floats = NDArray[np.float32]
QUANTISED = frozenset(
    {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "QLinearMatMul"}
)
EMBEDDED = ("tok_embeddings.weight", "embed_tokens.weight")
OPSET = 13
"""First opset with a scale for each channel."""


def write_qdq(model: ModelProto, matrices: Mapping[str, Floats], grids: Mapping[str, Grid]) -> int:
    """Write every matrix that has a grid in 8 bits, in place.

    Args:
        model: in float.
        matrices: (outputs, inputs) by layer, as :func:`linear_weights` reads them.
        grids: of the inputs, by layer.

    Returns:
        How many matrices were written.

    Raises:
        InvalidInputError: the graph is quantised already, or its opset is too old.
        CheckpointError: a layer that has a grid is not in the graph.
    """
    from onnx import helper, numpy_helper

    require_float(model)
    graph = model.graph
    places = matched(graph, matrices)
    missing = sorted(set(grids) - set(places.values()))
    if missing:
        raise CheckpointError(
            f"the graph has no MatMul over {', '.join(missing[:3])}: it was exported from other weights; export it again"
        )
    shared: dict[tuple[str, Grid], str] = {}
    rebuilt: list[NodeProto] = []
    for node in graph.node:
        layer = places.get(node.name)
        if layer is not None and layer in grids:
            name = f"{layer}.weight"
            levels, scales = quantise_weights(matrices[layer])
            transposed = node.op_type == "MatMul" or not _attribute(node, "transB")
            graph.initializer.extend(
                [
                    numpy_helper.from_array(np.ascontiguousarray(levels.T if transposed else levels), f"{name}.levels"),
                    numpy_helper.from_array(scales, f"{name}.scales"),
                    numpy_helper.from_array(np.zeros(len(scales), np.int8), f"{name}.zeros"),
                ]
            )  # fmt: skip
            parts = [f"{name}.{part}" for part in ("levels", "scales", "zeros")]
            rebuilt.append(
                helper.make_node(
                    "DequantizeLinear", parts, [f"{name}.float"], f"{name}.dq", axis=1 if transposed else 0
                )
            )
            key = (node.input[0], grids[layer])
            if key not in shared:
                shared[key] = f"{layer}.input"
                rebuilt += _pair(graph, node.input[0], grids[layer], f"{layer}.input")
            node.input[0] = f"{shared[key]}.float"
            node.input[1] = f"{name}.float"
        rebuilt.append(node)
    del graph.node[:]
    graph.node.extend(rebuilt)
    _drop_unread(graph)
    return len(set(places.values()) & set(grids))


def _pair(graph: GraphProto, tensor: str, grid: Grid, name: str) -> list[NodeProto]:
    from onnx import helper, numpy_helper

    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(grid.scale, np.float32), f"{name}.scale"),
            numpy_helper.from_array(np.array(grid.zero, np.uint8), f"{name}.zero"),
        ]
    )
    scale = [f"{name}.scale", f"{name}.zero"]
    return [
        helper.make_node("QuantizeLinear", [tensor, *scale], [f"{name}.levels"], f"{name}.q"),
        helper.make_node("DequantizeLinear", [f"{name}.levels", *scale], [f"{name}.float"], f"{name}.dq"),
    ]


def require_float(model: ModelProto) -> None:
    """Check that a graph is in float and new enough.

    Raises:
        InvalidInputError: it holds quantised nodes, which are named, or has an opset below 13.
    """
    found = next((node for node in model.graph.node if node.op_type in QUANTISED), None)
    if found is not None:
        raise InvalidInputError(
            f"expected a graph in float; it is quantised already (node {found.name or '?'}, operator "
            f"{found.op_type}): start from model.onnx"
        )
    opset = max((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), default=0)
    if opset < OPSET:
        raise InvalidInputError(f"expected opset {OPSET} or later, got {opset}: export it again")


def matched(graph: GraphProto, matrices: Mapping[str, Floats]) -> dict[str, str]:
    """Return the layer of each MatMul or Gemm node by the node's name, where its constant operand is a layer's matrix.

    Of layers with equal matrices each node takes the next one, in the order of the graph.
    """
    from onnx import numpy_helper

    known: dict[str, list[str]] = {}
    for layer, matrix in matrices.items():
        known.setdefault(_digest(matrix), []).append(layer)
    constants = {item.name: item for item in graph.initializer}
    given: dict[str, str] = {}
    found = {}
    for node in graph.node:
        if node.op_type not in ("MatMul", "Gemm") or node.input[1] not in constants:
            continue
        if node.input[1] not in given:
            value = numpy_helper.to_array(constants[node.input[1]])
            outwards = value if node.op_type == "Gemm" and _attribute(node, "transB") else value.T
            layers = known.get(_digest(outwards))
            if not layers:
                continue
            given[node.input[1]] = layers.pop(0) if len(layers) > 1 else layers[0]
        found[node.name] = given[node.input[1]]
    return found


def unmatched(graph: GraphProto, matrices: Mapping[str, Floats]) -> list[str]:
    """Return the MatMul and Gemm nodes over constants that are none of the matrices: what stays in float."""
    places = matched(graph, matrices)
    constants = {item.name for item in graph.initializer}
    return [
        node.name
        for node in graph.node
        if node.op_type in ("MatMul", "Gemm") and node.input[1] in constants and node.name not in places
    ]


def linear_weights(folder: Path) -> dict[str, Floats]:
    """Return the matrices of a checkpoint that are written in 8 bits, (outputs, inputs) by layer; experts one by one."""
    from safetensors.numpy import load_file

    found: dict[str, Floats] = {}
    for name, tensor in load_file(folder / WEIGHTS).items():
        layer = name.removesuffix(".weight")
        if not np.issubdtype(tensor.dtype, np.floating) or stays_float(layer) or name.endswith(EMBEDDED):
            continue
        if tensor.ndim == 2 and layer != name:
            found[layer] = tensor.astype(np.float32)
        elif tensor.ndim == 3 and name.endswith((".gate_up_proj", ".down_proj")):
            base, _, kind = name.rpartition(".")
            for place, matrix in enumerate(tensor.astype(np.float32)):
                found[f"{base}.experts.{place}.{kind.removesuffix('_proj')}"] = matrix
    return found


def quantise_rows(model: ModelProto) -> bool:
    """Store the token embedding in 8 bits with a scale for each row: gather both, then multiply.

    ONNX Runtime's own quantiser gives the whole matrix one scale, set by its largest entry. An embedding that the head
    shares stays in float.

    Returns:
        Whether there was one.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    place, gather = next(
        ((i, n) for i, n in enumerate(graph.node) if n.op_type == "Gather" and n.input[0].endswith(EMBEDDED)),
        (-1, None),
    )
    if gather is None or sum(gather.input[0] in node.input for node in graph.node) > 1:
        return False
    name = gather.input[0]
    stored = next(item for item in graph.initializer if item.name == name)
    weights = numpy_helper.to_array(stored)
    scale = np.maximum(np.abs(weights).max(axis=1, keepdims=True), SMALLEST) / ROW_LEVELS
    graph.initializer.remove(stored)
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.rint(weights / scale).astype(np.int8), f"{name}.rows"),
            numpy_helper.from_array(scale.astype(np.float32), f"{name}.scales"),
        ]
    )
    ids, out = gather.input[1], gather.output[0]
    graph.node.remove(gather)
    nodes = [
        helper.make_node("Gather", [f"{name}.rows", ids], ["embedding_int8"], "embedding_rows"),
        helper.make_node(
            "Cast", ["embedding_int8"], ["embedding_cast"], "embedding_cast", to=TensorProto.FLOAT
        ),
        helper.make_node("Gather", [f"{name}.scales", ids], ["embedding_scale"], "embedding_scales"),
        helper.make_node("Mul", ["embedding_cast", "embedding_scale"], [out], "embedding_scaled"),
    ]
    for node in reversed(nodes):
        graph.node.insert(place, node)
    return True


def _drop_unread(graph: GraphProto) -> None:
    read = {name for node in graph.node for name in node.input} | {item.name for item in graph.output}
    kept = [item for item in graph.initializer if item.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _digest(matrix: Floats) -> str:
    shape = str(matrix.shape).encode()
    return sha256(shape + np.ascontiguousarray(matrix, np.float32).tobytes()).hexdigest()


def _attribute(node: Any, name: str) -> int:
    return next((item.i for item in node.attribute if item.name == name), 0)


def scales_of(model: ModelProto) -> Iterator[tuple[str, Floats]]:
    """Yield every scale that a graph's QuantizeLinear and DequantizeLinear nodes read, by node."""
    from onnx import numpy_helper

    constants = {item.name: item for item in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear") and node.input[1] in constants:
            yield node.name, numpy_helper.to_array(constants[node.input[1]])


def require_scales(model: ModelProto) -> None:
    """Check that every scale is a finite number above 0.

    Raises:
        CheckpointError: names the node.
    """
    for name, scales in scales_of(model):
        if not (np.isfinite(scales).all() and (scales > 0).all()):
            raise CheckpointError(
                f"node {name}: expected scales that are finite and above 0: the file is damaged or its calibration failed"
            )
