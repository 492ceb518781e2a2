"""The cubes' part of the align benchmark: attributes, retrieval, and where a sentence points, with baselines beside."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._line import Line
from xinglin.measure.intervals import Figure
from xinglin.measure.localisation import auroc, localisation
from xinglin.model.align.runtime import LungWords
from xinglin.model.shipped import shipped_folder
from xinglin.model.vision.images import hounsfield, scaled
from xinglin.model.vision.peaks import highest
from xinglin.model.vision.reading import averaged
from xinglin.model.vision.runtime import InstanceMaps
from xinglin.train.align.cubes import Cubes, read_rated
from xinglin.train.align.measured import DEPTHS, attributes, retrieval, windows_of
from xinglin.train.align.reports import queries
from xinglin.train.align.statements import by_key
from xinglin.train.nodules.windows import read_windows

FOLDER = "luna16-nodule-cubes"
GENERIC = ("结节", "肺结节", "nodule", "pulmonary nodule")
TRUTH = "windows_coordinates_eval_only.csv"


def lines(folder: Path, quick: bool) -> list[Line]:
    """Return the lines of this part."""
    told = os.environ.get("XINGLIN_WORDS")
    words = LungWords.load(Path(told) if told else shipped_folder("lung-words"))
    detector = InstanceMaps.load(shipped_folder("lung-nodules"))
    cubes = read_rated(folder, "check" if quick else "valid")
    split = "one in ten training scans" if quick else "validation scans"
    made = _attributes(words, cubes, split) + _retrieval(words, cubes, split)
    return made + _pointing(words, detector, folder, quick)


def _line(name: str, figure: str, found: Figure, **more: Any) -> Line:
    return Line(name, figure, found.value, "", found.n, found.low, found.high, **more)


def _attributes(words: LungWords, cubes: Cubes, split: str) -> list[Line]:
    """Each attribute beside two numbers that need no model: the annotated diameter, and the mean density inside it."""
    sizes = np.array([nodule.diameter for nodule in cubes.nodules])
    density = np.array(
        [_density(window, size) for window, size in zip(windows_of(cubes), sizes, strict=True)]
    )
    made, means = [], []
    for held in (True, False):
        for one in attributes(words, cubes, held=held):
            found = one.figure()
            name = f"attribute, words {'never seen' if held else 'of training'} ({split})"
            best = max(
                (
                    (
                        max(auroc(one.labels, values[one.kept]), 1 - auroc(one.labels, values[one.kept])),
                        called,
                    )
                    for values, called in ((sizes, "annotated diameter"), (density, "mean density"))
                )
            )
            note = f"told from: {one.contrast}; {int(one.labels.sum())} with it"
            if held:
                means.append(found.value)
                made.append(
                    _line(name, f"AUROC, {one.key}", found, reference=best[0],
                          reference_name=f"better of diameter and density, signed by hindsight: {best[1]}", note=note)
                )  # fmt: skip
            else:
                made.append(_line(name, f"AUROC, {one.key}", found, note=note))
    made.append(
        Line("attribute, words never seen", "mean of the attributes", float(np.mean(means)), "", len(means))
    )
    return made


def _density(window: Any, diameter: float) -> float:
    centre = (np.array(window.shape) - 1) / 2
    away = np.linalg.norm(np.indices(window.shape) - centre[:, None, None, None], axis=0)
    return float(hounsfield(window)[away <= max(diameter / 2, 1.5)].mean())


def _retrieval(words: LungWords, cubes: Cubes, split: str) -> list[Line]:
    found = retrieval(words, cubes)
    made = []
    for alike in (False, True):
        for reports in (True, False):
            for depth in DEPTHS:
                figure = found.figure(depth, reports=reports, alike=alike)
                way = "window -> report" if reports else "report -> window"
                right = "the own one or one with the same claims" if alike else "the own one alone"
                chance = found.chance(depth, reports=reports, alike=alike)
                made.append(
                    _line(f"retrieval, {way} ({split})", f"R@{depth}, {right}", figure, reference=chance,
                          reference_name="chance", note="templated whole reports in words never seen")
                )  # fmt: skip
    return made


def _pointing(words: LungWords, detector: InstanceMaps, folder: Path, quick: bool) -> list[Line]:
    """Does a sentence's map have its top at the nodule? Windows of the validation scans with one nodule anywhere."""
    with (folder / TRUTH).open() as file:
        truth = {row["window_id"]: row for row in csv.DictReader(file)}
    windows = read_windows(folder)
    valid = windows.where(windows.valid & (windows.labels == 1))
    if quick:
        valid = valid.where(np.arange(len(valid)) < 16)
    rows = [truth[name] for name in valid.ids]
    centres = np.array([[float(row[f"nodule_{axis}"]) for axis in "zyx"] for row in rows])
    diameters = np.array([float(row["diameter_mm"]) for row in rows])
    images = scaled(hounsfield(valid.images))
    shape = valid.images.shape[1:]
    places = np.concatenate([words.places(images[at : at + 16]) for at in range(0, len(images), 16)])
    asked = {
        "a nodule, in the plainest words": list(GENERIC),
        "spiculated nodule, words never seen": queries(by_key()["spiculated"], held=True),
        "malignant nodule, words never seen": queries(by_key()["malignant"], held=True),
    }
    points = {}
    for name, texts in asked.items():
        heat = np.mean([words.heat(places, sentence) for sentence in words.sentences(texts)], axis=0)
        points[name] = np.array([highest(map_, words.stride, words.offset, shape) for map_ in heat])
    maps = np.concatenate([averaged(detector, images[at : at + 16], 1) for at in range(0, len(images), 16)])[
        :, 0
    ]
    points["the detector's own map"] = np.array(
        [highest(map_, detector.stride, detector.offset, shape) for map_ in maps]
    )
    points["always the window's middle"] = np.tile((np.array(shape) - 1) / 2, (len(rows), 1))
    made = []
    for name, at in points.items():
        scores = localisation(at, centres, diameters)
        made.append(
            _line(
                f"where it points: {name}",
                "hit rate, max(3 mm, radius)",
                scores["hit_rate"],
                note="top of the map alone",
            )
        )
        error = scores["median_mm"]
        made.append(
            Line(f"where it points: {name}", "median", error.value, "mm", error.n, error.low, error.high)
        )
    return made
