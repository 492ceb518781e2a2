"""Lung nodules with coordinates from window labels alone: validation scans of luna16-nodule-cubes.

231 validation windows (94 with a nodule) of scans that nothing was trained on; the choice between arms was made on
these, so their figures are optimistic. Coordinates are read here and nowhere in training. Intervals: bootstrap over
windows; Wilson for rates.
"""

from __future__ import annotations

import csv
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._line import Line, aim
from xinglin.measure import Figure, bootstrap
from xinglin.measure.froc import RATES, Annotations, froc, match
from xinglin.measure.localisation import auroc_figure, localisation

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("shipped", "thick", "cut", "cubes", "speed", "pooling", "networks", "masks", "pneumonia")
AIMS = {"auroc": (0.99, False), "hit_rate": (0.97, False), "median_mm": (0.7, True)}
Array = np.ndarray[Any, Any]


def run(quick: bool, only: Sequence[str] | None = None) -> list[Line]:
    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data")) / "imaging"
    if not (data / "luna16-nodule-cubes").is_dir():
        return [Line("nodules", "AUROC", None, "", 0, note="no data: set XINGLIN_DATA to the data folder")]
    lines: list[Line] = []
    world = World(data / "luna16-nodule-cubes", quick)
    for part in only or PARTS:
        if quick and part in ("masks",):
            continue
        print(part, file=sys.stderr, flush=True)
        lines += globals()[f"_{part}"](world)
    return lines


class World:
    """Windows, truth and the shipped detector, read once."""

    def __init__(self, folder: Path, quick: bool) -> None:
        from benchmarks._nodule_cells import smaller
        from xinglin.model.shipped import shipped_folder
        from xinglin.model.vision.runtime import InstanceMaps
        from xinglin.train.nodules.windows import read_windows

        self.folder, self.quick = folder, quick
        self.windows = smaller(read_windows(folder), quick)
        with (folder / "windows_coordinates_eval_only.csv").open() as file:
            self.places = {row["window_id"]: row for row in csv.DictReader(file)}
        self.valid = self.windows.where(self.windows.valid)
        self.shipped = shipped_folder("lung-nodules")
        self.detector = InstanceMaps.load(self.shipped)

    def truth(self, windows: Any) -> tuple[Array, Array]:
        """Centres and diameters of the positives, in order."""
        rows = [self.places[name] for name, label in zip(windows.ids, windows.labels, strict=True) if label]
        centres = [[float(row[f"nodule_{axis}"]) for axis in "zyx"] for row in rows]
        return np.array(centres), np.array([float(row["diameter_mm"]) for row in rows])

    def answers(self, images: Array, detector: Any = None) -> list[Any]:
        """What the product says of each window."""
        from xinglin.apps.imaging.windows import Frame, predict_windows

        frames = [Frame(str(i), (0.0, 0.0, 0.0), 1) for i in range(len(images))]
        return predict_windows(detector or self.detector, images, frames)


def _figures(
    name: str, world: World, scores: Array, points: Array, note: str = "", aims: bool = False
) -> list[Line]:
    centres, diameters = world.truth(world.valid)
    found = {"auroc": auroc_figure(world.valid.labels, scores)} | localisation(points, centres, diameters)
    lines = []
    for key, figure in found.items():
        said = note
        if aims and key in AIMS:
            limit, most = AIMS[key]
            said = aim(figure.value, limit, "mm" if key == "median_mm" else "", at_most=most)
        unit = "mm" if key.endswith("_mm") else ""
        lines.append(
            Line(
                name,
                key.removesuffix("_mm"),
                figure.value,
                unit,
                figure.n,
                figure.low,
                figure.high,
                note=said,
            )
        )
    return lines


def _mae(name: str, found: Array, truth: Array, note: str) -> Line:
    off = np.abs(found - truth)
    figure = bootstrap(lambda index: float(off[index].mean()), len(off))
    return Line(name, "mean absolute error", figure.value, "mm", figure.n, figure.low, figure.high, note=note)


def _points(answers: Sequence[Any], labels: Array) -> Array:
    return np.array([answer.nodule.point for answer, label in zip(answers, labels, strict=True) if label])


