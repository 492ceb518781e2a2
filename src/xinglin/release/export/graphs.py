"""The float ONNX graph of a checkpoint, and whether a runtime has every operator of a graph."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from xinglin.errors import CheckpointError, MissingExtraError
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.model.runtime import FP32, OF_CHECKPOINT

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto


def float_graph(folder: Path) -> ModelProto:
    """Return the graph of a checkpoint in 32 bits: the one in its folder, else traced now.

    Raises:
        CheckpointError: the checkpoint does not verify, cannot be traced, or its file is of another one.
        MissingExtraError: torch, transformers or onnx are not installed.
    """
    checkpoint = verify_checkpoint(folder)
    try:
        import onnx
        import onnxscript  # noqa: F401  (torch's exporter needs it and fails late without)

        from xinglin.release.export.source import open_source
        from xinglin.release.export.trace import trace
    except ModuleNotFoundError as error:
        raise MissingExtraError("xinglin model export", "train") from error
    if FP32 not in checkpoint.manifest["files"]:
        return trace(open_source(folder))
    model = read_graph(folder / FP32)
    made_from = next((item.value for item in model.metadata_props if item.key == OF_CHECKPOINT), None)
    if made_from != checkpoint.id:
        raise CheckpointError(
            f"{FP32}: exported from checkpoint {str(made_from)[:12]}, the folder holds {checkpoint.id[:12]}: "
            "export it again (xinglin release export)"
        )
    return onnx.shape_inference.infer_shapes(model) if not model.graph.value_info else model


def read_graph(path: Path) -> ModelProto:
    """Read an ONNX file and check that it is one.

    Raises:
        CheckpointError: it is cut off, damaged, or no ONNX.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path.name}: expected an ONNX file; it is damaged or none ({' '.join(str(error).split())[:200]}): "
            "export it again"
        ) from None
    return model


def blamed(model: ModelProto, said: str) -> list[NodeProto]:
    """Return the nodes that a runtime's complaint is about: by their name, else by their operator."""
    words = set(re.findall(r"[A-Za-z0-9_./-]+", said))
    words |= {word.rpartition(".")[2] for word in words} | {word.strip(".") for word in words}
    named = [node for node in model.graph.node if node.name and node.name in words]
    return named or [node for node in model.graph.node if node.op_type in words]


def refused(target: str, model: ModelProto, error: Exception) -> CheckpointError:
    """Return the error that names what a target cannot run: node and operator."""
    said = " ".join(str(error).split())
    nodes = blamed(model, said)
    where = "; ".join(
        f"node {node.name or '?'}, operator {node.domain + ':' if node.domain else ''}{node.op_type}"
        for node in nodes[:5]
    )
    return CheckpointError(
        f"{target} cannot run this graph: {where or 'no single node is named'} ({said[:200]}): choose another target, "
        "or write the layer in operators that it has"
    )
