"""The nodule benchmark on a CT of full size: time, memory, and MONAI's inferer beside ours."""

from __future__ import annotations

import resource
import time

import numpy as np

from benchmarks._line import Line, aim
from benchmarks._nodule_world import World


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
