"""A small 3-D convolutional network whose every instance sees little: logits on a grid of 2 mm.

Batch normalisation at inference is a fixed affine map, so no instance knows what lies beyond its receptive field
(34 mm); a norm over the whole window (GroupNorm, InstanceNorm) would tell every instance that *somewhere* there is
a nodule, and all of them would say yes. Fully convolutional: a whole CT goes through in slabs.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from xinglin.model.vision.pooling import GatedAttention

STRIDE = 2
"""Voxels from one instance to the next."""
OFFSET = 0.5
"""Instance ``i`` is centred at voxel ``STRIDE * i + OFFSET``: even kernels keep the grid symmetric under flips."""
ALIGN = 4
"""Sizes must be multiples of this, and slabs must start at multiples of it."""
RARE = -2.0
"""Logit of an instance before training: most of a lung is no nodule."""


def block(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Return convolution, batch norm, ReLU; the norm folds into the convolution on export."""
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, kernel, stride, (kernel - 1) // 2, bias=False),
        nn.BatchNorm3d(outputs),
        nn.ReLU(inplace=True),
    )


def reach(depth: int) -> int:
    """Return how many voxels an instance sees to each side of its own centre, rounded up."""
    first, near, down, around, back, joined = 2.5, 2.0 * depth, 3.0, 4.0, 1.0, 2.0
    return math.ceil(first + near + down + around + back + joined)


def expect_rare(head: nn.Conv3d) -> None:
    """Let an untrained head say no everywhere."""
    if head.bias is not None:
        nn.init.zeros_(head.bias)
        with torch.no_grad():
            head.bias[0] = RARE


def doubled(features: Tensor) -> Tensor:
    """Return features (n, c, z, y, x) with every voxel eight times, (n, c, 2z, 2y, 2x).

    The same as nearest-neighbour ``interpolate``, which ONNX Runtime carries out in three dimensions many times slower.
    """
    n, channels, z, y, x = features.shape
    apart = features[:, :, :, None, :, None, :, None].expand(-1, -1, -1, 2, -1, 2, -1, 2)
    return apart.reshape(n, channels, 2 * z, 2 * y, 2 * x)


class ConvolutionalStem(nn.Module):
    """Windows (n, 1, z, y, x) -> features (n, width, z/2, y/2, x/2) that join what is near and what is around."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.first = block(1, width, STRIDE, 6)
        self.near = nn.Sequential(*(block(width, width) for _ in range(depth)))
        self.around = nn.Sequential(block(width, 2 * width, 2, 4), block(2 * width, 2 * width))
        self.back = nn.Conv3d(2 * width, width, 1)
        self.joined = block(width, width)

    def forward(self, images: Tensor) -> Tensor:
        """Return the joined features."""
        near = self.near(self.first(images))
        around = self.back(self.around(near))
        joined: Tensor = self.joined(near + doubled(around))
        return joined


class ConvolutionalInstances(nn.Module):
    """Windows (n, 1, z, y, x) -> maps (n, channels, z/2, y/2, x/2); channel 0 is the instance logit.

    With ``attention`` the score of the gated attention is one more channel at the end.
    """

    def __init__(
        self, width: int = 16, depth: int = 2, channels: int = 1, *, attention: bool = False
    ) -> None:
        super().__init__()
        self.stem = ConvolutionalStem(width, depth)
        self.head = nn.Conv3d(width, channels, 1)
        self.attention = GatedAttention(width) if attention else None
        expect_rare(self.head)

    def forward(self, images: Tensor) -> Tensor:
        """Return the maps."""
        features = self.stem(images)
        maps: Tensor = self.head(features)
        return maps if self.attention is None else torch.cat([maps, self.attention(features)], 1)
