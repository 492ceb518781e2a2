"""Activity and toxicity from a training table: a fifth held back by the split that the official test set was made by.

MoleculeACE (30 targets, RMSE), TDC (7 tasks, AUROC), MoleculeNet's Tox21, ClinTox, SIDER and BACE, and on demand the
44,541 molecules of GSK3-beta in ExCAPE-DB. The official test labels are not here, so the methods of the papers that run
here are re-run on the same fifth: RF and SVM on ECFP as in MoleculeACE, RF on ECFP for classes. Nothing is chosen on the
fifth, but the kernels and the learners were compared on cross-validated parts of six MoleculeACE and four TDC tables
before: see docs/drugs-activity.md.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVR

from benchmarks._kept import Kept
from benchmarks._line import Line
from xinglin.measure import bootstrap
from xinglin.measure.localisation import auroc
from xinglin.model.molecule.fingerprints import ecfp
from xinglin.train.molecules.activity import ActivityOptions
from xinglin.train.molecules.tables import LONG, read_training
from xinglin.train.molecules.validation import back, figures, held_back

Array = NDArray[np.float64]
ROOT = Path(__file__).resolve().parents[1]
FILES = {
    "moleculeace": "moleculeace/train.csv.gz",
    "tdc-admet": "tdc-admet/train_valid.csv.gz",
    "tox21": "moleculenet/tox21_train_valid.csv.gz",
    "clintox": "moleculenet/clintox_train_valid.csv.gz",
    "sider": "moleculenet/sider_train_valid.csv.gz",
    "bace": "moleculenet/bace_train_valid.csv.gz",
}
LARGE = {"gsk3": "gsk3b-jnk3-excape/gsk3_dev.csv.gz"}
"""A table of which the kernel machine sees a part: a quarter of an hour, run where it is asked for."""
SMALL = "moleculeace-small"
"""The fifteen targets of fewer than 1,000 training molecules: minutes on a busy machine."""
FEWER = 1000
PARTS = (*FILES, *LARGE, SMALL)
QUICK = {"moleculeace": ("CHEMBL2047_EC50",), "tdc-admet": ("dili",)}
PUBLISHED = {"herg": 0.88, "ames": 0.87, "dili": 0.94, "bbb_martins": 0.92}
"""AUROC, best of TDC's board in 2022 (molecules/tdc-admet in the data folder)."""
ACE = "published on the official test set, another fifth: SVM-ECFP .671, GBM .695, RF .700 (van Tilborg et al. 2022)"
FIGURES = {
    "rmse": "RMSE",
    "rmse_cliffs": "RMSE of activity cliffs",
    "rmse_in_domain": "RMSE in the domain",
    "rmse_outside": "RMSE outside of it",
    "coverage": "share inside the 90 % interval",
    "auroc": "AUROC",
    "auroc_in_domain": "AUROC in the domain",
    "average_precision": "average precision",
    "rate": "share of label 1",
    "ece": "debiased calibration error",
    "width": "mean width of the interval",
    "in_domain": "share in the domain",
}


def run(quick: bool, only: Sequence[str] | None = None) -> list[Line]:
    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data")) / "molecules"
    if not data.is_dir():
        return [Line("activity", "RMSE", None, "", 0, note="no data: set XINGLIN_DATA to the data folder")]
    lines: list[Line] = []
    for part in only or (QUICK if quick else FILES):
        path = data / (FILES | LARGE)["moleculeace" if part == SMALL else part]
        lines += _part(part, path, QUICK.get(part) if quick else None)
    return lines


def _part(part: str, path: Path, names: Sequence[str] | None) -> list[Line]:
    """A table's lines; every data set is kept when it is done, so that a run that was cut off goes on."""
    state = Kept("activity", {"part": part, "names": names})
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    results: list[dict[str, Any]] = []
    for name in names or _names(path, FEWER if part == SMALL else None):
        results += state.get(f"{name}-{digest[:8]}", lambda name=name: _measured(path, name))
    state.done()
    lines = [line for result in results for line in _lines(part, result)]
    return _means(part, results) + lines if len(results) > 1 else lines


