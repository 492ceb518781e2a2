"""Batches that depend on the seed and the step alone, so that a resumed run sees what an uninterrupted one saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xinglin.model.align.networks import Aligned, features_of
from xinglin.model.align.runtime import MAX_TOKENS
from xinglin.model.sizes import MASK, PAD, UNK
from xinglin.model.tokenizer import SPECIAL
from xinglin.model.vision.cnn import OFFSET, STRIDE
from xinglin.model.vision.images import WINDOW, hounsfield, scaled
from xinglin.train.align.cubes import Cubes
from xinglin.train.align.reports import Text, plain, query, report, truth
from xinglin.train.align.statements import statements
from xinglin.train.nodules.augment import Changes, changed, turned, turned_point

if TYPE_CHECKING:
    from tokenizers import Tokenizer

QUERIES = 26
"""Short queries in a batch: two of every statement."""
EMPTY = 4
"""One window without a nodule to so many with one."""
JITTER = (5, 9, 9)
"""Voxels z, y, x by which a window's middle may lie off the nodule."""
HIDDEN = 0.1
"""Share of tokens that are hidden, so that no single word decides."""
STRANGE = 2
"""Unknown tokens put in at most: what it does not know shall not move it."""
GRID = tuple(size // STRIDE for size in WINDOW)
"""Places of a window along z, y, x."""
NEAR, FAR = 96, 160
"""Places at the nodule and away from it that are kept of a window, at most."""
LEAST = 3.0
"""Millimetres around a centre that are at the nodule, however small it is."""
AWAY = 3.0
"""Millimetres beyond the nodule's radius from which a place is away from it."""


def encoded(tokenizer: Tokenizer, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ids and mask, (n, tokens), cut at ``MAX_TOKENS``."""
    rows = [item.ids[:MAX_TOKENS] for item in tokenizer.encode_batch(list(texts))]
    ids = np.full((len(rows), max(map(len, rows))), PAD, dtype=np.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
    return ids, (ids != PAD).astype(np.int64)


def around(
    cubes: Cubes, index: int, shift: Sequence[int] = (0, 0, 0)
) -> tuple[NDArray[np.uint8], NDArray[np.float64] | None]:
    """Return the window of a cube around its nodule, moved by ``shift`` voxels inside the cube, and where in it that is."""
    image, centre = cubes.images[index], cubes.centres[index]
    starts = [
        int(np.clip(round(at) - size // 2 + move, 0, whole - size))
        for at, size, move, whole in zip(centre, WINDOW, shift, image.shape, strict=True)
    ]
    box = tuple(slice(start, start + size) for start, size in zip(starts, WINDOW, strict=True))
    return image[box], centre - starts


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the frozen trunk knows of some places of every window, computed once for the whole training."""

    features: NDArray[np.float16]
    """(windows, features, places)."""
    near: NDArray[np.bool_]
    """(windows, places): at the nodule."""
    far: NDArray[np.bool_]
    """Away from it."""
    owner: NDArray[np.int64]
    """(windows,): which cube; -1 for a window without a nodule."""


@torch.no_grad()
def prepare(cubes: Cubes, model: Aligned, *, views: int, empty: int, seed: int, changes: Changes) -> Prepared:
    """Look at every nodule ``views`` times, moved, turned and changed by chance, and at ``empty`` windows without one.

    Args:
        cubes: to train on.
        model: whose trunk looks.
        views: windows of each nodule.
        empty: windows without a nodule.
        seed: of every draw.
        changes: what may happen to a window.
    """
    generator = np.random.default_rng((seed, 7))
    owner = np.concatenate(
        [np.repeat(np.arange(len(cubes)), views), np.full(min(empty, len(cubes.empty)), -1)]
    )
    others = iter(generator.permutation(len(cubes.empty))[: (owner < 0).sum()])
    width = features_of(model.config)
    features = np.zeros((len(owner), width, NEAR + FAR), dtype=np.float16)
    near, far = (np.zeros((len(owner), NEAR + FAR), dtype=bool) for _ in range(2))
    for start in range(0, len(owner), 32):
        part = owner[start : start + 32]
        images = np.empty((len(part), 1, *WINDOW), dtype=np.float32)
        away = np.full((len(part), *GRID), np.inf)
        for row, index in enumerate(part):
            window, centre = (
                around(cubes, index, [int(generator.integers(-j, j + 1)) for j in JITTER])
                if index >= 0
                else (cubes.empty[int(next(others))], None)
            )
            flips, swap = generator.random(3) < 0.5, bool(generator.random() < 0.5)
            images[row, 0] = turned(changed(hounsfield(window), changes, generator), flips, swap)
            if centre is not None:
                away[row] = _distances(turned_point(centre, WINDOW, flips, swap))
        seen = torch.from_numpy(scaled(images)).contiguous(memory_format=torch.channels_last_3d)
        known = model.places.features(seen).flatten(2).numpy()
        for row, index in enumerate(part):
            radius = cubes.nodules[index].diameter / 2 if index >= 0 else 0.0
            flat = away[row].ravel()
            here = _some(np.flatnonzero(flat <= max(radius, LEAST)), NEAR, generator)
            there = _some(np.flatnonzero(flat > radius + AWAY), FAR, generator)
            features[start + row, :, : len(here)] = known[row][:, here]
            features[start + row, :, NEAR : NEAR + len(there)] = known[row][:, there]
            near[start + row, : len(here)] = True
            far[start + row, NEAR : NEAR + len(there)] = True
    return Prepared(features, near, far, owner)


def drawing(
    cubes: Cubes, prepared: Prepared, tokenizer: Tokenizer, batch: int, seed: int
) -> Callable[[int, int, int], dict[str, Tensor]]:
    """Return the function (step, process, processes) -> batch that the training loop calls."""
    views = [np.flatnonzero(prepared.owner == index) for index in range(len(cubes))]
    empty = np.flatnonzero(prepared.owner < 0)
    a_pass = len(cubes) // batch

    def draw(step: int, process: int, processes: int) -> dict[str, Tensor]:
        epoch, place = divmod(step, a_pass)
        order = np.random.default_rng((seed, epoch)).permutation(len(cubes))
        chosen = order[place * batch : (place + 1) * batch][process::processes]
        generator = np.random.default_rng((seed, 1, step, process))
        rows = [int(generator.choice(views[index])) for index in chosen]
        rows += generator.choice(empty, len(chosen) // EMPTY).tolist()
        texts: list[Text] = [report(cubes.nodules[index], generator) for index in chosen]
        asked = np.arange(QUERIES) % len(statements())
        texts += [query(statements()[at], generator) for at in asked]
        texts += [plain(generator), plain(generator)]
        known = np.array([[_answer(truth(text, cubes.nodules[index])) for text in texts] for index in chosen])
        np.fill_diagonal(known, 1)  # what it was written for is true of it
        ids, mask = encoded(tokenizer, [text.words for text in texts])
        ids, mask = _disturbed(ids, mask, generator)
        return {
            "features": torch.from_numpy(prepared.features[rows].astype(np.float32))[..., None, None],
            "near": torch.from_numpy(prepared.near[rows]),
            "far": torch.from_numpy(prepared.far[rows]),
            "input_ids": torch.from_numpy(ids),
            "attention_mask": torch.from_numpy(mask),
            "truth": torch.from_numpy(known),
            "meant": torch.from_numpy(np.concatenate([np.full(len(chosen), -1), asked, [-1, -1]])),
        }

    return draw


def _some(places: NDArray[np.int64], most: int, generator: np.random.Generator) -> NDArray[np.int64]:
    return places if len(places) <= most else generator.choice(places, most, replace=False)


def _answer(known: bool | None) -> int:
    return -1 if known is None else int(known)


def _distances(centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Millimetres from every place of a window to a voxel."""
    places = np.indices(GRID) * STRIDE + OFFSET
    return np.asarray(np.linalg.norm(places - centre[:, None, None, None], axis=0))


def _disturbed(
    ids: NDArray[np.int64], mask: NDArray[np.int64], generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hide some tokens, and put unknown ones in before the end."""
    hidden = (generator.random(ids.shape) < HIDDEN) & (ids >= len(SPECIAL))
    ids = np.where(hidden, MASK, ids)
    rows = []
    for row, many in zip(ids, mask.sum(1), strict=True):
        tokens = row[:many].tolist()
        for _ in range(int(generator.integers(0, STRANGE + 1))):
            tokens.insert(int(generator.integers(1, len(tokens))), UNK)
        rows.append(tokens[:MAX_TOKENS])
    made = np.full((len(rows), max(map(len, rows))), PAD, dtype=np.int64)
    for index, tokens in enumerate(rows):
        made[index, : len(tokens)] = tokens
    return made, (made != PAD).astype(np.int64)
