"""A small target in which a docking takes a fraction of a second: the ATP site of dockstring's ABL1 without the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.apps.drugs.structures import abl1
from xinglin.apps.drugs.target.box import Box
from xinglin.apps.drugs.target.target import Target

CENTER = (15.85, 14.65, 3.90)


def small_target(data: Path, radius: float = 9.0) -> Target:
    lines = (abl1(data) / "dockstring_ABL1_target.pdbqt").read_text().splitlines()
    kept = [
        line
        for line in lines
        if line.startswith("ATOM")
        and np.linalg.norm(np.array([float(line[30:38]), float(line[38:46]), float(line[46:54])]) - CENTER)
        < radius
    ]
    return Target("small", "\n".join(kept) + "\n", Box(CENTER, (9.0, 9.0, 9.0)))
