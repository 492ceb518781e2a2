"""Batches that depend on the seed and the step alone, so that a resumed run sees what an uninterrupted one saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xinglin.model.align.runtime import MAX_TOKENS
from xinglin.model.sizes import MASK, PAD
from xinglin.model.vision.images import WINDOW, hounsfield, scaled
from xinglin.train.align.cubes import Cubes
from xinglin.train.align.reports import Text, plain, query, report, truth
from xinglin.train.align.statements import statements
from xinglin.train.nodules.augment import Changes, changed, turned

if TYPE_CHECKING:
    from tokenizers import Tokenizer

QUERIES = 26
"""Short queries in a batch: two of every statement."""
EMPTY = 4
"""One window without a nodule to so many with one."""
JITTER = (5, 9, 9)
"""Voxels z, y, x by which a window's middle may lie off the nodule."""
MASKED = 0.08
"""Share of tokens that are hidden, so that no single word decides."""


def encoded(tokenizer: Tokenizer, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ids and mask, (n, tokens), cut at ``MAX_TOKENS``."""
    rows = [item.ids[:MAX_TOKENS] for item in tokenizer.encode_batch(list(texts))]
    ids = np.full((len(rows), max(map(len, rows))), PAD, dtype=np.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
    return ids, (ids != PAD).astype(np.int64)


def middle(cubes: Cubes, index: int, shift: Sequence[int] = (0, 0, 0)) -> NDArray[np.uint8]:
    """Return the window of a cube around its nodule, moved by ``shift`` voxels, inside the cube."""
    image = cubes.images[index]
    starts = [
        int(np.clip(round(centre) - size // 2 + move, 0, whole - size))
        for centre, size, move, whole in zip(cubes.centres[index], WINDOW, shift, image.shape, strict=True)
    ]
    return image[tuple(slice(start, start + size) for start, size in zip(starts, WINDOW, strict=True))]


def drawing(
    cubes: Cubes, tokenizer: Tokenizer, batch: int, seed: int, changes: Changes
) -> Callable[[int, int, int], dict[str, Tensor]]:
    """Return the function (step, process, processes) -> batch that the training loop calls."""
    a_pass = len(cubes) // batch

    def draw(step: int, process: int, processes: int) -> dict[str, Tensor]:
        epoch, place = divmod(step, a_pass)
        order = np.random.default_rng((seed, epoch)).permutation(len(cubes))
        chosen = order[place * batch : (place + 1) * batch][process::processes]
        generator = np.random.default_rng((seed, 1, step, process))
        windows = [
            middle(cubes, index, [int(generator.integers(-j, j + 1)) for j in JITTER]) for index in chosen
        ]
        windows += [
            cubes.empty[int(i)] for i in generator.integers(0, len(cubes.empty), len(chosen) // EMPTY)
        ]
        images = np.empty((len(windows), 1, *WINDOW), dtype=np.float32)
        for row, window in enumerate(windows):
            flips, swap = generator.random(3) < 0.5, bool(generator.random() < 0.5)
            images[row, 0] = turned(changed(hounsfield(window), changes, generator), flips, swap)
        texts: list[Text] = [report(cubes.nodules[index], generator) for index in chosen]
        texts += [query(statements()[at % len(statements())], generator) for at in range(QUERIES)]
        texts += [plain(generator), plain(generator)]
        known = np.zeros((len(windows), len(texts)), dtype=np.int64)
        for row, index in enumerate(chosen):
            answers = [truth(text, cubes.nodules[index]) for text in texts]
            known[row] = [-1 if answer is None else int(answer) for answer in answers]
        np.fill_diagonal(known[: len(chosen), : len(chosen)], 1)  # what it was written for is true of it
        ids, mask = encoded(tokenizer, [text.words for text in texts])
        hidden = (generator.random(ids.shape) < MASKED) & (ids >= len("PCSMU"))
        return {
            "images": torch.from_numpy(scaled(images)).contiguous(memory_format=torch.channels_last_3d),
            "input_ids": torch.from_numpy(np.where(hidden, MASK, ids)),
            "attention_mask": torch.from_numpy(mask),
            "truth": torch.from_numpy(known),
            "reports": torch.arange(len(texts)) < len(chosen),
        }

    return draw
