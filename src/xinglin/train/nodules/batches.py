"""Batches that depend on the seed and the step alone, so that a resumed run sees what an uninterrupted one saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xinglin.model.vision.images import hounsfield, scaled
from xinglin.train.nodules.augment import Changes, changed, turned, turned_point
from xinglin.train.nodules.windows import Windows


@dataclass(frozen=True, eq=False)
class Centres:
    """Where the positives' nodules are thought to be: found by the weak model, never read from a file."""

    points: NDArray[np.float64]
    """(n, 3) voxels z, y, x; NaN for windows without a nodule."""
    diameters: NDArray[np.float64]
    """(n,) mm; NaN likewise."""


def steps_of(windows: Windows, epochs: int, batch: int) -> int:
    """Return the steps of so many epochs; what does not fill a batch waits for another shuffle."""
    return epochs * (len(windows) // batch)


def drawing(
    windows: Windows, batch: int, seed: int, changes: Changes, centres: Centres | None = None
) -> Callable[[int, int, int], dict[str, Tensor]]:
    """Return the function (step, process, processes) -> batch that the training loop calls."""
    a_pass = len(windows) // batch

    def draw(step: int, process: int, processes: int) -> dict[str, Tensor]:
        epoch, place = divmod(step, a_pass)
        order = np.random.default_rng((seed, epoch)).permutation(len(windows))
        chosen = order[place * batch : (place + 1) * batch][process::processes]
        generator = np.random.default_rng((seed, 1, step, process))
        images = np.empty((len(chosen), 1, *windows.images.shape[1:]), dtype=np.float32)
        points = np.zeros((len(chosen), 3))
        for row, index in enumerate(chosen):
            flips, swap = generator.random(3) < 0.5, bool(generator.random() < 0.5)
            shape = windows.images.shape[1:]
            images[row, 0] = turned(
                changed(hounsfield(windows.images[index]), changes, generator), flips, swap
            )
            if centres is not None and windows.labels[index]:
                points[row] = turned_point(centres.points[index], shape, flips, swap)
        made = {
            "images": torch.from_numpy(scaled(images)).contiguous(memory_format=torch.channels_last_3d),
            "labels": torch.from_numpy(windows.labels[chosen].astype(np.float32)),
        }
        if centres is not None:
            sizes = np.where(windows.labels[chosen] > 0, centres.diameters[chosen], 1.0)
            made["centres"] = torch.from_numpy(points.astype(np.float32))
            made["diameters"] = torch.from_numpy(sizes.astype(np.float32))
        return made

    return draw