def _shipped(world: World) -> list[Line]:
    from xinglin.model.vision.images import hounsfield, scaled
    from xinglin.model.vision.reading import averaged, voted
    from xinglin.model.vision.runtime import InstanceMaps

    valid = world.valid
    answers = world.answers(valid.images)
    scores = np.array([answer.probability for answer in answers])
    lines = _figures("shipped, fp32", world, scores, _points(answers, valid.labels), aims=True)
    positives = valid.images[valid.labels == 1]
    maps = averaged(world.detector, scaled(hounsfield(positives)))
    alone = [
        voted(world.detector, map_, tuple(map(int, np.unravel_index(int(map_[0].argmax()), map_.shape[1:]))))
        for map_ in maps
    ]
    lines += _figures("shipped, network's vote alone", world, scores, np.array([one.point for one in alone]))[
        1:
    ]
    small = world.answers(valid.images, InstanceMaps.load(world.shipped, precision="int8"))
    lines += _figures(
        "shipped, int8", world, np.array([one.probability for one in small]), _points(small, valid.labels)
    )
    blobs = [_blob(image) for image in valid.images]
    lines += _figures(
        "blob detector (multi-scale LoG, no training)",
        world,
        np.array([one[1] for one in blobs]),
        np.array([one[0] for one, label in zip(blobs, valid.labels, strict=True) if label]),
    )
    middle = np.tile((np.array(valid.images.shape[1:]) - 1) / 2, (int(valid.labels.sum()), 1))
    lines += _figures("always the window's middle", world, np.zeros(len(valid)), middle)[1:]
    said = np.array([one.nodule.diameter for one, label in zip(answers, valid.labels, strict=True) if label])
    _, diameters = world.truth(valid)
    lines.append(_mae("diameter against LUNA16's", said, diameters, "windows of the validation scans"))
    lines.append(
        _mae("diameter against the masks'", said, _mask_diameters(world), "ball of the mask's volume")
    )
    lines.append(
        _mae("diameter, always the median", np.full(len(said), np.median(diameters)), diameters, "no model")
    )
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


