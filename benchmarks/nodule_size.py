"""Nodules cut out by density: their size against radiologists' and against masks, their type against texture ratings.

Cubes of luna16-nodule-cubes of the validation scans (the thresholds were set before and not changed after looking at
them). The place is the mask's centroid; the expected size is told in two ways, since a detector's is not exact.
Intervals: bootstrap over nodules; Wilson for rates.
"""

from __future__ import annotations

import csv
import io
import lzma
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._line import Line
from xinglin.measure import bootstrap, proportion

ROOT = Path(__file__).resolve().parents[1]
USUAL = 8.0
"""Millimetres, where the expected size is not told."""


@dataclass(frozen=True)
class Cube:
    """One cube of 50 mm with its mask and its row of the table."""

    hu: Any
    mask: Any
    row: dict[str, str]


def run(quick: bool) -> list[Line]:
    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data")) / "imaging"
    folder = data / "luna16-nodule-cubes"
    if not folder.is_dir():
        return [
            Line("nodule size", "MAE", None, "mm", 0, note="no data: set XINGLIN_DATA to the data folder")
        ]
    cubes = list(_cubes(folder, "valid", 2 if quick else None))
    lines: list[Line] = []
    for name, told in (("radiologists'", None), (f"always {USUAL:g} mm", USUAL)):
        lines += _sizes(cubes, f"expected size {name}", told)
    return lines + _types(cubes)


def _sizes(cubes: list[Cube], name: str, told: float | None) -> list[Line]:
    drawn = np.array([float(cube.row["ann_diameter_mm"]) for cube in cubes])
    masks = np.array([(6 * cube.mask.sum() / np.pi) ** (1 / 3) for cube in cubes])
    cut = [_cut(cube, told) for cube in cubes]
    done = np.array([one is not None for one in cut])
    ours = np.array([np.nan if one is None else one.diameter for one in cut])[done]
    share = proportion(int(done.sum()), len(done))
    median = np.abs(np.median(drawn[done]) - drawn[done])
    return [
        Line(
            name,
            "cut out",
            share.value,
            "",
            len(done),
            share.low,
            share.high,
            note="the rest: no border of its own",
        ),
        _mae(
            name,
            "against radiologists' diameter",
            np.abs(ours - drawn[done]),
            float(median.mean()),
            "always the median",
        ),
        _mae(
            name,
            "against the masks' ball",
            np.abs(ours - masks[done]),
            float(np.abs(masks - drawn)[done].mean()),
            "radiologists' against the masks'",
        ),
        _mae(name, "bias against radiologists'", ours - drawn[done]),
    ]


def _mae(
    name: str, figure: str, errors: Any, reference: float | None = None, called: str | None = None
) -> Line:
    found = bootstrap(lambda index: float(errors[index].mean()), len(errors), repetitions=1000)
    return Line(
        name, f"mean, {figure}", found.value, "mm", len(errors), found.low, found.high, reference, called
    )


def _types(cubes: list[Cube]) -> list[Line]:
    """LIDC texture: 1 is ground glass, 3 part-solid, 5 solid; calcification: 6 is absent (means of four readers)."""
    wanted: dict[str, list[bool]] = {
        "solid or calcified": [],
        "part-solid or ground glass": [],
        "calcified": [],
    }
    for cube in cubes:
        found, rated = _cut(cube, None), cube.row["lidc_texture"]
        if found is None or not rated:
            continue
        texture, calcium = float(rated), float(cube.row["lidc_calcification"])
        if texture >= 4.75:
            wanted["solid or calcified"].append(found.kind in ("solid", "calcified"))
        elif texture <= 3.5:
            wanted["part-solid or ground glass"].append(found.kind in ("part-solid", "non-solid"))
        if calcium <= 4:
            wanted["calcified"].append(found.kind == "calcified")
    lines = []
    for name, right in wanted.items():
        if not right:
            lines.append(Line("type", f"agrees: {name}", None, "", 0, note="none in the sample"))
            continue
        share = proportion(sum(right), len(right))
        lines.append(Line("type", f"agrees: {name}", share.value, "", share.n, share.low, share.high))
    return lines


def _cut(cube: Cube, told: float | None) -> Any:
    from xinglin.apps.imaging.segment import segment
    from xinglin.records.volumes.scan import Scan

    z, y, x = (float(cube.row[f"mc_{axis}"]) for axis in "zyx")
    scan = Scan(cube.hu, np.eye(4), "CT", "cube")
    return segment(scan, (z, y, x), told or float(cube.row["ann_diameter_mm"]))


def _cubes(folder: Path, split: str, shards: int | None) -> Iterator[Cube]:
    with (folder / "nodules.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    for shard in sorted({int(row["shard"]) for row in rows})[:shards]:
        images, packed = (_load(folder / f"{kind}_{shard:02d}.npy.xz") for kind in ("cubes", "masks"))
        masks = np.unpackbits(packed, axis=1)[:, :125000].reshape(-1, 50, 50, 50).astype(bool)
        for row in rows:
            if int(row["shard"]) == shard:
                at = int(row["row"])
                yield Cube(images[at].astype(np.int16) * 16 - 1000, masks[at], row)


def _load(path: Path) -> Any:
    return np.load(io.BytesIO(lzma.open(path).read()), allow_pickle=False)
