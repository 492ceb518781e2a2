"""Integrated gradients over the token embeddings of a torch checkpoint (Sundararajan et al. 2017), by Captum.

The path runs from the note with every token hidden ([MASK], which the model knows from its training) to the note
itself. A token's share goes to the unit that holds its characters; the share of punctuation and filler words, which
belong to no unit, is ``rest``. Long notes are read in the windows of the runtime, whose logits are averaged. Steps
are doubled until the contributions sum to the difference of the two ends; what is missing is ``gap``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import CheckpointError, InvalidInputError, MissingExtraError
from xinglin.explain.attribution import Attribution
from xinglin.explain.units import Unit
from xinglin.model.checkpoint import verify_checkpoint
from xinglin.model.runtime import MAX_LENGTH, window_starts
from xinglin.model.sizes import CLS, MASK, SEP
from xinglin.model.tokenizer import load_tokenizer

STEPS = (32, 64, 128, 256)
"""Steps of the integral, tried in turn until it is complete."""
TOLERANCE = 0.01
"""Share of the difference of the two ends (at least of 1) that the integral may miss before more steps are taken."""
ROWS = 16
"""Windows differentiated at once, so that memory stays bounded."""


@dataclass(frozen=True, eq=False)
class Differentiable:
    """A classifier in torch, frozen, with the tokenizer of its checkpoint."""

    model: Any
    tokenizer: Any
    labels: tuple[str, ...]
    max_length: int


def load_differentiable(folder: Path) -> Differentiable:
    """Load the safetensors of a checkpoint for gradients.

    Raises:
        CheckpointError: it does not verify (a tokenizer of another model does not), or is no classifier.
        MissingExtraError: torch, transformers or captum are not installed.
    """
    checkpoint = verify_checkpoint(folder)
    if checkpoint.manifest["kind"] != "classifier":
        raise CheckpointError(f"{folder}: an encoder has no classes: fine-tune it first (xinglin train)")
    try:
        import captum.attr  # noqa: F401  (asked here, so that a missing part is said before the work)
        import torch
        from transformers import AutoModelForSequenceClassification
    except ModuleNotFoundError as error:
        raise MissingExtraError("integrated gradients", "train") from error
    from xinglin.model.quiet import quiet_transformers

    with quiet_transformers():
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, attn_implementation="eager"
        )
    model.eval().requires_grad_(False)
    labels = tuple(model.config.id2label[i] for i in range(model.config.num_labels))
    length = min(MAX_LENGTH, int(model.config.max_position_embeddings))
    return Differentiable(model, load_tokenizer(folder), labels, length)


def gradient_values(
    model: Differentiable, text: str, units: Sequence[Unit], target: int, *, steps: Sequence[int] = STEPS
) -> Attribution:
    """Explain a note by integrated gradients of the target's log-odds.

    Args:
        model: the classifier (:func:`load_differentiable`).
        text: the note.
        units: its units.
        target: column of the class that is explained.
        steps: steps of the integral, tried in turn until it is complete.

    Raises:
        InvalidInputError: no units, no such class, or no steps.
    """
    if not units or not steps or not 0 <= target < len(model.labels):
        raise InvalidInputError(
            f"expected units, steps and a class below {len(model.labels)}; got {len(units)} units, "
            f"{len(steps)} steps, class {target}: 没有可解释的内容 (nothing to explain)"
        )
    import torch
    from captum.attr import IntegratedGradients

    started = perf_counter()
    encoding = model.tokenizer.encode(text, add_special_tokens=False)
    room = model.max_length - 2
    starts = window_starts(len(encoding.ids), room)
    rows = torch.tensor([[CLS, *encoding.ids[start : start + room], SEP] for start in starts])
    hidden = torch.full_like(rows, MASK)
    hidden[:, 0], hidden[:, -1] = CLS, SEP
    embed = model.model.get_input_embeddings()
    note, empty = embed(rows)[None], embed(hidden)[None]  # (1, windows, tokens, width): one example

    def odds(embedded: Any) -> Any:
        logits = model.model(inputs_embeds=embedded.flatten(0, 1)).logits
        logits = logits.unflatten(0, embedded.shape[:2]).mean(1).double()
        others = torch.cat([logits[:, :target], logits[:, target + 1 :]], dim=1)
        return logits[:, target] - torch.logsumexp(others, dim=1)

    with torch.no_grad():
        base, full = float(odds(empty)), float(odds(note))
    method, spent, tokens = IntegratedGradients(odds), 2, np.zeros((1, 1))
    for count in steps:
        found = method.attribute(note, empty, n_steps=count, internal_batch_size=max(1, ROWS // len(starts)))
        tokens, spent = found[0].sum(-1).double().numpy(), spent + count
        if abs(full - base - tokens.sum()) <= TOLERANCE * max(1.0, abs(full - base)):
            break
    values, rest = _by_unit(tokens[:, 1:-1], starts, encoding.offsets, len(text), units)
    return Attribution(
        method="gradients",
        units=tuple(units),
        values=tuple(values.tolist()),
        base=base,
        full=full,
        target=model.labels[target],
        evaluations=spent,
        seconds=perf_counter() - started,
        rest=rest + float(tokens[:, [0, -1]].sum()),
    )


def _by_unit(
    tokens: NDArray[np.float64],
    starts: Sequence[int],
    offsets: Sequence[tuple[int, int]],
    characters: int,
    units: Sequence[Unit],
) -> tuple[NDArray[np.float64], float]:
    """Sum tokens to units by the characters they share, and what belongs to none.

    Args:
        tokens: contributions, shape (windows, tokens of a window).
        starts: first token of each window.
        offsets: characters of each token of the note.
        characters: length of the note.
        units: its units.
    """
    owner = np.full(characters, len(units))
    for place, unit in enumerate(units):
        for start, end in unit.spans:
            owner[start:end] = place
    values = np.zeros(len(units) + 1)
    for window, start in zip(tokens, starts, strict=True):
        for value, (first, last) in zip(window.tolist(), offsets[start : start + len(window)], strict=True):
            owners = owner[first:last] if last > first else [len(units)]
            np.add.at(values, owners, value / len(owners))
    return values[:-1], float(values[-1])
