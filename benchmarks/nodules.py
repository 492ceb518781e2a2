"""Lung nodules with coordinates from window labels alone: validation scans of luna16-nodule-cubes.

231 validation windows (94 with a nodule) of scans that nothing was trained on; the choice between arms was made on
these, so their figures are optimistic. Coordinates are read here and nowhere in training. Intervals: bootstrap over
windows; Wilson for rates. Each part is kept once it is measured: a run of all takes up what was measured before with the
same data and the same shipped model, ``--only PART`` measures it anew, ``--only kept`` measures nothing.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._line import Line, aim
from benchmarks._nodule_assembled import assembled, cubes
from benchmarks._nodule_diameter import diameter
from benchmarks._nodule_masks import masks, masks_scratch
from benchmarks._nodule_scans import speed
from benchmarks._nodule_world import Array, World, figures, points_of
from xinglin.measure.localisation import auroc_figure

ROOT = Path(__file__).resolve().parents[1]


def run(quick: bool, only: Sequence[str] | None = None) -> list[Line]:
    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data")) / "imaging"
    if not (data / "luna16-nodule-cubes").is_dir():
        return [Line("nodules", "AUROC", None, "", 0, note="no data: set XINGLIN_DATA to the data folder")]
    lines: list[Line] = []
    world = World(data / "luna16-nodule-cubes", quick)
    if only == [KEPT]:
        return [line for part in MEASURES for line in _kept(world, part) or []]
    for part in only or [part for part in MEASURES if part not in DEAR]:
        if quick and part in LONG:
            continue
        lines += _measured(world, part, anew=bool(only))
    return lines


def _measured(world: World, part: str, *, anew: bool) -> list[Line]:
    """A part's lines: kept from an earlier run on the same data and the same shipped model, or measured now."""
    if not anew and not world.quick and (held := _kept(world, part)) is not None:
        return held
    print(part, file=sys.stderr, flush=True)
    lines = MEASURES[part](world)
    if not world.quick:
        day = datetime.now(UTC).date().isoformat()
        body = {"key": _of(world), "day": day, "lines": [asdict(line) for line in lines]}
        path = _path(part)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(body, ensure_ascii=False), encoding="utf-8")
    return lines


def _kept(world: World, part: str) -> list[Line] | None:
    """What was measured before with the same data and the same shipped model."""
    if not _path(part).is_file():
        return None
    held = json.loads(_path(part).read_text(encoding="utf-8"))
    if held["key"] != _of(world):
        return None
    print(f"{part}: measured before, on {held['day']}", file=sys.stderr, flush=True)
    return [Line(**line) for line in held["lines"]]


def _of(world: World) -> str:
    return f"{world.windows.digest} {world.detector.id}"


def _path(part: str) -> Path:
    from benchmarks._nodule_cells import KEEP

    return KEEP / f"part-{part}.json"


def _shipped(world: World) -> list[Line]:
    from xinglin.model.vision.images import hounsfield, scaled
    from xinglin.model.vision.reading import averaged, voted
    from xinglin.model.vision.runtime import InstanceMaps

    valid = world.valid
    answers = world.answers(valid.images)
    scores = np.array([answer.probability for answer in answers])
    lines = figures("shipped, fp32", world, scores, points_of(answers, valid.labels), aims=True)
    positives = valid.images[valid.labels == 1]
    maps = averaged(world.detector, scaled(hounsfield(positives)))
    alone = [
        voted(world.detector, map_, tuple(map(int, np.unravel_index(int(map_[0].argmax()), map_.shape[1:]))))
        for map_ in maps
    ]
    lines += figures("shipped, network's vote alone", world, scores, np.array([one.point for one in alone]))[
        1:
    ]
    small = world.answers(valid.images, InstanceMaps.load(world.shipped, precision="int8"))
    lines += figures(
        "shipped, int8", world, np.array([one.probability for one in small]), points_of(small, valid.labels)
    )
    blobs = [_blob(image) for image in valid.images]
    lines += figures(
        "blob detector (multi-scale LoG, no training)",
        world,
        np.array([one[1] for one in blobs]),
        np.array([one[0] for one, label in zip(blobs, valid.labels, strict=True) if label]),
    )
    middle = np.tile((np.array(valid.images.shape[1:]) - 1) / 2, (int(valid.labels.sum()), 1))
    lines += figures("always the window's middle", world, np.zeros(len(valid)), middle)[1:]
    return lines


def _blob(image: Array) -> tuple[Array, float]:
    """The strongest scale-normalised Laplacian anywhere in a window: no training at all."""
    from scipy.ndimage import gaussian_laplace

    from xinglin.model.vision.centring import SCALES, TOP, parabolic
    from xinglin.model.vision.images import hounsfield

    hu = np.minimum(hounsfield(image), TOP)
    responses = np.stack([-(s**2) * gaussian_laplace(hu, s, mode="nearest") for s in SCALES])
    best = np.unravel_index(int(responses.argmax()), responses.shape)
    return parabolic(responses[best[0]], tuple(map(int, best[1:]))), float(responses[best])


def _thick(world: World) -> list[Line]:
    from xinglin.train.nodules.augment import thick_slices

    lines = []
    valid = world.valid
    for thickness in (2.5, 5.0):
        matrix = thick_slices(valid.images.shape[1], thickness, thickness / 2)
        seen = np.einsum("ij,njyx->niyx", matrix, valid.images.astype(np.float32))
        answers = world.answers(np.clip(np.rint(seen), 0, 255).astype(np.uint8))
        scores = np.array([answer.probability for answer in answers])
        note = "averaged into thick slices and interpolated back to 1 mm"
        lines += figures(
            f"as if from {thickness:g} mm slices", world, scores, points_of(answers, valid.labels), note
        )
    return lines