def _mask_diameters(world: World) -> Array:
    """Diameter of the ball that has the mask's volume, of every positive validation window."""
    with (world.folder / "windows_train_labels.csv").open() as file:
        cube = {row["window_id"]: row["cube_id"] for row in csv.DictReader(file)}
    with (world.folder / "nodules.csv").open() as file:
        voxels = {row["cube_id"]: float(row["mask_voxels"]) for row in csv.DictReader(file)}
    names = [name for name, label in zip(world.valid.ids, world.valid.labels, strict=True) if label]
    return np.array([(6 * voxels[cube[name]] / np.pi) ** (1 / 3) for name in names])


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
        lines += _figures(
            f"as if from {thickness:g} mm slices", world, scores, _points(answers, valid.labels), note
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


def _cubes(world: World) -> list[Line]:
    """FROC on 50 mm cubes of the validation scans: not whole scans, and every cube holds a nodule."""
    import json

    from xinglin.apps.imaging.slide import find_in_volume
    from xinglin.model.vision.images import hounsfield, read_array

    with (world.folder / "nodules.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "valid"][: 4 if world.quick else None]
    shards = {
        shard: read_array(world.folder / f"cubes_{int(shard):02d}.npy.xz", limit=200 * 50**3)
        for shard in sorted({row["shard"] for row in rows})
    }
    matched = []
    for row in rows:
        hu = hounsfield(shards[row["shard"]][int(row["row"])])
        found = find_in_volume(world.detector, hu, (1.0, 1.0, 1.0), most=20, floor=-6.0)
        origin = np.array([float(row[f"origin_{axis}"]) for axis in "zyx"])
        own = np.array([float(row[f"ann_{axis}"]) for axis in "zyx"]) - origin
        if row["dir_xy"] == "-1":
            own[1:] *= -1
        # Other nodules of the cube and excluded findings count neither way: their sizes are not in the table.
        others = [*json.loads(row["luna_in"] or "[]"), *json.loads(row["exc_in"] or "[]")]
        others = [place for place in others if np.linalg.norm(np.subtract(place, own)) > 2.0]
        centres = np.array([own, *others], float).reshape(-1, 3)
        diameters = np.array([float(row["ann_diameter_mm"]), *([-1.0] * len(others))])
        excluded = np.array([False, *([True] * len(others))])
        marks = np.array([one.voxel for one in found], float).reshape(-1, 3)
        matched.append(
            match(marks, np.array([one.score for one in found]), Annotations(centres, diameters, excluded))
        )
    scored = froc(matched, repetitions=100 if world.quick else 1000)
    name = "FROC on 50 mm cubes (a cube as a scan)"
    note = "not whole scans: a cube is 1/100 of one and always holds a nodule, so this is no LUNA16 CPM"
    lines = [
        Line(
            name,
            "mean sensitivity",
            scored.cpm.value,
            "",
            scored.scans,
            scored.cpm.low,
            scored.cpm.high,
            note=note,
        )
    ]
    for rate, figure in zip(RATES, scored.sensitivity, strict=True):
        lines.append(
            Line(name, f"at {rate:g} a cube", figure.value, "", scored.scans, figure.low, figure.high)
        )
    return lines


def _speed(world: World) -> list[Line]:
    """A CT of 512 x 512 x 300 laid with real cubes; both precisions and MONAI's inferer on the same network."""
    import torch
    from monai.inferers import sliding_window_inference

    from xinglin.apps.imaging.slide import find_in_volume, isotropic, volume_maps
    from xinglin.model.vision.images import hounsfield, scaled
    from xinglin.model.vision.networks import read_network
    from xinglin.model.vision.runtime import InstanceMaps
    from xinglin.train.nodules.windows import read_cubes

    cubes = read_cubes(world.folder)[:49]
    spacing = (1.0, 0.7, 0.7)
    slab = np.concatenate([np.concatenate(list(cubes[k : k + 7]), axis=2) for k in range(0, 49, 7)], axis=1)
    one = hounsfield(slab).astype(np.int16)  # 50 x 350 x 350 mm
    fine = np.repeat(np.repeat(one, 2, 1), 2, 2)[:, ::1, ::1][:, :700, :700]
    index = np.minimum((np.arange(512) * 0.7 * 2).astype(int), 699)
    ct = np.tile(fine[:, index][:, :, index], (1 if world.quick else 6, 1, 1))
    shape = " x ".join(map(str, ct.shape[::-1]))
    lines = []
    for precision in ("fp32", "int8"):
        network = InstanceMaps.load(world.shipped, precision=precision, threads=2)  # type: ignore[arg-type]
        start, cpu = time.perf_counter(), time.process_time()
        find_in_volume(network, ct, spacing)
        wall, used = time.perf_counter() - start, time.process_time() - cpu
        note = f"{used:.0f} s of CPU; every window holds lung, a real CT has a third as many; machine shared"
        lines.append(
            Line(
                f"CT of {shape}, {precision}, two threads",
                "wall",
                wall,
                "s",
                1,
                note=aim(wall, 60, "s") + "; " + note,
            )
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    lines.append(
        Line(
            f"CT of {shape}",
            "peak memory",
            peak,
            "GB",
            1,
            note=aim(peak, 3, "GB") + "; whole process, torch and CT included",
        )
    )
    network = InstanceMaps.load(world.shipped)
    torch.set_num_threads(1)
    module, _ = read_network(world.shipped)
    part = isotropic(ct[:50], spacing)[:48, :160, :160]
    cpu = time.process_time()
    ours = volume_maps(network, part, inside=np.ones(part.shape, bool))
    mine = time.process_time() - cpu
    cpu = time.process_time()
    with torch.no_grad():
        theirs = sliding_window_inference(
            torch.from_numpy(scaled(part))[None, None],
            (20, 32, 32),
            8,
            module,
            overlap=(0.6, 0.5, 0.5),
            mode="constant",
        )
    other = time.process_time() - cpu
    agree = np.corrcoef(
        ours[0].ravel(), theirs[0, 0].numpy()[: ours.shape[1], : ours.shape[2], : ours.shape[3]].ravel()
    )[0, 1]
    lines.append(
        Line("160 x 160 x 48 mm, window by window, one thread", "CPU", mine, "s", 1, reference=other,
             reference_name="MONAI sliding_window_inference, torch", note=f"correlation of the logits {agree:.3f}; it averages overlaps, we keep inner blocks")
    )  # fmt: skip
    return lines


def _trained(world: World, name: str, found: dict[str, Any]) -> list[Line]:
    note = (
        f"{found['epochs']} epochs, {found['parameters']:,} parameters, {found['cpu']:.0f} s of CPU, one seed"
    )
    scores = np.array(found["logits"])
    lines = _figures(f"{name}, raw peak", world, scores, np.array(found["raw"]), note)
    lines += _figures(f"{name}, moved to the blob", world, scores, np.array(found["moved"]), note)[1:]
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
        )
        lines += _trained(world, f"CNN, stage 1 only, {how}", found)
    return lines


def _networks(world: World) -> list[Line]:
    from benchmarks._nodule_cells import pretrained, weak_cell
    from xinglin.model.vision.vit import TOKEN_OFFSET, TUBELET, StemInstances, TubeletInstances, VitSize

    size = VitSize()
    steps = 4 if world.quick else 200
    arms: dict[str, Callable[[], Any]] = {
        "ViT with convolutional stem, windowed attention": lambda: StemInstances(size),
        "plain ViT, from scratch": lambda: TubeletInstances(size),
        f"plain ViT, masked pre-training ({steps} steps)": lambda: TubeletInstances(
            size, encoder=pretrained(world.folder, size, steps)
        ),
    }
    lines = []
    for place, (name, network) in enumerate(arms.items()):
        found = weak_cell(
            _key(world, f"network-{place}"),
            world.windows,
            network,
            stride=TUBELET,
            first=TOKEN_OFFSET,
            rate=1e-3,
        )
        lines += _trained(world, f"{name}, stage 1 only", found)
    return lines


def _masks(world: World) -> list[Line]:
    """Stage 2 on the true centres in place of those that the weak model found: the price of cheap labels."""
    from benchmarks._nodule_cells import KEEP, cell
    from xinglin.model.vision.cnn import ConvolutionalInstances
    from xinglin.model.vision.runtime import InstanceMaps
    from xinglin.train.nodules.batches import Centres
    from xinglin.train.nodules.recipe import NoduleOptions, train_centres
    from xinglin.train.nodules.ship import write_detector

    fit = world.windows.where(~world.windows.valid)
    points, sizes = np.full((len(fit), 3), np.nan), np.full(len(fit), np.nan)
    points[fit.labels == 1], sizes[fit.labels == 1] = world.truth(fit)
    options = NoduleOptions()

    def make() -> dict[str, Any]:
        network, trained = train_centres(
            fit, Centres(points, sizes), ConvolutionalInstances(), options, KEEP / "masks.state"
        )
        write_detector(network, KEEP / "masks", options, world.windows, {"centres": trained})
        detector = InstanceMaps.load(KEEP / "masks")
        answers = world.answers(world.valid.images, detector)
        return {
            "scores": [answer.probability for answer in answers],
            "points": _points(answers, world.valid.labels).tolist(),
        }

    found = cell("masks", make)
    note = f"stage 2 alone on {int(fit.labels.sum())} true centres and sizes, {options.centre_epochs} epochs"
    lines = _figures("fully supervised", world, np.array(found["scores"]), np.array(found["points"]), note)
    answers = world.answers(world.valid.images)
    ours = _points(answers, world.valid.labels)
    centres, _ = world.truth(world.valid)
    gap = np.linalg.norm(ours - centres, axis=1) - np.linalg.norm(np.array(found["points"]) - centres, axis=1)
    figure: Figure = bootstrap(lambda index: float(gap[index].mean()), len(gap))
    lines.append(
        Line("price of cheap labels", "mean error, weak - full", figure.value, "mm", figure.n, figure.low, figure.high,
             note="paired over nodules")
    )  # fmt: skip
    return lines


def _pneumonia(world: World) -> list[Line]:
    from benchmarks._pneumonia import scores

    labels, probabilities, note = scores(world.folder.parent / "pneumoniamnist" / "dev.npz", world.quick)
    figure = auroc_figure(labels, probabilities)
    note += "; validation part; published on the test part: ResNet-18 .944, auto-sklearn .942"
    return [Line("pneumoniamnist", "auroc", figure.value, "", figure.n, figure.low, figure.high, note=note)]


def _key(world: World, name: str) -> str:
    return f"quick-{name}" if world.quick else name
