"""What maps say: a window's logit, and where, by the votes of the instances around a top.

Channels of a map: ``logit``; with stage 2 also ``z``, ``y``, ``x`` (millimetres from the instance's own place to the
centre that it means) and ``size`` (logarithm of the diameter in mm).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.model.vision.centring import Place
from xinglin.model.vision.runtime import InstanceMaps, MapNetwork

Floats = NDArray[np.float32]
VIEWS = 8
"""Flips of a window that are averaged."""
VOTERS = 4.0
"""Millimetres around a top within which instances vote."""


@dataclass(frozen=True, slots=True)
class Found:
    """One place that the network means."""

    point: Place
    """Voxels z, y, x of the image, sub-voxel."""
    logit: float
    """Of the top instance."""
    diameter: float
    """Millimetres, by the instances' vote."""


def averaged(network: MapNetwork, images: Floats, views: int = VIEWS) -> Floats:
    """Return the maps of scaled images (n, z, y, x), averaged over the first ``views`` of the eight flips.

    An offset along a flipped axis changes its sign; everything else turns with the image.
    """
    signs = np.ones((len(network.channels), 1, 1, 1), dtype=np.float32)
    total = np.zeros(1, dtype=np.float32)
    for view in range(views):
        axes = tuple(axis for axis in range(3) if view >> axis & 1)
        turned = signs.copy()
        for axis in axes:
            if "zyx"[axis] in network.channels:
                turned[network.channels.index("zyx"[axis])] = -1
        seen = np.ascontiguousarray(np.flip(images, tuple(axis + 1 for axis in axes)))
        total = total + np.flip(network.maps(seen), tuple(axis + 2 for axis in axes)) * turned
    return np.asarray(total / views, dtype=np.float32)


def window_logits(network: InstanceMaps, maps: Floats) -> Floats:
    """Return one logit a window: the log-sum-exp of its instances, as in training."""
    logits = network.sharpness * maps[:, 0].reshape(len(maps), -1)
    top = logits.max(1, keepdims=True)
    pooled = np.log(np.exp(logits - top).mean(1)) + top[:, 0]
    return np.asarray(pooled / network.sharpness, dtype=np.float32)


def voted(network: InstanceMaps, maps: Floats, at: tuple[int, int, int]) -> Found:
    """Return the place that the instances around a top mean: each votes with its probability.

    Args:
        network: whose maps they are.
        maps: (channels, z, y, x) of one image.
        at: instance z, y, x of the top.
    """
    span = int(VOTERS // network.stride)
    low = [max(0, index - span) for index in at]
    high = [min(size, index + span + 1) for index, size in zip(at, maps.shape[1:], strict=True)]
    box = maps[(slice(None), *map(slice, low, high))].astype(float)
    places = np.indices(box.shape[1:]) + np.array(low)[:, None, None, None]
    away = np.linalg.norm((places - np.array(at)[:, None, None, None]) * network.stride, axis=0)
    weights = np.where(away <= VOTERS, 1 / (1 + np.exp(-box[0])), 0.0)
    means = places * network.stride + network.offset
    names = network.channels
    if "z" in names:
        means = means + np.stack([box[names.index(axis)] for axis in "zyx"])
        # An instance that votes for a place far away means something else than this top.
        weights = weights * (np.linalg.norm(means - _own(network, at), axis=0) <= VOTERS + network.stride)
    total = weights.sum()
    if not total > 0:
        z, y, x = _own(network, at).ravel().tolist()
        return Found((z, y, x), float(maps[(0, *at)]), float("nan"))
    z, y, x = ((means * weights).sum((1, 2, 3)) / total).tolist()
    size = (
        float((np.exp(box[names.index("size")]) * weights).sum() / total) if "size" in names else float("nan")
    )
    return Found((z, y, x), float(maps[(0, *at)]), size)


def _own(network: InstanceMaps, at: tuple[int, int, int]) -> NDArray[np.float64]:
    return (np.array(at, float) * network.stride + network.offset)[:, None, None, None]
