"""FROC on assembled scans: real cubes of the validation scans set into a real CT of another patient.

No whole scans with truth are at hand, so whole scans are assembled: all cubes of one validation scan go into a background
that is turned by a random choice of flips. What is not real: the seams around a cube, and that a cube may lie
where it would not in a body. Whatever the detector marks outside a nodule counts as false, at a seam or in a background
whose own nodules nobody annotated. The scan is then read as the product reads one: lung mask, windows, tops.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._line import Line
from benchmarks._nodule_world import Array, World
from xinglin.measure import bootstrap, proportion
from xinglin.measure.froc import RATES, Annotations, Froc, Matched, froc, match
from xinglin.measure.localisation import SLACK

BACKGROUNDS = (("chest_cardiac_1p5mm_a.nii.gz", "heart and 1.9 l of lung around it, 1.5 mm, contrast", 10),)
"""File, what it shows, and how many scans are assembled in it."""
CUBES = 40
"""Of the validation cubes, the first in the table (they stand in random order)."""
TRIES = 300
"""Random places of a cube, of which the one with most lung is taken."""
MOST, LEAST = 100, -6.0
"""Marks of a scan at most, and the lowest logit of one: FROC reads far down the list."""


@dataclass(frozen=True)
class Cube:
    """One cube with what the readers marked in it; places in its own voxels z, y, x (1 mm)."""

    hu: Array
    centres: Array
    """(nodules, 3); the first is the cube's own nodule, which counts; the others do not (their sizes are not told)."""
    diameters: Array
    scan: str


