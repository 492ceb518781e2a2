"""A small 2-D convolutional network for images of a few dozen pixels, e.g. thumbnails of X-rays.

Group normalisation (Wu and He 2018, arXiv 1803.08494) instead of batch normalisation: the answer for one image depends
on no other, which training with differential privacy requires.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


class FlatClassifier(nn.Module):
    """Images (n, 1, y, x) -> logits (n, classes); three stages that halve the image, then the mean over what is left."""

    def __init__(self, classes: int, width: int = 16) -> None:
        super().__init__()
        sizes = (1, width, 2 * width, 4 * width)
        self.stages = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(low, high, 3, padding=1),
                    nn.GroupNorm(max(1, high // 8), high),
                    nn.ReLU(),
                    nn.AvgPool2d(2, ceil_mode=True),
                )
                for low, high in pairwise(sizes)
            )
        )
        self.head = nn.Linear(sizes[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.head(self.stages(images).mean((2, 3)))
        return logits
