"""Quantisation-aware fine-tuning of a text classifier: the same loop, data and head as in float, 8 bits felt on the way.

A short run from a classifier that was fine-tuned in float (``head="kept"``) at a low rate is what is meant: the weights move
to where rounding costs least, they do not learn the task anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xinglin.model.checkpoint import amending, verify_checkpoint
from xinglin.model.quantisation import write_grids
from xinglin.train.finetune import Floats, Targets, fine_tune
from xinglin.train.quantize.aware import QuantizeOptions, as_settings, fold, insert
from xinglin.types import Checkpoint

if TYPE_CHECKING:
    from xinglin.train.card import Described
    from xinglin.train.loop import Report
    from xinglin.train.options import FineTuneOptions


def fine_tune_quantised(
    checkpoint: Path,
    texts: Sequence[str],
    targets: Targets,
    names: Sequence[str],
    options: FineTuneOptions,
    out: Path,
    *,
    name: str,
    data: Sequence[Described],
    quantize: QuantizeOptions | None = None,
    weights: Floats | None = None,
    metrics: Mapping[str, Any] | None = None,
    limits: str = "",
    report: Report | None = None,
) -> Checkpoint:
    """Fine-tune a classifier with fake quantisation and save it with its weights on their grid and its scales.

    Args:
        checkpoint: folder of a classifier or an encoder.
        texts: examples.
        targets: as :func:`xinglin.train.finetune.fine_tune`.
        names: of the classes.
        options: settings of fine-tuning.
        out: folder of the new checkpoint; plain ``transformers`` loads it.
        name: in the manifest.
        data: what it was trained on, for the manifest.
        quantize: settings of the quantisation.
        weights: of the examples.
        metrics: for the manifest.
        limits: what it must not be used for.
        report: progress.

    Raises:
        InvalidInputError, CheckpointError, TrainingError: as ``fine_tune``; or an activation that never varied.
    """
    quantize = quantize or QuantizeOptions()
    classifier = fine_tune(
        checkpoint,
        texts,
        targets,
        names,
        options,
        weights=weights,
        prepare=lambda model: insert(model, quantize),
        state=out.with_name(f".{out.name}.run"),
        report=report,
    )
    grids = fold(classifier.model)
    settings = as_settings(quantize, grids)
    classifier.save(
        out, name=name, data=data, metrics=metrics or {}, settings={"quantize": settings}, limits=limits
    )
    with amending(out) as new:
        write_grids(new, grids, settings)
    return verify_checkpoint(out)
