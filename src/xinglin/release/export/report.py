"""How near exported files are to the model they come from: differences, agreement, sizes, from one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import MissingExtraError
from xinglin.graph.load import starter
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.model.parts import WEIGHTS
from xinglin.model.runtime import FILES, Precision, TextClassifier
from xinglin.release.export.probe import difference

TEXTS = 200
"""Sample texts of a report."""


@dataclass(frozen=True, slots=True)
class Parity:
    """One exported file against torch in 32 bits."""

    precision: Precision
    bytes: int
    max_delta: float
    """Largest absolute difference of a logit."""
    mean_delta: float
    agreement: float
    """Share of the texts with the same first label."""
    spread: float
    """Standard deviation of torch's logits: what the differences are to be read against."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """Every exported file of a checkpoint against torch, on the same texts."""

    id: str
    """Of the checkpoint; an export does not change it."""
    texts: int
    weights_bytes: int
    """Size of model.safetensors."""
    parities: tuple[Parity, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)


def export_report(folder: Path, texts: Sequence[str] | None = None) -> ExportReport:
    """Compare every exported file in a checkpoint with torch.

    Args:
        folder: a checkpoint.
        texts: what to compare on, each at most one window long; default: findings of the graph's diseases, in
            words, which no reader wrote for this and no label depends on.

    Raises:
        CheckpointError: the checkpoint does not verify.
        MissingExtraError: torch or transformers are not installed.
    """
    checkpoint = verify_checkpoint(folder)
    chosen = sample_texts(TEXTS) if texts is None else list(texts)
    expected = _by_torch(folder, chosen)
    return ExportReport(
        id=checkpoint.id,
        texts=len(chosen),
        weights_bytes=(folder / WEIGHTS).stat().st_size,
        parities=tuple(
            _parity(folder, kind, chosen, expected)
            for kind, name in FILES.items()
            if name in checkpoint.manifest["files"]
        ),
    )


def parity(folder: Path, precision: Precision, texts: Sequence[str]) -> Parity:
    """Compare one exported file with torch.

    Raises:
        CheckpointError: the checkpoint does not verify or has no such file.
        MissingExtraError: torch or transformers are not installed.
    """
    return _parity(folder, precision, texts, _by_torch(folder, texts))


def _by_torch(folder: Path, texts: Sequence[str]) -> NDArray[np.float32]:
    try:
        from xinglin.release.export.trace import torch_logits
    except ModuleNotFoundError as error:
        raise MissingExtraError("xinglin release export", "train") from error
    return torch_logits(folder, texts)


def _parity(
    folder: Path, precision: Precision, texts: Sequence[str], expected: NDArray[np.float32]
) -> Parity:
    found = TextClassifier.load(folder, precision=precision).logits(texts)
    between = asdict(difference(found, expected))
    return Parity(precision=precision, bytes=(folder / FILES[precision]).stat().st_size, **between)


def sample_texts(count: int) -> list[str]:
    """Return texts with many findings and few, Chinese and English, without any draw."""
    return [text for text, _ in rendered_texts(count)]


def rendered_texts(count: int) -> list[tuple[str, str]]:
    """Return texts of the graph's diseases, many findings and few, Chinese and English, each with its disease."""
    knowledge = starter()
    texts = []
    for place, (disease, rows) in enumerate(islice(knowledge.by_disease.items(), count)):
        findings = [row.target for row in rows if row.relation == "has_finding"][: 1 + place % 12]
        if place % 5 == 4:
            told = ", ".join(knowledge.finding_codes[name].value.replace("-", " ") for name in findings)
            text = f"{20 + place % 60} year old with {told or 'no complaints'} for {1 + place % 9} days"
        else:
            text = f"患者{20 + place % 60}岁,{'、'.join(findings) or '无不适'}{1 + place % 9}天"
        texts.append((text, disease))
    return texts
