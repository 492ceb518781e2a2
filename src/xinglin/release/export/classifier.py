"""A classifier as ONNX: the graph that the core runs without torch.

``model.onnx`` comes from torch's own exporter over plain ``transformers``: inputs ``input_ids`` and
``attention_mask`` of any batch and length, outputs ``logits`` and ``pooled`` (the mean over tokens that the head
reads). The file names the checkpoint it came from, and the folder is replaced whole or not at all.
"""

from __future__ import annotations

from pathlib import Path

from xinglin.errors import CheckpointError, MissingExtraError
from xinglin.model.checkpoint import amending, reseal_checkpoint, verify_checkpoint
from xinglin.model.runtime import FP32
from xinglin.release.export.probe import EXACT, FLOOR
from xinglin.release.export.report import parity, sample_texts

_SAMPLES = 16


def export_onnx(folder: Path) -> Path:
    """Export a classifier to ``model.onnx`` in its folder and seal the folder anew; its id stays the same.

    Raises:
        CheckpointError: the checkpoint does not verify or is no classifier, or the export disagrees with torch.
        MissingExtraError: torch, transformers or onnx are not installed.
    """
    checkpoint = verify_checkpoint(folder)
    if checkpoint.manifest["kind"] != "classifier":
        raise CheckpointError(
            f"{folder}: expected a classifier, it is an {checkpoint.manifest['kind']}: fine-tune it first "
            "(xinglin train diagnosis)"
        )
    try:
        import onnx
        import onnxscript  # noqa: F401  (torch's exporter needs it and fails late without)

        from xinglin.release.export.source import open_source
        from xinglin.release.export.trace import trace
    except ModuleNotFoundError as error:
        raise MissingExtraError("xinglin release export", "train") from error
    with amending(folder) as new:
        onnx.save(trace(open_source(new)), str(new / FP32))
        reseal_checkpoint(new)
        found = parity(new, "fp32", sample_texts(_SAMPLES))
        allowed = max(FLOOR, EXACT.delta * found.spread)
        if not found.max_delta <= allowed:  # asked so that NaN is refused as well
            raise CheckpointError(
                f"{folder}: the export disagrees with torch: logits differ by up to {found.max_delta:.2g} at a "
                f"spread of {found.spread:.2g}; nothing was changed: report it with your versions of torch and onnx"
            )
    return folder / FP32
