"""The whole way from yes and no to coordinates, in two stages, one command, resumable.

1. *weak*: the network learns the label of the whole window through pooled instance logits;
2. *centres*: where that network points in the training positives, moved to the nearest blob of the image
   (:mod:`xinglin.model.vision.centring`), becomes the target of a heat map with offset and size. It starts from the
   weights of stage 1.

Coordinates and masks of the truth are never opened. Figures of the validation windows are their AUROC alone: more
the command cannot know.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from xinglin.measure.localisation import auroc
from xinglin.model.vision.centring import centre
from xinglin.model.vision.cnn import OFFSET, STRIDE, ConvolutionalInstances
from xinglin.model.vision.images import hounsfield, scaled
from xinglin.model.vision.peaks import highest
from xinglin.model.vision.pooling import SHARPNESS, Pooling, evidence, pool
from xinglin.train.loop import Plan, Report, Trained, train
from xinglin.train.nodules.augment import Changes
from xinglin.train.nodules.batches import Centres, drawing, steps_of
from xinglin.train.nodules.objectives import PARTS, CentreObjective, WeakObjective
from xinglin.train.nodules.windows import Windows

WARMUP, DECAY = 0.15, 0.01
VIEWS = 8
"""Flips that are averaged where a trained network is read."""


@dataclass(frozen=True, slots=True)
class NoduleOptions:
    """What decides the weights, beside the data."""

    width: int = 16
    """Channels on the 2 mm grid."""
    depth: int = 2
    """Convolutions before the coarser grid."""
    pooling: Pooling = "log-sum-exp"
    sharpness: float = SHARPNESS
    weak_epochs: int = 12
    centre_epochs: int = 16
    batch: int = 32
    learning_rate: float = 3e-3
    seed: int = 0
    changes: Changes = field(default_factory=Changes)


def train_weak(
    windows: Windows,
    options: NoduleOptions,
    state: Path,
    *,
    threads: int | None = 1,
    report: Report | None = None,
) -> tuple[ConvolutionalInstances, Trained]:
    """Stage 1: train from labels alone; ``windows`` are those to train on."""
    torch.manual_seed(options.seed)
    network = ConvolutionalInstances(options.width, options.depth, attention=options.pooling == "attention")
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    module = WeakObjective(network, options.pooling, options.sharpness)
    plan = _plan(windows, options, "weak", options.weak_epochs, threads)
    draw = drawing(windows, options.batch, options.seed, options.changes)
    trained = train(module, draw, plan, state, report=report)
    return network, trained


def train_centres(
    windows: Windows,
    centres: Centres,
    weak: ConvolutionalInstances,
    options: NoduleOptions,
    state: Path,
    *,
    threads: int | None = 1,
    report: Report | None = None,
) -> tuple[ConvolutionalInstances, Trained]:
    """Stage 2: train heat map, offset and size from centres, starting from the features of stage 1."""
    torch.manual_seed(options.seed + 1)
    network = ConvolutionalInstances(options.width, options.depth, channels=PARTS)
    network.stem.load_state_dict(weak.stem.state_dict())
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    module = CentreObjective(network, STRIDE, OFFSET)
    plan = _plan(windows, options, "centres", options.centre_epochs, threads, centres)
    draw = drawing(windows, options.batch, options.seed + 1, options.changes, centres)
    trained = train(module, draw, plan, state, report=report)
    return network, trained


def find_centres(network: nn.Module, windows: Windows, how: Pooling) -> Centres:
    """Return where a weak network points in the positives, moved to the nearest blob."""
    points = np.full((len(windows), 3), np.nan)
    diameters = np.full(len(windows), np.nan)
    positives = np.flatnonzero(windows.labels)
    heat = read_maps(network, windows.images[positives], lambda maps: evidence(maps, how)[:, None])[:, 0]
    for index, map_ in zip(positives, heat, strict=True):
        hu = hounsfield(windows.images[index])
        found = centre(hu, highest(map_, STRIDE, OFFSET, hu.shape))
        points[index], diameters[index] = found.point, found.diameter
    return Centres(points, diameters)


@torch.no_grad()
def read_maps(
    network: nn.Module,
    images: NDArray[np.uint8],
    read: Callable[[torch.Tensor], torch.Tensor],
    views: int = VIEWS,
    batch: int = 64,
) -> NDArray[np.float32]:
    """Return maps of stored windows averaged over flips; only for maps whose values have no direction.

    Args:
        network: in any mode; left in evaluation mode.
        images: (n, z, y, x) bytes.
        read: turns the network's maps into (n, channels, z, y, x).
        views: how many of the eight flips.
        batch: windows at once.
    """
    network.eval()
    found = []
    for start in range(0, len(images), batch):
        part = torch.from_numpy(scaled(hounsfield(images[start : start + batch])))[:, None]
        total = torch.zeros(1)
        for view in range(views):
            axes = [axis + 2 for axis in range(3) if view >> axis & 1]
            seen = part.flip(axes).contiguous(memory_format=torch.channels_last_3d)
            total = total + read(network(seen)).flip(axes)
        found.append((total / views).numpy())
    return np.concatenate(found)


def weak_auroc(network: nn.Module, windows: Windows, how: Pooling, sharpness: float = SHARPNESS) -> float:
    """Return the AUROC of the pooled logit, averaged over flips."""
    pooled = read_maps(network, windows.images, lambda maps: pool(maps, how, sharpness).view(-1, 1, 1, 1, 1))
    return auroc(windows.labels, pooled.ravel().astype(float))


def _plan(
    windows: Windows,
    options: NoduleOptions,
    stage: str,
    epochs: int,
    threads: int | None,
    centres: Centres | None = None,
) -> Plan:
    """The plan of a stage; its digest is that of everything that decides the weights."""
    settings: dict[str, Any] = {"stage": stage, "data": windows.digest, **asdict(options), "epochs": epochs}
    for name in ("weak_epochs", "centre_epochs"):  # more of the second stage leaves the first as it is
        del settings[name]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    digest.update(np.ascontiguousarray(windows.images).tobytes())
    if centres is not None:
        digest.update(np.nan_to_num(centres.points).round(3).tobytes())
    steps = steps_of(windows, epochs, options.batch)
    return Plan(
        steps=steps,
        learning_rate=options.learning_rate,
        warmup=WARMUP,
        weight_decay=DECAY,
        seed=options.seed,
        save_every=max(1, steps // max(1, epochs)),
        digest=digest.hexdigest(),
        threads=threads,
    )
