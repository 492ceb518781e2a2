"""Answers of a model that somebody entered: looked through, then run in a process of its own behind barriers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from xinglin.errors import ConfigurationError, InvalidInputError, MissingExtraError
from xinglin.records.decode import decode_json
from xinglin.release.challenge.confined import Finished, python, run_confined
from xinglin.release.challenge.manifest import Manifest
from xinglin.release.challenge.model_files import ModelFiles
from xinglin.release.challenge.predictions import Predictions, from_rows

WORKER = "xinglin.release.challenge.worker"
REASONS = {
    "MemoryError": "it met the limit of memory",
    "bad_alloc": "it met the limit of memory",
    "FloatingPointError": "its outputs are no table of finite numbers",
}
"""A word of the error stream -> what it means."""


class EvaluationFailedError(InvalidInputError):
    """A model gave no answer: it broke, or met a limit."""

    title = "the model gave no answer"


@dataclass(frozen=True)
class Answered:
    """A model's answers, and what confined it."""

    predictions: Predictions
    barriers: tuple[str, ...]
    seconds: float


def predict(
    model: ModelFiles, texts: Mapping[str, str], manifest: Manifest, *, weak: bool = False
) -> Answered:
    """Answer questions with a model; the same model gives the same answers to the last bit.

    Args:
        model: as :func:`.model_files.check_model` passed it.
        texts: id -> question.
        manifest: whose labels and limits hold.
        weak: whether to go on where the kernel offers neither a seccomp filter nor a network namespace.

    Raises:
        EvaluationFailedError: it broke, or met a limit; the message names which.
        ConfigurationError: only weak barriers could be put up.
        MissingExtraError: a safetensors model, and ``transformers`` is not installed.
    """
    from importlib.util import find_spec

    if model.kind == "safetensors" and any(find_spec(name) is None for name in ("torch", "transformers")):
        raise MissingExtraError("evaluating a safetensors model", "train")
    request = {
        "folder": str(model.folder.resolve()),
        "kind": model.kind,
        "texts": dict(texts),
        "cpu_seconds": manifest.limits.cpu_seconds,
        "memory_mib": manifest.limits.memory_mib,
        "weak": weak,
    }
    ended = run_confined(python("-m", WORKER), json.dumps(request).encode(), manifest.limits.wall_seconds)
    if ended.why is not None or ended.status != 0:
        raise EvaluationFailedError(f"the model gave no answer: {_reason(ended)}")
    told = decode_json(ended.output, "answer")
    barriers = tuple(str(part) for part in told["barriers"])
    if "rows" not in told:
        raise ConfigurationError(
            f"the model was not opened: this kernel put up only {', '.join(barriers)}; expected a seccomp filter or a "
            "network namespace. Evaluate on another machine, or allow weak barriers and say so"
        )
    rows = [
        (f"answer {number}", key, _named(model.labels, row))
        for number, (key, row) in enumerate(told["rows"].items(), 1)
    ]
    return Answered(from_rows(rows, texts, manifest.labels), barriers, ended.seconds)


def _named(labels: tuple[str, ...], row: list[float]) -> dict[str, float]:
    if len(row) != len(labels):
        raise EvaluationFailedError(
            f"the model gave no answer: expected {len(labels)} outputs a case, got {len(row)}"
        )
    return dict(zip(labels, row, strict=True))


def _reason(ended: Finished) -> str:
    if ended.why is not None:
        return ended.why
    if ended.status == -24:  # SIGXCPU
        return "it met the limit of CPU time"
    for word, what in REASONS.items():
        if word in ended.said:
            return what
    if ended.status < 0:
        return f"it was ended by signal {-ended.status}"
    last = ended.said.strip().splitlines()[-1:] or ["no message"]
    # The kind of the error alone: its message could carry a hidden question.
    return f"it broke with {last[0].split(':')[0][:80]}"
