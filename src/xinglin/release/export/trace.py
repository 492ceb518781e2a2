"""A checkpoint traced to an ONNX graph. Needs torch; only the export opens this file."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification
from transformers.models.modernbert.modeling_modernbert import ModernBertAttention

from xinglin.errors import CheckpointError
from xinglin.model.quiet import quiet_loggers, quiet_transformers
from xinglin.model.runtime import OF_CHECKPOINT
from xinglin.model.tokenizer import load_tokenizer
from xinglin.release.export.source import Source


class Both(nn.Module):
    """The classifier with two outputs: logits, and the mean over tokens that the head reads."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.whole = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return (rows, labels) and (rows, width)."""
        states = self.whole.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        pooled = (states * mask).sum(1) / mask.sum(1)
        return self.whole.classifier(self.whole.head(pooled)), pooled


def load(folder: Path) -> Any:
    """Return the model in 32 bits, ready to answer.

    Raises:
        CheckpointError: it is not a ModernBERT with mean pooling, which is all that is exported here.
    """
    # Eager attention writes the masks as plain sums: a fifth fewer nodes than the fused one, same numbers.
    with quiet():
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, local_files_only=True, dtype=torch.float32, attn_implementation="eager"
        )
    pooling = getattr(model.config, "classifier_pooling", None)
    if model.config.model_type != "modernbert" or pooling != "mean":
        raise CheckpointError(
            f"{folder}: expected a modernbert with classifier_pooling mean, got {model.config.model_type} with "
            f"{pooling}: train it with xinglin train"
        )
    return model.eval()


def trace(source: Source) -> ModelProto:
    """Return the ONNX graph of a checkpoint, with the axes free that the source says; it names the checkpoint.

    Raises:
        CheckpointError: torch cannot trace it.
    """
    with quiet(), _short_attention():
        try:
            program = torch.onnx.export(
                source.module,
                source.example,
                input_names=list(source.inputs),
                output_names=list(source.outputs),
                dynamic_shapes=tuple(dict.fromkeys(axes, torch.export.Dim.DYNAMIC) for axes in source.free),
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise CheckpointError(f"{source.folder}: {_reason(error)}") from error
    if program is None:
        raise CheckpointError(
            f"{source.folder}: torch exported nothing: check the versions of torch and onnxscript"
        )
    graph: ModelProto = program.model_proto
    _without_traces(graph, source)
    graph.metadata_props.add(key=OF_CHECKPOINT, value=source.checkpoint.id)
    return graph


def _reason(error: BaseException) -> str:
    """What torch could not trace: the node that one of the causes names, and the innermost cause, with the operator."""
    node = None
    while error.__cause__ is not None:
        error = error.__cause__
        node = node or re.search(r"translating node %(\w+)", str(error))
    told = " ".join(str(error).split())[:300]
    where = f"node {node[1]}, " if node else ""
    return f"{where}operator: ONNX has none for it, or it cannot be traced ({type(error).__name__}: {told})"


@contextmanager
def _short_attention() -> Iterator[None]:
    """Trace attention in the fewest nodes: at a clinic's text lengths a node costs as much as its arithmetic.

    The numbers are those of ``transformers``, which every export is compared with (:func:`.export_onnx`).
    """
    original = ModernBertAttention.forward
    ModernBertAttention.forward = _attention  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        ModernBertAttention.forward = original  # type: ignore[method-assign]


def _attention(
    self: Any,
    hidden_states: Tensor,
    position_embeddings: tuple[Tensor, Tensor],
    attention_mask: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Eager attention of ``ModernBertAttention``: queries and keys are turned together."""
    rows, length, width = hidden_states.shape
    heads, half = width // self.head_dim, self.head_dim // 2
    qkv = self.Wqkv(hidden_states).view(rows, length, 3 * heads, self.head_dim).transpose(1, 2)
    both, value = qkv.split([2 * heads, heads], dim=1)
    cos, sin = (part.unsqueeze(1) for part in position_embeddings)
    sign = torch.cat((-torch.ones(half), torch.ones(half)))
    front, back = both.split(half, dim=-1)
    both = both * cos + torch.cat((back, front), dim=-1) * (sin * sign)
    query, key = both.split(heads, dim=1)
    scores = query @ key.transpose(2, 3) * self.head_dim**-0.5
    if attention_mask is not None:
        scores = scores + attention_mask
    mixed = (scores.softmax(-1) @ value).transpose(1, 2).reshape(rows, length, width)
    return self.Wo(mixed), None


def _without_traces(model: ModelProto, source: Source) -> None:
    """Drop what the exporter notes of its own run: source lines with paths of this machine."""
    graph = model.graph
    for item in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    graph.ClearField("value_info")
    names = dict(zip(source.inputs, source.free, strict=True))
    for value in (*graph.input, *graph.output):
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            name = names.get(value.name, {0: "batch"}).get(axis)
            if name is not None:
                dim.dim_param = name


@torch.no_grad()
def torch_logits(folder: Path, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the logits by torch in 32 bits, one text at a time; each at most one window long."""
    model, tokenizer = load(folder), load_tokenizer(folder)
    rows = []
    for text in texts:
        ids = torch.tensor([tokenizer.encode(text).ids])
        rows.append(model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits)
    found: NDArray[np.float32] = torch.cat(rows).numpy()
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Keep loading bars and the exporter's notes on torchvision and its own deprecations from the user."""
    with quiet_loggers("torch.onnx"), quiet_transformers(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
