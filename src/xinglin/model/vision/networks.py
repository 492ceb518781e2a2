"""A network of images as a checkpoint: configuration to network and back, safetensors only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from xinglin.errors import CheckpointError
from xinglin.model.parts import CONFIG, WEIGHTS, read_json
from xinglin.model.vision.cnn import ALIGN, OFFSET, STRIDE, ConvolutionalInstances
from xinglin.model.vision.pooling import SHARPNESS

MODEL_TYPE = "xinglin-instances-3d"
"""Our own architecture; ``transformers`` does not load it, the ONNX file beside it needs no code at all."""
MAX_WIDTH, MAX_DEPTH = 256, 16


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """What ``config.json`` says: enough to build the network and to read its maps without torch."""

    width: int
    depth: int
    channels: tuple[str, ...]
    """Names of the maps' channels, in order; ``logit`` first."""
    stride: int = STRIDE
    offset: float = OFFSET
    align: int = ALIGN
    sharpness: float = SHARPNESS


def config_of(body: Mapping[str, Any]) -> NetworkConfig:
    """Read a configuration.

    Raises:
        CheckpointError: another architecture, or a value out of its range.
    """
    if body.get("model_type") != MODEL_TYPE:
        raise CheckpointError(
            f"{CONFIG}: expected model_type {MODEL_TYPE}, got {str(body.get('model_type'))[:40]!r}: not a nodule model"
        )
    width, depth, channels = body.get("width"), body.get("depth"), body.get("channels")
    if type(width) is not int or not 1 <= width <= MAX_WIDTH:
        raise CheckpointError(f"{CONFIG}: width: expected 1 to {MAX_WIDTH}, got {str(width)[:40]!r}")
    if type(depth) is not int or not 1 <= depth <= MAX_DEPTH:
        raise CheckpointError(f"{CONFIG}: depth: expected 1 to {MAX_DEPTH}, got {str(depth)[:40]!r}")
    named = isinstance(channels, list) and channels[:1] == ["logit"] and len(channels) <= 8
    if not named or not all(isinstance(name, str) for name in channels or ()):
        raise CheckpointError(f"{CONFIG}: channels: expected at most 8 names, logit first")
    fixed = NetworkConfig(width, depth, tuple(channels or ()))
    for key in ("stride", "offset", "align", "sharpness"):
        if body.get(key) != getattr(fixed, key):
            raise CheckpointError(
                f"{CONFIG}: {key}: expected {getattr(fixed, key)}, got {str(body.get(key))[:40]!r}: made by another version"
            )
    return fixed


def build(config: NetworkConfig) -> ConvolutionalInstances:
    """Return an untrained network."""
    return ConvolutionalInstances(config.width, config.depth, len(config.channels))


def write_network(network: nn.Module, config: NetworkConfig, folder: Path) -> None:
    """Write ``config.json`` and ``model.safetensors`` into an existing folder; the caller seals it."""
    from safetensors.torch import save_file

    body = {"model_type": MODEL_TYPE, **asdict(config), "channels": list(config.channels)}
    (folder / CONFIG).write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    save_file(tensors, str(folder / WEIGHTS), metadata={"format": "pt"})


def read_network(folder: Path) -> tuple[ConvolutionalInstances, NetworkConfig]:
    """Return the network of a verified checkpoint, ready to answer.

    Raises:
        CheckpointError: the weights do not fit the configuration.
    """
    from safetensors.torch import load_file

    config = config_of(read_json(folder / CONFIG))
    network = build(config)
    try:
        network.load_state_dict(load_file(str(folder / WEIGHTS)))
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"{folder}: {WEIGHTS} does not fit {CONFIG}: {str(error).splitlines()[0][:200]}"
        ) from None
    return network.eval(), config
