"""3-D vision transformers as instance networks: plain tubelets, and a convolutional stem with windowed attention.

Both are built from VideoMAE of ``transformers`` (Tong et al. 2022): time is the scan's z. The plain one takes the
whole encoder, pre-trained by masked reconstruction (``VideoMAEForPreTraining``) on cubes without labels. Its attention
is global, and so every instance may learn *somewhere there is a nodule* and say yes; the one with the stem (Xiao et al.
2021, *Early convolutions help transformers see better*) attends only within blocks of 20 x 16 x 16 mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import VideoMAEConfig, VideoMAEForPreTraining, VideoMAEModel
from transformers.models.videomae.modeling_videomae import VideoMAEEncoder

from xinglin.model.vision.cnn import ConvolutionalStem, expect_rare
from xinglin.model.vision.images import WINDOW
from xinglin.model.vision.pooling import GatedAttention

TUBELET = 4
"""Voxels of a token along each axis, and from one instance to the next."""
TOKEN_OFFSET = 1.5
"""Voxel of the first token's centre."""
BLOCK = (5, 4, 4)
"""Tokens z, y, x that attend to each other behind the stem."""
MASKED = 0.75
"""Share of tokens that pre-training hides (VideoMAE hides 0.9 of a film; a CT repeats itself less)."""


@dataclass(frozen=True, slots=True)
class VitSize:
    """Size of the encoder."""

    hidden: int = 96
    layers: int = 4
    heads: int = 4

    def config(self, **more: Any) -> VideoMAEConfig:
        """Return the configuration of ``transformers`` for one channel of our windows."""
        return VideoMAEConfig(
            image_size=WINDOW[1],
            num_frames=WINDOW[0],
            num_channels=1,
            patch_size=TUBELET,
            tubelet_size=TUBELET,
            hidden_size=self.hidden,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            intermediate_size=2 * self.hidden,
            decoder_hidden_size=self.hidden // 2,
            decoder_num_hidden_layers=1,
            decoder_num_attention_heads=2,
            decoder_intermediate_size=self.hidden,
            use_mean_pooling=False,
            attn_implementation="sdpa",  # type: ignore[call-arg]
            **more,
        )


class MaskedCubes(nn.Module):
    """Masked pre-training: windows (n, 1, z, y, x) and hidden tokens (n, tokens) -> ``loss``."""

    def __init__(self, size: VitSize) -> None:
        super().__init__()
        self.size = size
        # Each token is reconstructed relative to its own mean and spread; other than that the library offers only
        # three colours.
        self.whole = VideoMAEForPreTraining(size.config(norm_pix_loss=True))

    def forward(self, images: Tensor, hidden: Tensor) -> dict[str, Tensor]:
        """Return the reconstruction loss; every row of ``hidden`` hides the same number."""
        loss: Tensor = self.whole(images.transpose(1, 2).contiguous(), bool_masked_pos=hidden.bool()).loss
        return {"loss": loss}

    def encoder(self) -> VideoMAEModel:
        """Return the encoder, to be trained on."""
        return self.whole.videomae


class TubeletInstances(nn.Module):
    """Windows (n, 1, 20, 32, 32) -> maps (n, channels, 5, 8, 8) through a plain VideoMAE encoder."""

    def __init__(
        self, size: VitSize, *, attention: bool = False, encoder: VideoMAEModel | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder or VideoMAEModel(size.config())
        self.head = _head(size.hidden)
        self.attention = GatedAttention(size.hidden) if attention else None

    def forward(self, images: Tensor) -> Tensor:
        """Return the maps."""
        states = self.encoder(images.transpose(1, 2)).last_hidden_state
        grid = [edge // TUBELET for edge in images.shape[2:]]
        return _maps(states.transpose(1, 2).unflatten(2, grid), self.head, self.attention)


class StemInstances(nn.Module):
    """The same grid behind a convolutional stem; tokens attend within ``BLOCK``."""

    def __init__(self, size: VitSize, width: int = 16, *, attention: bool = False) -> None:
        super().__init__()
        self.stem = ConvolutionalStem(width, 1)
        self.patch = nn.Conv3d(width, size.hidden, 2, 2)
        config = size.config()
        self.layers = VideoMAEEncoder(config)
        self.place = nn.Parameter(torch.zeros(1, BLOCK[0] * BLOCK[1] * BLOCK[2], size.hidden))
        nn.init.trunc_normal_(self.place, std=0.02)
        self.norm = nn.LayerNorm(size.hidden)
        self.head = _head(size.hidden)
        self.attention = GatedAttention(size.hidden) if attention else None

    def forward(self, images: Tensor) -> Tensor:
        """Return the maps."""
        tokens = self.patch(self.stem(images))
        rows, hidden = tokens.shape[:2]
        blocks = [edge // block for edge, block in zip(tokens.shape[2:], BLOCK, strict=True)]
        apart = tokens.view(rows, hidden, blocks[0], BLOCK[0], blocks[1], BLOCK[1], blocks[2], BLOCK[2])
        apart = apart.permute(0, 2, 4, 6, 3, 5, 7, 1).reshape(-1, BLOCK[0] * BLOCK[1] * BLOCK[2], hidden)
        states = self.norm(self.layers(apart + self.place).last_hidden_state)
        joined = states.view(rows, *blocks, *BLOCK, hidden).permute(0, 7, 1, 4, 2, 5, 3, 6)
        return _maps(joined.reshape(tokens.shape), self.head, self.attention)


def _head(hidden: int) -> nn.Conv3d:
    head = nn.Conv3d(hidden, 1, 1)
    expect_rare(head)
    return head


def _maps(features: Tensor, head: nn.Module, attention: nn.Module | None) -> Tensor:
    maps: Tensor = head(features)
    return maps if attention is None else torch.cat([maps, attention(features)], 1)
