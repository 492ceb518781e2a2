"""The nodule benchmark beyond windows: FROC on cubes, a CT of full size, MONAI's inferer beside ours."""

from __future__ import annotations

import csv
import json
import resource
import time

import numpy as np

from benchmarks._line import Line, aim
from benchmarks._nodule_world import World
from xinglin.measure.froc import RATES, Annotations, froc, match


def cubes(world: World) -> list[Line]:
    """FROC on 50 mm cubes of the validation scans: not whole scans, and every cube holds a nodule."""
    from xinglin.apps.imaging.slide import find_in_volume
    from xinglin.model.vision.images import hounsfield, read_array

    with (world.folder / "nodules.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "valid" and row["ann_x"]][
            : 4 if world.quick else None
        ]
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
        others = [place[::-1] for place in others]  # the table has x, y, z
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


def speed(world: World) -> list[Line]:
    """A CT of 512 x 512 x 300 laid with real cubes; both precisions and MONAI's inferer on the same network."""
    import torch
    from monai.inferers import sliding_window_inference

    from xinglin.apps.imaging.slide import find_in_volume, isotropic, volume_maps
    from xinglin.model.vision.images import hounsfield, scaled
    from xinglin.model.vision.networks import read_network
    from xinglin.model.vision.runtime import InstanceMaps
    from xinglin.train.nodules.windows import read_cubes

    tiles = read_cubes(world.folder)[:49]
    spacing = (1.0, 0.7, 0.7)
    slab = np.concatenate([np.concatenate(list(tiles[k : k + 7]), axis=2) for k in range(0, 49, 7)], axis=1)
    one = hounsfield(slab).astype(np.int16)  # 50 x 350 x 350 mm
    fine = np.repeat(np.repeat(one, 2, 1), 2, 2)  # half millimetres
    index = np.minimum((np.arange(512) * 0.7 * 2).astype(int), 699)
    ct = np.tile(fine[:, index][:, :, index], (6, 1, 1))
    if world.quick:
        ct = ct[:48, :100, :100]
    shape = " x ".join(map(str, ct.shape[::-1]))
    lines = []
    for precision in ("fp32", "int8"):
        network = InstanceMaps.load(world.shipped, precision=precision, threads=2)  # type: ignore[arg-type]
        start, cpu = time.perf_counter(), time.process_time()
        find_in_volume(network, ct, spacing)
        wall, used = time.perf_counter() - start, time.process_time() - cpu
        note = f"{used:.0f} s of CPU; nearly every window is read, for it is laid with lung alone; machine shared"
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
    part = part[:, : part.shape[1] // 16 * 16, : part.shape[2] // 16 * 16]
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
    said = f"correlation of the logits {agree:.3f}; it averages overlaps, we keep inner blocks"
    size = " x ".join(map(str, part.shape[::-1]))
    lines.append(
        Line(f"CT of {size} mm, window by window, one thread", "CPU", mine, "s", 1, reference=other,
             reference_name="MONAI sliding_window_inference, torch", note=said)
    )  # fmt: skip
    return lines
