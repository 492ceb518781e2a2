"""The two losses: one that knows only yes or no, one that teaches what the first has found.

Both are modules as :func:`xinglin.train.loop.train` wants them: a batch in, scalar losses by name out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xinglin.model.vision.pooling import SHARPNESS, Pooling, pool

Losses = dict[str, Tensor]
HEAT_SPREAD = 2.0
"""Standard deviation in mm of the target around a centre."""
NEAR = 2.6
"""Millimetres to a centre within which an instance answers for it; every centre has at least one on a 2 mm grid."""
PARTS = 5
"""Channels of a refined map: logit, offset z, y, x in mm, logarithm of the diameter in mm."""


class WeakObjective(nn.Module):
    """Binary cross-entropy of the pooled logit against the label of the whole window."""

    def __init__(self, network: nn.Module, how: Pooling, sharpness: float = SHARPNESS) -> None:
        super().__init__()
        self.network = network
        self.how: Pooling = how
        self.sharpness = sharpness

    def forward(self, images: Tensor, labels: Tensor) -> Losses:
        """Return ``loss``; images (n, 1, z, y, x), labels (n,) of 0 and 1."""
        pooled = pool(self.network(images), self.how, self.sharpness)
        return {"loss": nn.functional.binary_cross_entropy_with_logits(pooled, labels)}


class CentreObjective(nn.Module):
    """Heat map, offset and size from centres (Zhou, Wang and Krahenbuhl 2019), and the window's label beside them.

    The heat map's loss is their penalty-reduced focal loss. We differ in that several instances answer for one
    centre, all within ``NEAR``, so that the offset is an average of several votes.
    """

    def __init__(self, network: nn.Module, stride: int, first: float) -> None:
        super().__init__()
        self.network = network
        self.stride, self.first = stride, first

    def forward(self, images: Tensor, labels: Tensor, centres: Tensor, diameters: Tensor) -> Losses:
        """Return ``loss`` and its parts.

        Args:
            images: (n, 1, z, y, x).
            labels: (n,) of 0 and 1.
            centres: (n, 3) voxels z, y, x; anything where the label is 0.
            diameters: (n,) mm; anything where the label is 0.
        """
        maps = self.network(images)
        away = centres[:, :, None, None, None] - instance_places(maps.shape[2:], self.stride, self.first)
        squared = away.square().sum(1)
        present = labels.view(-1, 1, 1, 1) > 0
        target = torch.where(present, torch.exp(-squared / (2 * HEAT_SPREAD**2)), 0.0)
        near = present & (squared <= NEAR**2)
        probability = torch.sigmoid(maps[:, 0]).clamp(1e-5, 1 - 1e-5)
        yes = (1 - probability).square() * probability.log()
        no = (1 - target) ** 4 * probability.square() * (1 - probability).log()
        heat = -torch.where(near, yes, no).sum() / near.sum().clamp_min(1)
        window = nn.functional.binary_cross_entropy_with_logits(pool(maps, "log-sum-exp"), labels)
        if near.any():
            place = nn.functional.smooth_l1_loss(
                maps[:, 1:4].movedim(1, -1)[near], away.movedim(1, -1)[near], beta=0.5
            )
            sizes = diameters.view(-1, 1, 1, 1).expand_as(near)[near].log()
            size = nn.functional.smooth_l1_loss(maps[:, 4][near], sizes, beta=0.1)
        else:
            place = size = maps.sum() * 0.0
        return {
            "loss": heat + window + place + size,
            "heat": heat.detach(),
            "window": window.detach(),
            "place": place.detach(),
            "size": size.detach(),
        }


def instance_places(grid: torch.Size, stride: int, first: float) -> Tensor:
    """Return the voxel z, y, x that each instance is centred at, shape (3, *grid)."""
    axes = [torch.arange(size, dtype=torch.float32) * stride + first for size in grid]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))