def _names(path: Path, fewer: int | None) -> list[str | None]:
    """Data sets of a table with one measurement a row; of one with a column a task there is one, without a name."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        column = next((name for name, _ in LONG if name in (rows.fieldnames or ())), None)
        counts = Counter(row[column] for row in rows) if column else {}
    return sorted(name for name, count in counts.items() if fewer is None or count < fewer) or [None]


def _measured(path: Path, name: str | None) -> list[dict[str, Any]]:
    """One data set's tasks."""
    training = read_training(path, only=None if name is None else [name])
    table = training.tables[0]
    options = replace(ActivityOptions(), split=training.split)
    aside = back(table, options)
    found = []
    for scored in held_back(table, options):
        one = {key: asdict(figure) for key, figure in figures(scored).items()}
        found.append(
            {"task": scored.task, "kind": scored.kind, "trained": scored.trained, "figures": one}
            | {"anchor": _anchor(table.smiles, table.labels[scored.task], aside, scored.kind)}
        )
    return found


def _anchor(smiles: Sequence[str], labels: Array, aside: NDArray[np.bool_], kind: str) -> float:
    """The floor on the same fifth: SVM of MoleculeACE for numbers, a random forest for classes, both on 1,024-bit ECFP4."""
    known = np.isfinite(labels)
    train, test = np.flatnonzero(known & ~aside), np.flatnonzero(known & aside)
    bits = ecfp(smiles, bits=1024).astype(np.float32)
    if kind == "number":
        mean, deviation = labels[train].mean(), labels[train].std()
        machine = SVR(C=3.0, gamma="scale", epsilon=0.1)
        machine.fit(bits[train], (labels[train] - mean) / deviation)
        answers = mean + deviation * machine.predict(bits[test])
        return float(np.sqrt(np.mean((answers - labels[test]) ** 2)))
    forest = RandomForestClassifier(200, random_state=0, n_jobs=1).fit(bits[train], labels[train])
    return auroc(labels[test].astype(np.int64), forest.predict_proba(bits[test])[:, 1])


def _lines(part: str, result: dict[str, Any]) -> list[Line]:
    number = result["kind"] == "number"
    name = f"{part} {result['task']}"
    lines = []
    for key, figure in result["figures"].items():
        head = key == ("rmse" if number else "auroc")
        lines.append(
            Line(
                name,
                FIGURES[key],
                figure["value"],
                "",
                figure["n"],
                figure["low"],
                figure["high"],
                result["anchor"] if head else None,
                ("SVM" if number else "RF") + " on ECFP4, same fifth" if head else None,
                _note(key, result),
            )
        )
    return lines


def _note(key: str, result: dict[str, Any]) -> str:
    if key == "coverage":
        return "aim .90"
    if key in ("rmse", "auroc"):
        board = PUBLISHED.get(result["task"])
        return f"fitted on {result['trained']}" + (f"; TDC's board, another split: {board}" if board else "")
    return ""


def _means(part: str, results: Sequence[dict[str, Any]]) -> list[Line]:
    """Means over tasks of one kind; the interval is over tasks (bootstrap), paired with the floor where there is one."""
    lines = []
    for kind, head in (("number", "rmse"), ("probability", "auroc")):
        some = [result for result in results if result["kind"] == kind]
        if len(some) < 2:
            continue
        for key in [key for key in FIGURES if all(key in result["figures"] for result in some)]:
            values = np.array([result["figures"][key]["value"] for result in some])
            mean = bootstrap(lambda index, values=values: float(values[index].mean()), len(values))
            floor = float(np.mean([result["anchor"] for result in some])) if key == head else None
            shown = "SVM on ECFP4, same fifths" if kind == "number" else "RF on ECFP4, same fifths"
            note = ACE if part.startswith("moleculeace") and key == head else ""
            lines.append(
                Line(
                    f"{part} mean of {len(some)} tasks",
                    FIGURES[key],
                    mean.value,
                    "",
                    mean.n,
                    mean.low,
                    mean.high,
                    floor,
                    shown if floor is not None else None,
                    note,
                )
            )
        gains = np.array([result["figures"][head]["value"] - result["anchor"] for result in some])
        gain = bootstrap(lambda index, gains=gains: float(gains[index].mean()), len(gains))
        lines.append(
            Line(
                f"{part} mean of {len(some)} tasks",
                f"{FIGURES[head]}, ours minus the floor's",
                gain.value,
                "",
                gain.n,
                gain.low,
                gain.high,
                note="an RMSE is better below 0" if kind == "number" else "an AUROC is better above 0",
            )
        )
    return lines