def _cut(world: World) -> list[Line]:
    """The nodule replaced by a box of another window's nodule-free tissue, and a like box in every negative."""
    valid = world.valid
    centres, diameters = world.truth(valid)
    generator = np.random.default_rng(0)
    donors = np.flatnonzero(valid.labels == 0)
    images, positive = valid.images.copy(), 0
    for i, label in enumerate(valid.labels):
        which = positive if label else int(generator.integers(len(centres)))
        positive += int(label)
        half = int(np.ceil(diameters[which] / 2)) + 2
        middle = np.rint(centres[which]).astype(int)
        box = tuple(
            slice(max(0, m - half), min(n, m + half + 1))
            for m, n in zip(middle, images.shape[1:], strict=True)
        )
        donor = int(generator.choice(donors[donors != i]))
        images[i][box] = valid.images[donor][box]
    scores = np.array([answer.probability for answer in world.answers(images)])
    figure = auroc_figure(valid.labels, scores)
    note = (
        aim(figure.value, 0.6, "") + "; a box of tissue of another window, in positives and negatives alike"
    )
    return [Line("nodule cut out", "auroc", figure.value, "", figure.n, figure.low, figure.high, note=note)]


def _trained(world: World, name: str, found: dict[str, Any]) -> list[Line]:
    note = (
        f"{found['epochs']} epochs, {found['parameters']:,} parameters, {found['cpu']:.0f} s of CPU, one seed"
    )
    scores = np.array(found["logits"])
    lines = figures(f"{name}, raw peak", world, scores, np.array(found["raw"]), note)
    lines += figures(f"{name}, moved to the blob", world, scores, np.array(found["moved"]), note)[1:]
    return [line for line in lines if line.figure != "p90"]


def _pooling(world: World) -> list[Line]:
    from benchmarks._nodule_cells import weak_cell
    from xinglin.model.vision.cnn import OFFSET, STRIDE, ConvolutionalInstances
    from xinglin.model.vision.pooling import POOLINGS

    lines = []
    for how in POOLINGS:
        found = weak_cell(
            _key(world, f"pooling-{how}"),
            world.windows,
            lambda how=how: ConvolutionalInstances(attention=how == "attention"),  # type: ignore[misc]
            how=how,
            stride=STRIDE,
            first=OFFSET,
            epochs=_epochs(world),
        )
        lines += _trained(world, f"CNN, stage 1 only, {how}", found)
    return lines


def _stem(world: World) -> list[Line]:
    from xinglin.model.vision.vit import StemInstances, VitSize

    return _vit(
        world,
        "network-0",
        "ViT with convolutional stem, windowed attention",
        lambda: StemInstances(VitSize()),
    )


def _plain(world: World) -> list[Line]:
    """The plain ViT, from scratch and after masked pre-training on all cubes: the dearest part, run only when named."""
    from benchmarks._nodule_cells import pretrained
    from xinglin.model.vision.vit import TubeletInstances, VitSize

    size, steps = VitSize(), 4 if world.quick else 200
    lines = _vit(world, "network-1", "plain ViT, from scratch", lambda: TubeletInstances(size))
    return lines + _vit(
        world,
        "network-2",
        f"plain ViT, masked pre-training ({steps} steps)",
        lambda: TubeletInstances(size, encoder=pretrained(world.folder, size, steps)),
    )


def _vit(world: World, key: str, name: str, network: Callable[[], Any]) -> list[Line]:
    from benchmarks._nodule_cells import weak_cell
    from xinglin.model.vision.vit import TOKEN_OFFSET, TUBELET

    found = weak_cell(
        _key(world, key),
        world.windows,
        network,
        stride=TUBELET,
        first=TOKEN_OFFSET,
        epochs=_epochs(world),
        rate=1e-3,
    )
    return _trained(world, f"{name}, stage 1 only", found)


def _pneumonia(world: World) -> list[Line]:
    from benchmarks._pneumonia import scores

    labels, probabilities, note = scores(world.folder.parent / "pneumoniamnist" / "dev.npz", world.quick)
    figure = auroc_figure(labels, probabilities)
    note += "; validation part; published on the test part: ResNet-18 .944, auto-sklearn .942"
    return [Line("pneumoniamnist", "auroc", figure.value, "", figure.n, figure.low, figure.high, note=note)]


def _epochs(world: World) -> int:
    from benchmarks._nodule_cells import OPTIONS

    return 1 if world.quick else OPTIONS.weak_epochs


def _key(world: World, name: str) -> str:
    return f"quick-{name}" if world.quick else name


MEASURES: dict[str, Callable[[World], list[Line]]] = {
    "shipped": _shipped,
    "diameter": diameter,
    "thick": _thick,
    "cut": _cut,
    "cubes": cubes,
    "assembled": assembled,
    "speed": speed,
    "pooling": _pooling,
    "stem": _stem,
    "masks": masks,
    "masks_scratch": masks_scratch,
    "pneumonia": _pneumonia,
    "plain": _plain,
}
KEPT = "kept"
"""Shows what was measured before, and measures nothing."""
PARTS = (*MEASURES, KEPT)
DEAR = ("plain",)
"""Parts that run only when they are named: they did not fit the time there was."""
LONG = ("masks", "masks_scratch")
"""Parts that a quick run leaves out: each exports a network."""
