"""Fed-Heart-Disease by FLamby's protocol: four real hospitals, 740 patients, the same rows in the same parts.

UCI Heart Disease (Janosi, Steinbrunn, Pfisterer and Detrano 1988, CC BY 4.0); protocol and figures of owkin/FLamby
(Ogier du Terrail et al. 2022, arXiv 2210.04620), ``fed_heart_disease/dataset.py`` and ``results``: slope, ca and thal
dropped, then rows with a missing value; any disease against none; dummies for cp and restecg; two thirds of each
hospital to learn from. Where we differ: a column that does not vary at a hospital is left as it is, where FLamby
divides by 1e-9.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xinglin.federate.tasks.protocol import Files, Task

Array = np.ndarray[Any, Any]
SITES = ("cleveland", "hungarian", "switzerland", "va")
SIZES = {"cleveland": (199, 104), "hungarian": (172, 89), "switzerland": (30, 16), "va": (85, 45)}
DROPPED = ("slope", "ca", "thal")
TABLE: dict[str, Any] = {
    "target": "num",
    "negative": ["0"],
    "positive": ["1", "2", "3", "4"],
    "numeric": ["age", "sex", "trestbps", "chol", "fbs", "thalach", "exang", "oldpeak"],
    "categorical": ["cp=1|2|3|4", "restecg=0|1|2"],
    # Plausible bounds, written down without looking at the data (0 stands for an unmeasured chol in two hospitals).
    "lower": [20.0, 0.0, 80.0, 0.0, 0.0, 60.0, 0.0, -3.0],
    "upper": [90.0, 1.0, 220.0, 600.0, 1.0, 220.0, 1.0, 7.0],
}
PUBLISHED = {
    "pooled": (0.7953, 0.7353),
    "FedAdagrad": (0.7787, 0.7314),
    "FedAdam": (0.7787, 0.7255),
    "FedYogi": (0.7787, 0.7314),
    "FedAvg": (0.7480, 0.6850),
    "FedProx": (0.7480, 0.6850),
    "alone, cleveland": (0.7843, 0.7221),
    "alone, hungarian": (0.7268, 0.6287),
    "alone, switzerland": (0.4827, 0.5670),
    "alone, va": (0.6110, 0.6366),
}
"""Pooled test and mean of the hospitals' tests, means of seeds 42 to 46."""
PUBLISHED_PRIVATE = 0.6853
"""Mean of the hospitals' tests at eps 1, delta 1e-4."""


def write_hospitals(data: Path, folder: Path) -> dict[str, Path]:
    """Write each hospital's ``train.csv`` and ``test.csv``, with a manifest, and return the folders.

    Raises:
        ValueError: a part is not of FLamby's size.
    """
    from sklearn.model_selection import train_test_split

    from xinglin.records.manifest import Consent, build_manifest, write_manifest

    folders = {}
    for site in SITES:
        with (data / f"{site}.csv").open(encoding="utf-8", newline="") as stream:
            rows = [
                {name: value for name, value in row.items() if name not in DROPPED}
                for row in csv.DictReader(stream)
            ]
        rows = [row for row in rows if "?" not in row.values()]
        sick = [float(row["num"]) > 0 for row in rows]
        rare = min(sick.count(True), sick.count(False)) <= 2
        parts = train_test_split(
            np.arange(len(rows)),
            train_size=0.66,
            test_size=0.34,
            random_state=43,
            stratify=None if rare else sick,
        )
        if tuple(map(len, parts)) != SIZES[site]:
            raise ValueError(f"{site}: expected {SIZES[site]} rows, got {tuple(map(len, parts))}")
        folders[site] = folder / site
        folders[site].mkdir(parents=True)
        for part, places in zip(("train", "test"), parts, strict=True):
            with (folders[site] / f"{part}.csv").open("w", encoding="utf-8", newline="") as stream:
                writer = csv.DictWriter(stream, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows[place] for place in sorted(places))
        manifest = build_manifest(
            folders[site], name=f"heart-{site}", licence="CC-BY-4.0", consent=Consent(basis="open licence")
        )
        write_manifest(manifest, folders[site] / "manifest.json")
    return folders


def load(task: Task, folders: Mapping[str, Path], part: str) -> dict[str, Any]:
    """Return each hospital's examples of a part."""
    return {site: task.load(Files(folder, part)) for site, folder in folders.items()}


def folds(hospitals: Mapping[str, Any], count: int, seed: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return (learnt, held) parts of the training rows for cross-validation, stratified within each hospital."""
    from sklearn.model_selection import KFold, StratifiedKFold

    made: list[tuple[dict[str, Any], dict[str, Any]]] = [({}, {}) for _ in range(count)]
    for site, examples in hospitals.items():
        y = examples.targets.astype(int)
        kind = StratifiedKFold if np.bincount(y, minlength=2).min() >= count else KFold
        cuts = kind(count, shuffle=True, random_state=seed).split(y[:, None], y)
        for (learnt, held), (rest, asked) in zip(made, cuts, strict=True):
            learnt[site], held[site] = _part(examples, rest, rest), _part(examples, asked, rest)
    return made


def _part(examples: Any, places: Array, base: Array) -> Any:
    """Return some rows, standardised by the moments of the rows that are learnt from."""
    from dataclasses import replace

    centre, spread = examples.features[base].mean(axis=0), examples.features[base].std(axis=0, ddof=1)
    return replace(
        examples,
        features=examples.features[places],
        targets=examples.targets[places],
        centre=centre,
        spread=np.where(spread > 0, spread, 1.0).astype(np.float32),
    )


def hits(task: Any, states: Mapping[str, Any], tests: Mapping[str, Any]) -> dict[str, Array]:
    """Return which test rows of each hospital its model gets right at a threshold of one half."""
    return {
        site: (task.predict(states[site], examples) > 0.5) == (examples.targets > 0.5)
        for site, examples in tests.items()
    }


def figures(found: Mapping[str, Array]) -> tuple[float, float]:
    """Return accuracy over all rows, and the mean over hospitals."""
    return float(np.concatenate(list(found.values())).mean()), float(
        np.mean([one.mean() for one in found.values()])
    )


def interval(found: Sequence[Mapping[str, Array]]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return 95 % bootstrap intervals of both figures over test rows, hospital by hospital, of the mean over seeds."""
    generator = np.random.default_rng(0)
    each = {site: np.mean([one[site] for one in found], axis=0) for site in found[0]}
    drawn = [
        figures({site: row[generator.integers(0, len(row), len(row))] for site, row in each.items()})
        for _ in range(2000)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    return (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))