def validation_cubes(folder: Path, most: int | None = None) -> list[Cube]:
    """Read the cubes of the validation scans whose nodule LUNA16 lists."""
    from xinglin.model.vision.images import hounsfield, read_array

    with (folder / "nodules.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "valid" and row["ann_x"]][:most]
    shards = {
        shard: read_array(folder / f"cubes_{int(shard):02d}.npy.xz", limit=200 * 50**3)
        for shard in sorted({row["shard"] for row in rows})
    }
    return [_cube(row, shards[row["shard"]][int(row["row"])], hounsfield) for row in rows]


def _cube(row: dict[str, str], image: Array, hounsfield: Any) -> Cube:
    origin = np.array([float(row[f"origin_{axis}"]) for axis in "zyx"])
    own = np.array([float(row[f"ann_{axis}"]) for axis in "zyx"]) - origin
    if row["dir_xy"] == "-1":
        own[1:] *= -1
    others = [*json.loads(row["luna_in"] or "[]"), *json.loads(row["exc_in"] or "[]")]
    others = [place[::-1] for place in others]  # the table has x, y, z
    others = [place for place in others if np.linalg.norm(np.subtract(place, own)) > 2.0]
    inside = tuple(slice(0, int(row[f"valid_{axis}"])) for axis in "zyx")
    return Cube(
        hounsfield(image)[inside],
        np.array([own, *others], float).reshape(-1, 3),
        np.array([float(row["ann_diameter_mm"]), *([-1.0] * len(others))]),
        row["seriesuid"],
    )


def lines_of(name: str, scored: Froc, a: str, note: str) -> list[Line]:
    """The mean over the seven rates, then each; ``a``: of what false positives are counted per."""
    mean = scored.cpm
    lines = [Line(name, "mean sensitivity", mean.value, "", scored.scans, mean.low, mean.high, note=note)]
    for rate, figure in zip(RATES, scored.sensitivity, strict=True):
        lines.append(
            Line(name, f"at {rate:g} a {a}", figure.value, "", scored.scans, figure.low, figure.high)
        )
    return lines


def cubes(world: World) -> list[Line]:
    """FROC on 50 mm cubes of the validation scans: not whole scans, and every cube holds a nodule."""
    from xinglin.apps.imaging.slide import search_volume

    matched = []
    for cube in validation_cubes(world.folder, 4 if world.quick else CUBES):
        found = search_volume(world.detector, cube.hu, (1.0, 1.0, 1.0), most=20, floor=LEAST).candidates
        places = np.array([one.voxel for one in found], float).reshape(-1, 3)
        truth = Annotations(cube.centres, cube.diameters, cube.diameters < 0)
        matched.append(match(places, np.array([one.score for one in found]), truth))
    note = "not whole scans: a cube is 1/100 of one and always holds a nodule, so this is no LUNA16 CPM"
    scored = froc(matched, repetitions=100 if world.quick else 1000)
    return lines_of("FROC on 50 mm cubes (a cube as a scan)", scored, "cube", note)


def assembled(world: World) -> list[Line]:
    """FROC on assembled scans, by LUNA16's rule (nearer than the radius) and by max(3 mm, radius)."""
    by_scan: dict[str, list[Cube]] = defaultdict(list)
    for cube in validation_cubes(world.folder, 6 if world.quick else None):
        by_scan[cube.scan].append(cube)
    names = sorted(by_scan)
    order = np.random.default_rng(0).permutation(len(names)).tolist()
    lines: list[Line] = []
    for file, shown, count in BACKGROUNDS:
        chosen, order = order[: 1 if world.quick else count], order[count:]
        path = world.folder.parent / "ct-sample-volumes" / file
        found = [_scan(world, path, by_scan[names[at]], at) for at in chosen]
        nodules = sum(int((truth.diameters > 0).sum()) for _, _, truth in found)
        note = f"assembled, {nodules} nodules of {len(found)} patients in one background: {shown}"
        strict = [match(places, scores, truth) for places, scores, truth in found]
        slack = [
            match(places, scores, replace(truth, diameters=_widened(truth)))
            for places, scores, truth in found
        ]
        for rule, matched in (("radius", strict), (f"max({SLACK:g} mm, radius)", slack)):
            scored = froc(matched, repetitions=100 if world.quick else 1000)
            lines += lines_of(f"FROC on assembled scans, {file.split('.')[0]}, {rule}", scored, "scan", note)
        lines += _listed(f"what is listed of assembled scans, {file.split('.')[0]}", strict)
    return lines


def _listed(name: str, scans: list[Matched]) -> list[Line]:
    """What a reader gets: every mark above the floor of a report."""
    from xinglin.apps.imaging.slide import FLOOR

    hits, nodules = sum(int((one.hits > FLOOR).sum()) for one in scans), sum(one.nodules for one in scans)
    found = proportion(hits, nodules)
    wrong = np.array([(one.false > FLOOR).sum() for one in scans], float)
    figure = bootstrap(lambda index: float(wrong[index].mean()), len(wrong))
    note = f"every mark with a logit above {FLOOR:g}, without the bound of 50 a report"
    return [
        Line(name, "nodules hit, radius rule", found.value, "", nodules, found.low, found.high, note=note),
        Line(name, "false marks a scan", figure.value, "", len(wrong), figure.low, figure.high, note=note),
    ]


def _scan(world: World, path: Path, chosen: list[Cube], seed: int) -> tuple[Array, Array, Annotations]:
    """Assemble and read one scan, or take it from an earlier run: so that a run that was stopped goes on."""
    from benchmarks._nodule_cells import cell

    def make() -> dict[str, Any]:
        return _read(world, _background(path), chosen, np.random.default_rng(seed))

    name = f"assembled-{path.name.split('.')[0]}-{seed}-{world.detector.id[:12]}"
    body = make() if world.quick else cell(name, make)
    places, centres = (np.array(body[key], float).reshape(-1, 3) for key in ("places", "centres"))
    scores, diameters = np.array(body["scores"], float), np.array(body["diameters"], float)
    return places, scores, Annotations(centres, diameters, diameters < 0)


@cache
def _background(path: Path) -> tuple[Array, Array]:
    """A real CT at 1 mm and its lungs."""
    from xinglin.apps.imaging import isotropic, lung_mask
    from xinglin.records.volumes import read_scan

    scan = isotropic(read_scan(path, stated="CT"), 1.0)
    return np.rint(scan.array).astype(np.int16), np.stack(list(lung_mask(scan).on(scan)))


def _read(
    world: World, background: tuple[Array, Array], chosen: list[Cube], generator: np.random.Generator
) -> dict[str, Any]:
    """Assemble one scan and read it: marks, scores, truth."""
    from xinglin.apps.imaging import lung_mask
    from xinglin.apps.imaging.slide import search_volume
    from xinglin.records.volumes.scan import Scan

    axes = tuple(axis for axis in (0, 2) if generator.random() < 0.5)  # the back stays where it is
    hu, lungs = (np.flip(one, axes).copy() for one in background)
    centres, diameters = place(hu, lungs, chosen, generator)
    scan = Scan(hu, np.eye(4), "CT", "assembled")
    inside = np.stack(list(lung_mask(scan).on(scan)))
    found = search_volume(world.detector, hu, (1.0, 1.0, 1.0), mask=inside, most=MOST, floor=LEAST)
    marks = found.candidates
    return {
        "places": [list(one.voxel) for one in marks],
        "scores": [one.score for one in marks],
        "centres": centres.tolist(),
        "diameters": diameters.tolist(),
    }


def place(hu: Array, lungs: Array, chosen: list[Cube], generator: np.random.Generator) -> tuple[Array, Array]:
    """Write cubes into a background, none over another, each where most lung is; return centres and diameters."""
    taken = np.zeros(hu.shape, bool)
    centres, diameters = [], []
    for cube in chosen:
        room = np.array(hu.shape) - cube.hu.shape
        best, share = None, -1.0
        for low in generator.integers(0, room + 1, (TRIES, 3)):
            box = tuple(slice(a, a + n) for a, n in zip(low.tolist(), cube.hu.shape, strict=True))
            if not taken[box].any() and (found := float(lungs[box].mean())) > share:
                best, share = box, found
        if best is None:
            continue  # no room left: its nodules do not count
        hu[best], taken[best] = cube.hu, True
        centres.append(cube.centres + [one.start for one in best])
        diameters.append(cube.diameters)
    return np.concatenate(centres), np.concatenate(diameters)


def _widened(truth: Annotations) -> Array:
    """Diameters whose radius is at least ``SLACK``, where a nodule counts."""
    return np.where(truth.diameters > 0, np.maximum(truth.diameters, 2 * SLACK), truth.diameters)
