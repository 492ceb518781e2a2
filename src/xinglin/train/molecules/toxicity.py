"""The shipped toxicity models: six public data sets, one calibrated model a task, in one folder."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from xinglin.errors import MissingDataError
from xinglin.model.molecule.activity import Panel
from xinglin.model.molecule.saved import load_panels, save_panels
from xinglin.train.molecules.activity import ActivityOptions, fit_panel
from xinglin.train.molecules.tables import read_training
from xinglin.train.molecules.validation import figures, validated
from xinglin.types import DISCLAIMER

NAME = "molecules-toxicity"
FIGURES = ("auroc", "average_precision", "rate", "ece")
TDC = "CC BY 4.0 (Therapeutics Data Commons, Huang et al. 2021); the original sources state none"
MOLECULENET = (
    "public MoleculeNet sets (Wu et al. 2018) from DeepChem's repository, MIT; no separate licence text"
)
LIMITS_ZH = (
    "仅供分子设计与筛选时排序参考:由公开实验数据训练,不能证明任何分子无毒,不得用于人体用药或安全性结论;"
    "适用域外的预测不可采信。"
)
LIMITS_EN = (
    "For ranking in design and screening only: fitted on public assays, it proves no molecule safe, and nothing about "
    "dosing people or a regulatory conclusion follows from it; outside of the domain, do not believe it."
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One data set of the shipped models."""

    name: str
    file: str
    """Below the data folder of molecules."""
    licence: str
    tasks: tuple[str, ...] | None = None
    """Columns that are modelled; None: all."""


ENDPOINTS = (
    *(
        Endpoint(name, "tdc-admet/train_valid.csv.gz", TDC)
        for name in ("herg", "ames", "dili", "bbb_martins")
    ),
    Endpoint("tox21", "moleculenet/tox21_train_valid.csv.gz", MOLECULENET),
    Endpoint("clintox", "moleculenet/clintox_train_valid.csv.gz", MOLECULENET, ("CT_TOX",)),
)


def train_toxicity(
    data: Path,
    out: Path,
    options: ActivityOptions | None = None,
    report: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Fit, validate and save the toxicity models; returns the manifest.

    The figures are of predictions made for each molecule by a model that saw neither it nor its scaffold (five folds); then
    the models are fitted on everything. Every data set is kept when it is done, beside ``out``: the same call goes on.

    Args:
        data: the folder that holds ``tdc-admet`` and ``moleculenet``.
        out: the folder to write.
        options: how to fit; the split is always by scaffold, and no trees are grown.
        report: told of each task that is fitted.

    Raises:
        MissingDataError: a file is absent.
        TrainingError: the disk is full.
    """
    # Without the trees, whose text would be more than half of the folder; docs/drugs-activity.md has what they add.
    options = replace(options or ActivityOptions(), split="scaffold", trees=0)
    kept = out.parent / f".{out.name}.parts"
    parts = [_part(data, kept / endpoint.name, endpoint, options, report) for endpoint in ENDPOINTS]
    listed = [one for _, manifest in parts for one in manifest["data"]]
    metrics = {name: figure for _, manifest in parts for name, figure in manifest["metrics"].items()}
    _save(out, [panel for panels, _ in parts for panel in panels], listed, metrics, options)
    shutil.rmtree(kept)
    return load_panels(out)[1]


def _part(
    data: Path,
    folder: Path,
    endpoint: Endpoint,
    options: ActivityOptions,
    report: Callable[[str], None] | None,
) -> tuple[list[Panel], dict[str, Any]]:
    """One data set's panel and manifest: as they were kept by a call with the same data and options, or made."""
    path = data / endpoint.file
    if not path.is_file():
        raise MissingDataError(
            f"expected {endpoint.file} in the folder of molecules, it is not there: check --data"
        )
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if folder.is_dir():
        panels, manifest = load_panels(folder)
        if manifest["data"][0]["sha256"] == digest and manifest["settings"] == asdict(options):
            return panels, manifest
    table = next(
        table for table in read_training(path, only=[endpoint.name]).tables if table.name == endpoint.name
    )
    if endpoint.tasks is not None:
        table = replace(table, labels={task: table.labels[task] for task in endpoint.tasks})
    panel, held = fit_panel(table, options, report)
    metrics: dict[str, Any] = {}
    for one in held:
        found = figures(validated(one))
        metrics |= {f"{one.task} {name}": found[name].as_json() | {"n": found[name].n} for name in FIGURES}
    listed = {
        "name": endpoint.name,
        "sha256": digest,
        "records": len(table.smiles),
        "licence": endpoint.licence,
        "weak": False,
    }
    _save(folder, [panel], [listed], metrics, options)
    return load_panels(folder)


def _save(
    folder: Path,
    panels: list[Panel],
    listed: list[dict[str, Any]],
    metrics: dict[str, Any],
    options: ActivityOptions,
) -> None:
    save_panels(
        folder,
        panels,
        name=NAME,
        card=_card(listed, metrics),
        data=listed,
        settings=asdict(options),
        seeds=[options.seed],
        metrics=metrics,
        limits=f"{LIMITS_ZH} {LIMITS_EN}",
    )


def _card(listed: list[dict[str, Any]], metrics: dict[str, Any]) -> str:
    tasks = list(dict.fromkeys(name.rsplit(" ", 1)[0] for name in metrics))

    def cell(task: str, name: str) -> str:
        one = metrics.get(f"{task} {name}")
        return f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}]" if one else "–"

    rows = [
        f"| {task} | {metrics[f'{task} auroc']['n']} | "
        f"{metrics[f'{task} rate']['value']:.2f} | {cell(task, 'auroc')} | {cell(task, 'average_precision')} | "
        f"{cell(task, 'ece')} |"
        for task in tasks
    ]
    return "\n".join(
        [
            f"# {NAME}",
            "",
            "毒性与血脑屏障概率模型 · probabilities of hERG block, mutagenicity (Ames), liver injury (DILI), crossing the",
            "blood-brain barrier, the twelve assays of Tox21, and failing a trial for toxicity (ClinTox)",
            "",
            f"> {DISCLAIMER['zh']} {DISCLAIMER['en']}",
            "",
            f"> {LIMITS_ZH} {LIMITS_EN}",
            "",
            "A kernel machine on counted fragments and descriptors, Platt-scaled on cross-validated scores; `lower` and",
            "`upper` are the two Venn-Abers probabilities, apart for molecules in and out of the domain (similarity to the",
            "five nearest training molecules).",
            "",
            "## 数据 Data",
            "",
            "| set | molecules | licence |",
            "|---|---|---|",
            *(f"| {one['name']} | {one['records']:,} | {one['licence']} |" for one in listed),
            "",
            "## 指标 Metrics",
            "",
            "Cross-validated: each molecule by a model that saw neither it nor its Bemis-Murcko scaffold, five folds; the",
            "shipped models are fitted on everything. The two numbers of the Platt scaling were set on these predictions,",
            "so that the calibration error (ECE) is slightly optimistic. 95 % intervals: bootstrap over molecules.",
            "",
            "| task | n | share of 1 | AUROC | average precision | debiased ECE |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )
