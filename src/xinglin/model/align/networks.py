"""Two towers: every place of a window and every sentence become unit vectors of one space.

Image: the frozen trunk of the nodule detector (:mod:`xinglin.model.vision.cnn`), so that each place sees 34 mm and no
more, and a small head on what it knows of a place. Text: a small standard BERT of ``transformers``, trained from
nothing (the package's medical text encoder reads Chinese only, and is larger than this whole model).

How well a window fits a sentence is a late interaction (as FILIP, Yao et al. 2022, arXiv 2111.07783, where we differ:
the sentence is one vector, and the pooling over places is the detector's sharp log-sum-exp): so the map that says where
a sentence is true is the very thing that training judged. Temperature and bias are learnt (SigLIP, Zhai et al. 2023,
arXiv 2303.15343).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from xinglin.errors import CheckpointError
from xinglin.model.align.runtime import MAX_TOKENS
from xinglin.model.parts import CONFIG, WEIGHTS, read_json
from xinglin.model.sizes import PAD
from xinglin.model.vision.cnn import ALIGN, OFFSET, STRIDE, ConvolutionalStem
from xinglin.model.vision.pooling import SHARPNESS

MODEL_TYPE = "xinglin-lung-words"
"""Our own pair of towers; ``transformers`` does not load it, the ONNX files beside it need no code at all."""
TEMPERATURE, BIAS = 10.0, -5.0
"""Where the learnt scale and shift begin: untrained, nothing is said to be true."""


@dataclass(frozen=True, slots=True)
class WordsConfig:
    """What ``config.json`` says."""

    vocab_size: int
    width: int = 16
    """Channels of the image trunk."""
    depth: int = 2
    text_width: int = 64
    text_layers: int = 2
    text_heads: int = 4
    space: int = 64
    """Length of the vectors."""
    stride: int = STRIDE
    offset: float = OFFSET
    align: int = ALIGN
    sharpness: float = SHARPNESS


def config_of(body: Mapping[str, Any]) -> WordsConfig:
    """Read a configuration.

    Raises:
        CheckpointError: another architecture, an unknown key, or a value out of its range.
    """
    if body.get("model_type") != MODEL_TYPE:
        raise CheckpointError(
            f"{CONFIG}: expected model_type {MODEL_TYPE}, got {str(body.get('model_type'))[:40]!r}: not a model of words "
            "and nodules"
        )
    given = {key: value for key, value in body.items() if key not in ("model_type", "pad_token_id")}
    limits = {"vocab_size": 65_536, "width": 256, "depth": 16, "text_width": 1024, "text_layers": 24}
    limits |= {"text_heads": 64, "space": 1024}
    for key, most in limits.items():
        if type(given.get(key)) is not int or not 1 <= given[key] <= most:
            raise CheckpointError(f"{CONFIG}: {key}: expected 1 to {most}, got {str(given.get(key))[:40]!r}")
    try:
        config = WordsConfig(**given)
    except TypeError as error:
        raise CheckpointError(f"{CONFIG}: {str(error)[:100]}: made by another version") from None
    fixed = WordsConfig(vocab_size=1)
    for key in ("stride", "offset", "align", "sharpness"):
        if getattr(config, key) != getattr(fixed, key):
            raise CheckpointError(f"{CONFIG}: {key}: expected {getattr(fixed, key)}: made by another version")
    return config


def body_of(config: WordsConfig) -> dict[str, Any]:
    """Return what ``config.json`` holds."""
    return {"model_type": MODEL_TYPE, "pad_token_id": PAD, **asdict(config)}


class Places(nn.Module):
    """Windows (n, 1, z, y, x) -> unit vectors of every place (n, space, z/2, y/2, x/2).

    The trunk is the detector's and stays as it is; only the head is trained, place by place.
    """

    def __init__(self, config: WordsConfig) -> None:
        super().__init__()
        self.stem = ConvolutionalStem(config.width, config.depth)
        hidden = 2 * config.space
        self.head = nn.Sequential(
            nn.BatchNorm3d(features_of(config)),
            nn.Conv3d(features_of(config), hidden, 1),
            nn.BatchNorm3d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv3d(hidden, hidden, 1),
            nn.BatchNorm3d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv3d(hidden, config.space, 1),
        )
        self.stem.requires_grad_(False)

    def features(self, images: Tensor) -> Tensor:
        """Return what the trunk knows of every place: at it, near it, around it, and joined."""
        stem = self.stem
        first = stem.first(images)
        near = stem.near(first)
        around = stem.around(near)
        wide = nn.functional.interpolate(around, scale_factor=2.0, mode="nearest")
        back = nn.functional.interpolate(stem.back(around), scale_factor=2.0, mode="nearest")
        return torch.cat([first, near, stem.joined(near + back), wide], 1)

    def vectors(self, features: Tensor) -> Tensor:
        """Return unit vectors (n, space, ...) of places by what the trunk knows of them (n, features, ...)."""
        return nn.functional.normalize(self.head(features), dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the vectors."""
        return self.vectors(self.features(images))


