"""INT8: weights in 8 bits on disk; activations scaled as they come (dynamic), or by scales that were learnt (QDQ).

A checkpoint that was trained for 8 bits (``quantization.json``) gets QDQ nodes with its own scales. Any other gets dynamic
INT8, which needs no data. What stays in float there, and why (a 4-layer, 256-wide classifier trained on 3,835 questions, 400
others to compare, spread of the logits 3.2; figures are the largest and mean difference of a logit to fp32):

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

from pathlib import Path

from xinglin.errors import CheckpointError, MissingExtraError
from xinglin.model.checkpoint import amending, verify_checkpoint
from xinglin.model.parts import WEIGHTS
from xinglin.model.quantisation import FILE as GRIDS
from xinglin.model.quantisation import read_grids
from xinglin.model.quiet import quiet_loggers
from xinglin.model.runtime import FP32, INT8
from xinglin.model.weights import read_header
from xinglin.release.export.qdq import linear_weights, quantise_rows, require_float, unmatched, write_qdq

HEAD = "classifier.weight"
"""What a classifier's weights have and a decoder's have not."""


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
        write_int8(new, new / FP32, new / INT8)
        if not keep_fp32:
            (new / FP32).unlink()
    return folder / INT8


def write_int8(folder: Path, source: Path, target: Path) -> None:
    """Write a float graph of a checkpoint in 8 bits: with the scales it was trained for if it has them, else dynamic.

    Raises:
        InvalidInputError: the graph is quantised already.
        CheckpointError: the graph is not the checkpoint's.
        MissingExtraError: onnx is not installed.
    """
    try:
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ModuleNotFoundError as error:
        raise MissingExtraError("xinglin release export --int8", "train") from error
    model = onnx.load(str(source))
    require_float(model)
    weights = linear_weights(folder)
    left = unmatched(model.graph, weights)
    if (folder / GRIDS).is_file():
        write_qdq(model, weights, read_grids(folder))
        quantise_rows(model)
        onnx.save(model, str(target))
        return
    # A decoder may share its embedding with its head, which stays in float.
    if not quantise_rows(model) and HEAD in read_header(folder / WEIGHTS):
        raise CheckpointError(
            f"{source.name}: has no Gather over tok_embeddings.weight: export it again (xinglin release export)"
        )
    with quiet_loggers("root"):  # it advises a pre-processing; dynamic quantisation gains nothing by it
        quantize_dynamic(
            model,
            str(target),
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            # The quantiser turns a Gemm into a MatMul of that name before it starts.
            nodes_to_exclude=[*left, *(f"{name}_MatMul" for name in left)],
        )
    small = onnx.load(str(target))
    del small.metadata_props[:]
    small.metadata_props.extend(model.metadata_props)  # which checkpoint it is of
    onnx.checker.check_model(small)
    onnx.save(small, str(target))
