"""Checkpoints of one architecture as one: linear, spherical, or by the signs that most agree on.

Linear: model soups, Wortsman et al., ICML 2022, arXiv 2203.05482. Spherical (two checkpoints): Shoemake 1985, tensor by
tensor over the flattened weights; almost parallel tensors are interpolated linearly. TIES: Yadav et al., NeurIPS 2023, arXiv
2306.01708: of each checkpoint's difference from a common base the largest share is kept, a sign is elected by the sum, and
what agrees with it is averaged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from xinglin.errors import CheckpointError, InvalidInputError
from xinglin.model.decoder import open_decoder

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from xinglin.model.decoder import Decoder

Method = Literal["linear", "slerp", "ties"]
METHODS: tuple[str, ...] = get_args(Method)
PARALLEL = 0.9995
"""Cosine above which two tensors are interpolated linearly: the sphere's formula divides by a sine near 0."""


def linear(tensors: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Return the weighted mean."""
    import torch

    total = sum(weights)
    return torch.stack([one * (weight / total) for one, weight in zip(tensors, weights, strict=True)]).sum(0)


def slerp(first: Tensor, second: Tensor, share: float) -> Tensor:
    """Return the point at ``share`` (0: first, 1: second) of the arc between two tensors' directions."""
    import torch

    one, other = first.flatten(), second.flatten()
    lengths = one.norm() * other.norm()
    cosine = (one @ other / lengths).clamp(-1, 1) if lengths > 0 else torch.ones(())
    if abs(float(cosine)) > PARALLEL:
        return (1 - share) * first + share * second
    angle = torch.arccos(cosine)
    mixed = (torch.sin((1 - share) * angle) * one + torch.sin(share * angle) * other) / torch.sin(angle)
    return mixed.reshape(first.shape)


def ties(base: Tensor, tensors: Sequence[Tensor], weights: Sequence[float], density: float) -> Tensor:
    """Return the base plus the agreed part of the differences.

    Args:
        base: where all started.
        tensors: the checkpoints' tensors.
        weights: of each.
        density: share of each difference's entries that is kept, the largest by magnitude.
    """
    import torch

    total = sum(weights)
    kept = []
    for one, weight in zip(tensors, weights, strict=True):
        change = (one - base) * (weight / total * len(tensors))
        many = max(1, round(density * change.numel()))
        bound = change.abs().flatten().kthvalue(change.numel() - many + 1).values
        kept.append(torch.where(change.abs() >= bound, change, torch.zeros_like(change)))
    stacked = torch.stack(kept)
    sign = torch.sign(stacked.sum(0))
    agrees = (torch.sign(stacked) == sign) & (stacked != 0)
    return base + (stacked * agrees).sum(0) / agrees.sum(0).clamp(min=1)


def merge_checkpoints(
    folders: Sequence[Path],
    method: Method,
    *,
    weights: Sequence[float] | None = None,
    base: Path | None = None,
    density: float = 0.2,
) -> PreTrainedModel:
    """Return one model of several of the same architecture, in float32.

    Args:
        folders: two or more; exactly two for ``slerp``.
        method: linear, slerp or ties.
        weights: above 0, one a folder; equal by default. For ``slerp`` the second's share of both is the place on the arc.
        base: the common base, which ``ties`` needs.
        density: share of the differences that ``ties`` keeps; 0.2 in the paper.

    Raises:
        InvalidInputError: settings that do not fit.
        CheckpointError: tensors of different names or shapes.
    """
    import torch

    if method not in METHODS:
        raise InvalidInputError(f"method: expected {', '.join(METHODS)}, got {method!r}")
    if len(folders) < 2 or (method == "slerp" and len(folders) != 2):
        raise InvalidInputError(
            f"{method}: expected {'two' if method == 'slerp' else 'at least two'} checkpoints"
        )
    chosen = list(weights) if weights is not None else [1.0] * len(folders)
    if len(chosen) != len(folders) or not all(weight > 0 for weight in chosen):
        raise InvalidInputError(f"weights: expected {len(folders)} numbers above 0, got {chosen}")
    if method == "ties" and base is None:
        raise InvalidInputError("ties: expected the common base (--base)")
    if not 0 < density <= 1:
        raise InvalidInputError(f"density: expected above 0 and at most 1, got {density}")
    opened = [open_decoder(folder) for folder in folders]
    states: list[Mapping[str, Tensor]] = [one.model.state_dict() for one in opened]
    if base is not None:
        opened.append(open_decoder(base))
    _same_shape(opened)
    start = opened[-1].model.state_dict() if method == "ties" else None
    merged: dict[str, Tensor] = {}
    with torch.no_grad():
        for name, tensor in states[0].items():
            parts = [state[name] for state in states]
            if not tensor.is_floating_point():
                merged[name] = tensor
            elif method == "linear":
                merged[name] = linear(parts, chosen)
            elif method == "slerp":
                merged[name] = slerp(parts[0], parts[1], chosen[1] / sum(chosen))
            elif start is not None:
                merged[name] = ties(start[name], parts, chosen, density)
    result: PreTrainedModel = opened[0].model
    result.load_state_dict(merged)
    return result


def _same_shape(opened: Sequence[Decoder]) -> None:
    first = {name: tuple(tensor.shape) for name, tensor in opened[0].model.state_dict().items()}
    for other in opened[1:]:
        found = {name: tuple(tensor.shape) for name, tensor in other.model.state_dict().items()}
        if found != first:
            differ = sorted(
                name for name in first.keys() | found.keys() if first.get(name) != found.get(name)
            )
            raise CheckpointError(
                f"{other.folder.name}: another architecture than {opened[0].folder.name}: {', '.join(differ[:3])} differ"
            )
        if other.tokenizer.get_vocab() != opened[0].tokenizer.get_vocab():
            raise CheckpointError(f"{other.folder.name}: another tokenizer than {opened[0].folder.name}")