def features_of(config: WordsConfig) -> int:
    """Return how many numbers the trunk gives a place."""
    return 5 * config.width


class Sentences(nn.Module):
    """Token ids and mask (n, tokens) -> unit vectors (n, space): the mean over tokens of a small BERT, projected."""

    def __init__(self, config: WordsConfig) -> None:
        super().__init__()
        eager: dict[str, Any] = {"attn_implementation": "eager"}
        self.encoder = BertModel(
            BertConfig(
                vocab_size=config.vocab_size,
                hidden_size=config.text_width,
                num_hidden_layers=config.text_layers,
                num_attention_heads=config.text_heads,
                intermediate_size=2 * config.text_width,
                max_position_embeddings=MAX_TOKENS,
                type_vocab_size=1,
                pad_token_id=PAD,
                **eager,
            ),
            add_pooling_layer=False,
        )
        self.project = nn.Linear(config.text_width, config.space)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the vectors."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * weights).sum(1) / weights.sum(1)
        return nn.functional.normalize(self.project(mean), dim=1)


class Aligned(nn.Module):
    """Both towers with the learnt temperature and bias."""

    def __init__(self, config: WordsConfig) -> None:
        super().__init__()
        self.config = config
        self.places = Places(config)
        self.sentences = Sentences(config)
        self.scale = nn.Parameter(torch.tensor([math.log(TEMPERATURE)]))
        self.bias = nn.Parameter(torch.tensor([BIAS]))

    def fit(self, places: Tensor, sentences: Tensor, *regions: Tensor) -> list[Tensor]:
        """Return how well regions of windows fit sentences: logits (n, m) for each region.

        Args:
            places: (n, space, z, y, x).
            sentences: (m, space).
            regions: (n, z, y, x), true where a place counts; a window without one fits nothing (-inf).
        """
        sharp = self.config.sharpness
        maps = torch.einsum("nsp,ms->nmp", places.flatten(2), sentences) * self.scale.exp() + self.bias
        return [
            torch.logsumexp((sharp * maps).masked_fill(~region.flatten(1)[:, None], -torch.inf), 2) / sharp
            for region in regions
        ]


def write_towers(model: Aligned, folder: Path) -> None:
    """Write ``config.json`` and ``model.safetensors`` into a folder; the caller adds the tokenizer and seals it."""
    from safetensors.torch import save_file

    (folder / CONFIG).write_text(json.dumps(body_of(model.config), indent=2) + "\n", encoding="utf-8")
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, str(folder / WEIGHTS), metadata={"format": "pt"})


def read_towers(folder: Path) -> Aligned:
    """Return the towers of a verified checkpoint, ready to answer.

    Raises:
        CheckpointError: the weights do not fit the configuration.
    """
    from safetensors.torch import load_file

    model = Aligned(config_of(read_json(folder / CONFIG)))
    try:
        model.load_state_dict(load_file(str(folder / WEIGHTS)))
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"{folder}: {WEIGHTS} does not fit {CONFIG}: {str(error).splitlines()[0][:200]}"
        ) from None
    return model.eval()
