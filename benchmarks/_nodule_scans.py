"""The nodule benchmark on a CT of full size: time, memory, and MONAI's inferer beside ours."""

from __future__ import annotations

import os
import resource
import time

import numpy as np

from benchmarks._line import Line, aim
from benchmarks._nodule_world import World
from xinglin.records.volumes.scan import Scan


def _chest(world: World) -> Scan:
    """A real chest (4.9 l of lung) brought from voxels of 4 mm to 512 x 512 x 300 of 0.52 x 0.52 x 1.05 mm."""
    from scipy.ndimage import zoom

    from xinglin.records.volumes import read_scan

    coarse = read_scan(world.folder.parent / "ct-sample-volumes" / "cip_ct-64.nrrd", stated="CT")
    values = coarse.array[36:44] if world.quick else coarse.array
    shape = (32, 128, 128) if world.quick else (300, 512, 512)
    factors = [wanted / size for wanted, size in zip(shape, values.shape, strict=True)]
    affine = coarse.affine.copy()
    affine[:3, :3] /= factors[::-1]
    return Scan(zoom(values, factors, order=1), affine, "CT", coarse.frame)


def speed(world: World) -> list[Line]:
    """A CT of 512 x 512 x 300: both precisions, and MONAI's inferer on the same network."""
    import torch
    from monai.inferers import sliding_window_inference

    from xinglin.apps.imaging.search import search_lungs
    from xinglin.apps.imaging.slide import isotropic, volume_maps
    from xinglin.model.vision.images import scaled
    from xinglin.model.vision.networks import read_network
    from xinglin.model.vision.runtime import InstanceMaps

    scan = _chest(world)
    shape = " x ".join(map(str, scan.array.shape[::-1]))
    lines = []
    for precision in ("fp32", "int8"):
        network = InstanceMaps.load(world.shipped, precision=precision, threads=2)  # type: ignore[arg-type]
        read = [0]
        start, cpu = time.perf_counter(), time.process_time()
        search_lungs(network, scan, report=lambda _, total, read=read: read.__setitem__(0, total))  # type: ignore[misc]
        wall, used = time.perf_counter() - start, time.process_time() - cpu
        note = f"{aim(wall, 60, 's')}; {used:.0f} s of CPU, {read[0]} windows, lung mask and centring included; load "
        note += f"{os.getloadavg()[0]:.1f}"
        lines.append(Line(f"CT of {shape}, {precision}, two threads", "wall", wall, "s", 1, note=note))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    note = aim(peak, 3, "GB") + "; whole process, torch and CT included"
    lines.append(Line(f"CT of {shape}", "peak memory", peak, "GB", 1, note=note))
    network = InstanceMaps.load(world.shipped)
    torch.set_num_threads(1)
    module, _ = read_network(world.shipped)
    middle = [size // 2 for size in scan.array.shape]
    around = tuple(slice(max(0, m - 70), m + 70) for m in middle)
    x, y, z = scan.spacing
    part = isotropic(scan.array[around], (z, y, x))[:48, :64, :64]
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
    # An odd number of slices ends in half a cell, which only we keep.
    shared = tuple(slice(min(sizes)) for sizes in zip(ours.shape[1:], theirs.shape[2:], strict=True))
    agree = np.corrcoef(ours[0][shared].ravel(), theirs[0, 0].numpy()[shared].ravel())[0, 1]
    said = f"correlation of the logits {agree:.3f}; it averages overlaps, we keep inner blocks"
    size = " x ".join(map(str, part.shape[::-1]))
    lines.append(
        Line(f"CT of {size} mm, window by window, one thread", "CPU", mine, "s", 1, reference=other,
             reference_name="MONAI sliding_window_inference, torch", note=said)
    )  # fmt: skip
    return lines
