"""From instance logits to one logit a window: four ways, compared in ``docs/results/nodules.md``.

With z_i the instance logits and n their number:

- ``mean``: mean of z_i (every instance must agree);
- ``noisy-or``: logit of 1 - prod(1 - sigmoid(z_i)), = s + log(1 - exp(-s)) with s the sum of softplus(z_i);
- ``log-sum-exp``: log(mean(exp(r z_i))) / r with sharpness r (Pinheiro and Collobert 2015): near the maximum, yet
  every instance learns;
- ``attention``: sum of a_i z_i with a the softmax of a gated score of the features (Ilse, Tomczak and Welling 2018).
  They pool features; we pool logits (additive, Javed et al. 2022), so that a_i z_i says where.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from xinglin.errors import InvalidInputError

Pooling = Literal["mean", "noisy-or", "log-sum-exp", "attention"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
SHARPNESS = 4.0


def pool(maps: Tensor, how: Pooling, sharpness: float = SHARPNESS) -> Tensor:
    """Return one logit a window.

    Args:
        maps: (n, channels, z, y, x); channel 0 instance logits, channel 1 the score of ``attention``.
        how: one of ``POOLINGS``.
        sharpness: of ``log-sum-exp``.
    """
    logits = maps[:, 0].flatten(1)
    if how == "mean":
        return logits.mean(1)
    if how == "noisy-or":
        total = nn.functional.softplus(logits).sum(1)
        return total + torch.log(-torch.expm1(-total.clamp_min(1e-6)))
    if how == "log-sum-exp":
        return (torch.logsumexp(sharpness * logits, 1) - math.log(logits.shape[1])) / sharpness
    if how == "attention":
        return (torch.softmax(maps[:, 1].flatten(1), 1) * logits).sum(1)
    raise InvalidInputError(f"pooling: expected one of {', '.join(POOLINGS)}, got {how!r}")


def evidence(maps: Tensor, how: Pooling) -> Tensor:
    """Return what each instance adds, shape (n, z, y, x): the map whose peak says where."""
    if how != "attention":
        return maps[:, 0]
    weights = torch.softmax(maps[:, 1].flatten(1), 1).view_as(maps[:, 1])
    return weights * maps[:, 0]


class GatedAttention(nn.Module):
    """Features (n, width, z, y, x) -> score (n, 1, z, y, x): w . (tanh(V h) * sigmoid(U h))."""

    def __init__(self, width: int, hidden: int = 16) -> None:
        super().__init__()
        self.value = nn.Conv3d(width, hidden, 1)
        self.gate = nn.Conv3d(width, hidden, 1)
        self.score = nn.Conv3d(hidden, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return the score before the softmax."""
        score: Tensor = self.score(torch.tanh(self.value(features)) * torch.sigmoid(self.gate(features)))
        return score
