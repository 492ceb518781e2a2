"""The two towers as ONNX files: what the product runs without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xinglin.errors import CheckpointError, MissingExtraError
from xinglin.model.align.networks import Aligned
from xinglin.model.align.runtime import PLACES, SENTENCES
from xinglin.model.quiet import quiet_loggers
from xinglin.model.runtime import open_session
from xinglin.model.sizes import CLS, SEP
from xinglin.model.vision.export import EXPORTER, named

TOLERANCE = 1e-3
"""Largest difference to torch with which an export is kept; the vectors have length 1."""


def export_towers(model: Aligned, folder: Path, identity: str, samples: NDArray[np.float32]) -> None:
    """Write ``model.onnx`` (places) and ``text.onnx`` (sentences) into a folder; the caller seals it anew.

    Args:
        model: in evaluation mode.
        folder: of the checkpoint.
        identity: the checkpoint's id, noted in both files.
        samples: two scaled windows (2, z, y, x) to compare with torch on.

    Raises:
        MissingExtraError: onnx or onnxscript are not installed.
        CheckpointError: an export disagrees with torch.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401  (torch's exporter needs it and fails late without)
    except ModuleNotFoundError as error:
        raise MissingExtraError("xinglin train align", "train") from error
    whole = torch.export.Dim.DYNAMIC
    images = torch.from_numpy(samples[:2])[:, None].contiguous()
    ids = torch.tensor([[CLS, 7, 9, SEP], [CLS, 8, SEP, 0]])
    with quiet_loggers(*EXPORTER):
        _trace(
            model.places.to(memory_format=torch.contiguous_format),  # type: ignore[call-overload]
            {"images": (images, dict.fromkeys((0, 2, 3, 4), whole))},
            folder / PLACES,
        )
        words = {"input_ids": ids, "attention_mask": (ids > 0).long()}
        _trace(
            model.sentences,
            {key: (value, {0: whole, 1: whole}) for key, value in words.items()},
            folder / SENTENCES,
        )
    for name in (PLACES, SENTENCES):
        named(folder / name, identity)
    _agrees(model.places, folder / PLACES, {"images": images})
    _agrees(model.sentences, folder / SENTENCES, words)


def _trace(tower: nn.Module, inputs: dict[str, tuple[Tensor, dict[int, Any]]], path: Path) -> None:
    import onnx

    program = torch.onnx.export(
        tower.eval(),
        tuple(value for value, _ in inputs.values()),
        input_names=list(inputs),
        output_names=["vectors"],
        dynamic_shapes=tuple(shape for _, shape in inputs.values()),
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise CheckpointError(
            f"{path.name}: torch exported nothing: check the versions of torch and onnxscript"
        )
    onnx.save(program.model_proto, str(path))


def _agrees(tower: nn.Module, path: Path, inputs: dict[str, Tensor]) -> None:
    with torch.no_grad():
        expected = tower(*inputs.values()).numpy()
    found = open_session(path, 1).run(["vectors"], {key: value.numpy() for key, value in inputs.items()})[0]
    delta = float(np.abs(found - expected).max())
    if not delta <= TOLERANCE:  # asked so that NaN is refused as well
        raise CheckpointError(
            f"{path.name}: disagrees with torch by {delta:.2g}: report it with your versions"
        )
