"""A checkpoint as the source of an export: its network with named inputs, and the answers that every export is held to.

Classifiers of text, decoders of tokens, detectors of images. Needs torch and transformers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xinglin.errors import CheckpointError
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.model.sizes import PAD
from xinglin.release.export.probe import Feed
from xinglin.types import Checkpoint


class Next(nn.Module):
    """A causal language model without its cache: token ids (rows, length) -> logits (rows, length, vocabulary)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.whole = model

    def forward(self, input_ids: Tensor) -> Tensor:
        """Return the logits of the next token at every place."""
        found: Tensor = self.whole(input_ids=input_ids, use_cache=False).logits
        return found


@dataclass(frozen=True, eq=False)
class Source:
    """A verified checkpoint with its network, ready to answer; build it with :func:`open_source`."""

    folder: Path
    checkpoint: Checkpoint
    module: nn.Module
    """Takes the inputs in order; its answer, or the first of its answers, is what exports are compared in."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    example: tuple[Tensor, ...]
    """Inputs to trace with; no size of one that could be taken for a constant."""
    free: tuple[dict[int, str], ...]
    """Axes of each input that stay free, by name."""

    @property
    def kind(self) -> str:
        """Of the checkpoint."""
        return str(self.checkpoint.manifest["kind"])

    def run(self, feed: Feed) -> NDArray[np.float32]:
        """Return the network's answer by torch in 32 bits."""
        with torch.no_grad():
            given = [torch.from_numpy(np.ascontiguousarray(feed[name])) for name in self.inputs]
            found = self.module(*given)
        answer: NDArray[np.float32] = (found[0] if isinstance(found, tuple) else found).numpy()
        return answer


def open_source(folder: Path) -> Source:
    """Open a checkpoint to be exported.

    Raises:
        CheckpointError: it does not verify, or is of a kind that is not exported.
    """
    checkpoint = verify_checkpoint(folder)
    kind = checkpoint.manifest["kind"]
    opened = {"classifier": _classifier, "decoder": _decoder, "detector": _detector}
    if kind not in opened:
        raise CheckpointError(
            f"{folder}: expected a classifier, decoder or detector, it is an {kind}: an encoder is fine-tuned first "
            "(xinglin train diagnosis); aligned towers get their ONNX files when they are trained"
        )
    return opened[kind](folder, checkpoint)


def _classifier(folder: Path, checkpoint: Checkpoint) -> Source:
    from xinglin.release.export.trace import Both, load

    ids = torch.full((2, 12), PAD + 5)
    mask = torch.ones_like(ids)
    ids[1, 7:], mask[1, 7:] = PAD, 0
    axes = {0: "batch", 1: "length"}
    return Source(
        folder,
        checkpoint,
        Both(load(folder)).eval(),
        ("input_ids", "attention_mask"),
        ("logits", "pooled"),
        (ids, mask),
        (axes, axes),
    )


def _decoder(folder: Path, checkpoint: Checkpoint) -> Source:
    from xinglin.model.decoder.opening import open_decoder
    from xinglin.release.export.trace import quiet
    from xinglin.train.quantize.experts import apart

    with quiet():
        model = open_decoder(folder, options={"attn_implementation": "eager"}).model
    module = Next(apart(model)).eval()
    ids = torch.arange(5, 5 + 18).reshape(2, 9) % int(model.config.vocab_size)
    return Source(
        folder, checkpoint, module, ("input_ids",), ("logits",), (ids,), ({0: "batch", 1: "length"},)
    )  # fmt: skip


def _detector(folder: Path, checkpoint: Checkpoint) -> Source:
    from xinglin.model.vision.networks import read_network

    network, _ = read_network(folder)
    axes = {0: "batch", 2: "z", 3: "y", 4: "x"}
    return Source(
        folder,
        checkpoint,
        network.to(memory_format=torch.contiguous_format).eval(),  # type: ignore[call-overload]
        ("images",),
        ("maps",),
        (torch.zeros(2, 1, 20, 32, 36),),
        (axes,),
    )
