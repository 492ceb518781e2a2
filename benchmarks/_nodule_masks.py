"""What cheap labels cost: the shipped detector, taught by yes and no, beside the same network taught by masks.

The masks of the training windows give each nodule's centre and the diameter of the ball with its volume; the loss, the
augmentation, the batches and the reading are those of the recipe. Two arms: *from scratch*, random weights and as many
steps as both stages of the shipped recipe together; and *from the weak features*, trained on for a few epochs. The
truth that scores all of them is the centre of the validation windows' masks, which favours the arms taught by masks.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._line import Line
from benchmarks._nodule_world import Array, World, figures, points_of
from xinglin.measure import bootstrap
from xinglin.measure.localisation import auroc

_SHARD = 200 * 50**3


def masks_scratch(world: World) -> list[Line]:
    """Random weights, masks of the training windows, as many epochs as the shipped recipe has in all."""
    import torch

    from xinglin.model.vision.cnn import ConvolutionalInstances
    from xinglin.train.nodules.recipe import NoduleOptions

    recipe = NoduleOptions()
    epochs = recipe.weak_epochs + recipe.centre_epochs
    torch.manual_seed(recipe.seed)
    start = ConvolutionalInstances(recipe.width, recipe.depth)
    found = _taught(world, "masks-scratch", start, epochs, recipe.learning_rate)
    note = (
        f"random weights, {epochs} epochs ({found['steps']} steps) on the masks of {found['nodules']} windows, as many "
        f"as the shipped recipe has on {found['windows']} labels; {found['cpu']:.0f} s of CPU, one seed"
    )
    return _lines(world, "masks, from scratch", found, note)


def masks(world: World) -> list[Line]:
    """The shipped network trained on with the masks' centres in place of found ones."""
    from xinglin.model.vision.networks import read_network

    weak, _ = read_network(world.shipped)
    found = _taught(world, "masks-on", weak, 4, 1e-3)
    note = f"the shipped features, 4 epochs on the masks of {found['nodules']} windows"
    return _lines(world, "masks, from the weak features", found, note)


def _taught(world: World, name: str, start: Any, epochs: int, rate: float) -> dict[str, Any]:
    """What the product says with a network that masks have taught: scores and places, kept once made."""
    from benchmarks._nodule_cells import KEEP, cell
    from xinglin.model.vision.runtime import InstanceMaps
    from xinglin.train.nodules.batches import Centres
    from xinglin.train.nodules.recipe import NoduleOptions, train_centres

    fit = world.windows.where(~world.windows.valid)
    points, sizes = np.full((len(fit), 3), np.nan), np.full(len(fit), np.nan)
    points[fit.labels == 1], sizes[fit.labels == 1] = mask_places(
        world.folder, fit.where(fit.labels == 1).ids
    )
    options = NoduleOptions(centre_epochs=epochs, learning_rate=rate)

    def make() -> dict[str, Any]:
        network, trained = train_centres(fit, Centres(points, sizes), start, options, KEEP / f"{name}.state")
        _write(network, KEEP / name, fit, {"epochs": epochs, "learning_rate": rate})
        answers = world.answers(world.valid.images, InstanceMaps.load(KEEP / name))
        return {
            "scores": [answer.probability for answer in answers],
            "points": points_of(answers, world.valid.labels).tolist(),
            "steps": len(trained.history),
            "nodules": int(fit.labels.sum()),
            "windows": len(fit),
        }

    return cell(name, make)


def mask_places(folder: Path, ids: tuple[str, ...]) -> tuple[Array, Array]:
    """Centres (n, 3) in voxels z, y, x and diameters (n,) in mm of the masks within windows."""
    from xinglin.model.vision.images import WINDOW, read_array

    with (folder / "windows_train_labels.csv").open() as file:
        windows = {row["window_id"]: row for row in csv.DictReader(file)}
    with (folder / "nodules.csv").open() as file:
        stored = {row["cube_id"]: (int(row["shard"]), int(row["row"])) for row in csv.DictReader(file)}
    shards: dict[int, Array] = {}
    centres, diameters = [], []
    for name in ids:
        row = windows[name]
        shard, place = stored[row["cube_id"]]
        if shard not in shards:
            shards[shard] = read_array(folder / f"masks_{shard:02d}.npy.xz", limit=_SHARD)
        cube = np.unpackbits(shards[shard][place])[: 50**3].reshape(50, 50, 50)
        low = [int(row[key]) for key in ("z0", "y0", "x0")]
        inside = np.argwhere(cube[tuple(slice(a, a + size) for a, size in zip(low, WINDOW, strict=True))])
        centres.append(inside.mean(0))
        diameters.append((6 * len(inside) / np.pi) ** (1 / 3))
    return np.array(centres), np.array(diameters)


def _write(network: Any, out: Path, fit: Any, settings: dict[str, Any]) -> None:
    """Seal a network of the benchmark, so that the product's own runtime reads it."""
    from xinglin.model.checkpoint import reseal_checkpoint, saving, seal_checkpoint
    from xinglin.model.vision.export import export_maps
    from xinglin.model.vision.images import hounsfield, scaled
    from xinglin.model.vision.networks import NetworkConfig, write_network
    from xinglin.train.nodules.recipe import NoduleOptions
    from xinglin.train.nodules.ship import CHANNELS

    recipe = NoduleOptions()
    with saving(out) as new:
        write_network(network, NetworkConfig(recipe.width, recipe.depth, CHANNELS), new)
        sealed = seal_checkpoint(
            new,
            name="lung-nodules-masks",
            kind="detector",
            data=[{"name": "luna16-nodule-cubes", "sha256": fit.digest, "records": len(fit), "licence": "Apache-2.0",
                   "weak": False}],
            settings={**settings, "supervision": "masks"},
            seeds=[recipe.seed],
            metrics={},
            limits="For a comparison only.",
        )  # fmt: skip
        network.eval()
        export_maps(network, new, sealed.id, scaled(hounsfield(fit.images[:64])))
        reseal_checkpoint(new)


def _lines(world: World, name: str, found: dict[str, Any], note: str) -> list[Line]:
    """The arm's own figures, and what the shipped detector loses against it on the same windows."""
    labels = world.valid.labels
    scores, points = np.array(found["scores"]), np.array(found["points"])
    lines = figures(name, world, scores, points, note)
    answers = world.answers(world.valid.images)
    weak = np.array([answer.probability for answer in answers])
    centres, _ = world.truth(world.valid)
    error, other = (np.linalg.norm(where - centres, axis=1) for where in (points_of(answers, labels), points))
    gap = error - other
    far = bootstrap(lambda index: float(gap[index].mean()), len(gap))
    ranked = bootstrap(
        lambda index: auroc(labels[index], weak[index]) - auroc(labels[index], scores[index]), len(labels)
    )
    cost = f"price of cheap labels, against {name}"
    return [
        *lines,
        Line(cost, "mean error, weak - masks", far.value, "mm", far.n, far.low, far.high, note="paired over nodules"),
        Line(cost, "auroc, weak - masks", ranked.value, "", ranked.n, ranked.low, ranked.high, note="paired over windows"),
    ]  # fmt: skip
