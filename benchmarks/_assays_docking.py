"""Docking scores of a library, for the order in which docking alone would have it measured.

AutoDock Vina at exhaustiveness 1, from SMILES, into the structures at hand: seconds a small molecule, half a minute a
flexible one. Scores are kept, ``BLOCK`` molecules at a time, so that an interrupted run goes on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._kept import Kept

RECEPTORS = ("CHEMBL1862_Ki", "CHEMBL2971_Ki", "CHEMBL204_Ki")
"""ABL1 (PDB 1IEP, box around imatinib), JAK2 (receptor and box of MOOD), thrombin (of DOCKSTRING)."""
BLOCK = 25
"""Molecules whose scores are kept together."""


def docking_scores(data: Path, target: str, smiles: Sequence[str]) -> NDArray[np.float64]:
    """Return kcal/mol, shape (n,); infinite where a molecule could not be docked: such are measured last."""
    from xinglin.apps.drugs.dock.options import DockOptions
    from xinglin.apps.drugs.dock.pool import Pool
    from xinglin.apps.drugs.dock.run import dock_many
    from xinglin.apps.drugs.dock.shelf import Shelf

    site = _site(data, target)
    options = DockOptions(exhaustiveness=1)
    digest = options.digest(site.digest)
    kept, shelf = Kept("docking", [digest, list(smiles)]), Shelf.home(digest)
    scores: list[float | None] = []
    with Pool(site, options, int(os.environ.get("XINGLIN_BENCH_WORKERS", "0")) or None) as pool:

        def docked(block: Sequence[str]) -> list[float | None]:
            return [row.score for row in dock_many(block, options, pool, shelf)]

        for start in range(0, len(smiles), BLOCK):
            block = smiles[start : start + BLOCK]
            scores += kept.get(f"{target} {start} of {len(smiles)}", partial(docked, block))
    return np.array([np.inf if score is None else score for score in scores])


def _site(data: Path, target: str) -> Any:
    from xinglin.apps.drugs.target.box import Box
    from xinglin.apps.drugs.target.prepare import prepare_target

    folder = data / "docking-abl1"
    match target:
        case "CHEMBL1862_Ki":
            return prepare_target(folder / "1iep_receptorH.pdb", reference=str(folder / "1iep_ligand.sdf"))
        case "CHEMBL2971_Ki":
            mood = data / "docking-mood-5targets"
            about = json.loads((mood / "boxes.json").read_text())["jak2"]
            return prepare_target(mood / "jak2.pdbqt.gz", box=Box.from_json(about))
        case "CHEMBL204_Ki":
            lines = (folder / "dockstring_F2_conf.txt").read_text().splitlines()
            read = {
                key.strip(): float(value) for key, value in (line.split("=") for line in lines if "=" in line)
            }
            box = {part: [read[f"{part}_{axis}"] for axis in "xyz"] for part in ("center", "size")}
            return prepare_target(folder / "dockstring_F2_target.pdbqt", box=Box.from_json(box))
        case _:
            raise ValueError(f"{target}: no structure; known: {', '.join(RECEPTORS)}")
