"""Dynamic INT8: weights in 8 bits on disk, activations scaled as they come.

What stays in float, and why (a 4-layer, 256-wide classifier trained on 3,835 questions, 400 others to compare,
spread of the logits 3.2; figures are the largest and mean difference of a logit to fp32):

* everything in INT8, embeddings with one scale: 0.084, 0.0157; first label as in fp32 99.75 %
* a scale for each row of the embedding: 0.082, 0.0138, for 64 KB more
* the head's dense layer and the classifier in float: 0.065, 0.0084, 100 %. They are a few per cent of the file and
  run once a text rather than once a token, so float costs no time; and their error goes straight into the logits
* any layer's attention or feed-forward matrices in float instead: no difference that can be seen. They stay INT8

``reduce_range`` (7 bits) is no detail: without VNNI the kernels of x86 add pairs of 8-bit products in 16 bits and
saturate. With the full range the largest difference was 0.87 on such a machine, ten times as much, and would be
another on the next machine. Attention, softmax, norms and rotary positions have no constant operand and stay float.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from xinglin.errors import CheckpointError, MissingExtraError
from xinglin.model.checkpoint import amending, verify_checkpoint
from xinglin.model.runtime import FP32, INT8

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

EMBEDDING = "tok_embeddings.weight"
HEAD = ("whole.head.", "whole.classifier.")
"""How the initializers of the head are called in the exported graph."""


def quantise_int8(folder: Path, *, keep_fp32: bool = True) -> Path:
    """Quantise ``model.onnx`` to ``model.int8.onnx`` in the same folder and seal it anew; its id stays the same.

    Args:
        folder: a checkpoint with ``model.onnx`` (:func:`xinglin.release.export_onnx`).
        keep_fp32: whether ``model.onnx`` stays; it is four times as large, and the runtime prefers INT8.

    Raises:
        CheckpointError: the checkpoint does not verify, or there is no ``model.onnx`` of ours.
        MissingExtraError: onnx is not installed.
    """
    checkpoint = verify_checkpoint(folder)
    if FP32 not in checkpoint.manifest["files"]:
        raise CheckpointError(
            f"{folder}: expected {FP32}; there is none: export it first (xinglin release export)"
        )
    with amending(folder) as new:
        _quantise_file(new / FP32, new / INT8)
        if not keep_fp32:
            (new / FP32).unlink()
    return folder / INT8


def _quantise_file(source: Path, target: Path) -> None:
    try:
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ModuleNotFoundError as error:
        raise MissingExtraError("xinglin release export --int8", "train") from error
    model = onnx.load(str(source))
    _quantise_rows(model)
    with _quiet():
        quantize_dynamic(
            model,
            str(target),
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_head(model.graph),
        )
    small = onnx.load(str(target))
    del small.metadata_props[:]
    small.metadata_props.extend(model.metadata_props)  # which checkpoint it is of
    onnx.checker.check_model(small)
    onnx.save(small, str(target))


def _quantise_rows(model: ModelProto) -> None:
    """Store the token embedding in 8 bits with a scale for each row: gather both, then multiply.

    ONNX Runtime's own quantiser gives the whole matrix one scale, set by its largest entry.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    place, gather = next(
        (
            (i, n)
            for i, n in enumerate(graph.node)
            if n.op_type == "Gather" and n.input[0].endswith(EMBEDDING)
        ),
        (-1, None),
    )
    if gather is None:
        raise CheckpointError(
            f"{FP32}: has no Gather over {EMBEDDING}: export it again (xinglin release export)"
        )
    stored = next(item for item in graph.initializer if item.name == gather.input[0])
    weights = numpy_helper.to_array(stored)
    scale = np.maximum(np.abs(weights).max(axis=1, keepdims=True), 1e-12) / 127
    graph.initializer.remove(stored)
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.rint(weights / scale).astype(np.int8), f"{EMBEDDING}.rows"),
            numpy_helper.from_array(scale.astype(np.float32), f"{EMBEDDING}.scales"),
        ]
    )
    ids, out = gather.input[1], gather.output[0]
    graph.node.remove(gather)
    nodes = [
        helper.make_node("Gather", [f"{EMBEDDING}.rows", ids], ["embedding_int8"], "embedding_rows"),
        helper.make_node(
            "Cast", ["embedding_int8"], ["embedding_cast"], "embedding_cast", to=TensorProto.FLOAT
        ),
        helper.make_node("Gather", [f"{EMBEDDING}.scales", ids], ["embedding_scale"], "embedding_scales"),
        helper.make_node("Mul", ["embedding_cast", "embedding_scale"], [out], "embedding_scaled"),
    ]
    for node in reversed(nodes):
        graph.node.insert(place, node)


def _head(graph: GraphProto) -> list[str]:
    """Names of the nodes that read a weight of the head, also as the quantiser renames a Gemm before it starts."""
    names = [
        node.name
        for node in graph.node
        if node.op_type in ("MatMul", "Gemm") and any(name.startswith(HEAD) for name in node.input)
    ]
    if len(names) != len(HEAD):
        raise CheckpointError(
            f"{FP32}: expected a dense layer and a classifier in the head; found {len(names)}"
        )
    return [*names, *(f"{name}_MatMul" for name in names)]


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser advises a pre-processing on the root logger; dynamic quantisation gains nothing by it."""
    log = logging.getLogger()
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
