"""What every part of the nodule benchmark shares: the windows, the truth, the shipped detector, and how to score."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._line import Line, aim
from xinglin.measure import bootstrap
from xinglin.measure.localisation import auroc_figure, localisation

AIMS = {"auroc": (0.99, False), "hit_rate": (0.97, False), "median_mm": (0.7, True)}
Array = np.ndarray[Any, Any]


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


def figures(
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


def mae(name: str, found: Array, truth: Array, note: str) -> Line:
    off = np.abs(found - truth)
    figure = bootstrap(lambda index: float(off[index].mean()), len(off))
    return Line(name, "mean absolute error", figure.value, "mm", figure.n, figure.low, figure.high, note=note)


def points_of(answers: Sequence[Any], labels: Array) -> Array:
    return np.array([answer.nodule.point for answer, label in zip(answers, labels, strict=True) if label])
