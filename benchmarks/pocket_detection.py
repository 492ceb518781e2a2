"""Does the known site of a receptor lie in the box of a detected pocket?

Eleven proteins with a site known from a crystal ligand: six receptors of dockstring and four of MOOD (its JAK2 is in both
sets and counted once) by the centre of their published boxes, 1IEP by imatinib's centroid. Nothing was tuned on them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks._line import Line
from xinglin.measure import proportion

ROOT = Path(__file__).resolve().parents[1]
Array = NDArray[np.float64]


def run(quick: bool) -> list[Line]:
    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data")) / "molecules"
    if not (data / "docking-abl1").is_dir():
        return [Line("pockets", "hit rate", None, "", 0, note="no data: set XINGLIN_DATA to the data folder")]
    from xinglin.apps.drugs.target.detect import find_pockets
    from xinglin.apps.drugs.target.read import read_structure

    first, third, distances, missed = 0, 0, [], []
    cases = list(_cases(data))[: 2 if quick else None]
    for path, site in cases:
        structure = read_structure(path).structure
        atoms = np.array(
            [item.atom.pos.tolist() for item in structure[0].all() if not item.atom.is_hydrogen()]
        )
        pockets = find_pockets(atoms)
        held = [bool(pocket.box(1, 1).holds(site[None])[0]) for pocket in pockets]
        first += any(held[:1])
        third += any(held[:3])
        if not any(held[:1]):
            missed.append(path.name.split(".")[0])
        distances.append(
            min(float(np.linalg.norm(site - pocket.center)) for pocket in pockets[:1]) if pockets else np.inf
        )
    n = len(cases)
    lines = []
    for name, hits in (("in the first box", first), ("in one of the first three", third)):
        figure = proportion(hits, n)
        note = f"20 Å boxes; not in the first: {', '.join(missed) or 'none'}"
        lines.append(Line("known site", name, figure.value, "", n, figure.low, figure.high, note=note))
    lines.append(Line("distance to the first", "median", float(np.median(distances)), "Å", n))
    return lines


def _cases(data: Path) -> Iterator[tuple[Path, Array]]:
    folder = data / "docking-abl1"
    for conf in sorted(folder.glob("dockstring_*_conf.txt")):
        pairs = (line.split("=") for line in conf.read_text().splitlines() if "=" in line)
        values = {key.strip(): float(value) for key, value in pairs}
        site = np.array([values[f"center_{axis}"] for axis in "xyz"])
        yield conf.with_name(conf.name.replace("conf.txt", "target.pdbqt")), site
    boxes = json.loads((data / "docking-mood-5targets" / "boxes.json").read_text())
    for name, box in sorted(boxes.items()):
        if name != "jak2":
            yield data / "docking-mood-5targets" / f"{name}.pdbqt.gz", np.array(box["center"])
    from xinglin.apps.drugs.target.site import ligand_points

    yield folder / "1iep_receptorH.pdb", ligand_points(folder / "1iep_ligand.sdf").mean(axis=0)
