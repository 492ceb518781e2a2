"""The SMILES Transformer fine-tuned, beside the fingerprint models: same tables, same held-back fifth, three seeds.

Arms: the shipped prior fine-tuned, the same network from random weights, and the prior's prediction averaged with the
fingerprint models'. What ships is what wins; a lost comparison stays in the table.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._kept import Kept
from benchmarks._line import Line
from benchmarks.activity import FILES
from xinglin.errors import UnknownNameError
from xinglin.measure import compare_seeds
from xinglin.measure.localisation import auroc
from xinglin.train.molecules.activity import ActivityOptions, Table
from xinglin.train.molecules.tables import read_training
from xinglin.train.molecules.validation import back, held_back

ROOT = Path(__file__).resolve().parents[1]
TASKS = (
    *(("moleculeace", task) for task in ("CHEMBL2047_EC50", "CHEMBL1862_Ki", "CHEMBL1871_Ki")),
    *(("tdc-admet", task) for task in ("herg", "dili", "bioavailability_ma")),
)
SEEDS, QUICK_EPOCHS = (0, 1, 2), 1
ARMS = {
    "prior": "prior, fine-tuned",
    "random": "the same network from random weights",
    "both": "prior and fingerprint models averaged",
}


def run(quick: bool) -> list[Line]:
    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data")) / "molecules"
    if not data.is_dir():
        return [Line("activity-transformer", "RMSE", None, "", 0, note="no data: set XINGLIN_DATA")]
    from xinglin.model.molecule.sampling import Prior

    folder = os.environ.get("XINGLIN_PRIOR")
    try:
        prior = Prior.load(Path(folder) if folder else None)
    except UnknownNameError as error:
        return [Line("activity-transformer", "RMSE", None, "", 0, note=str(error))]
    state = Kept("activity-transformer", {"prior": prior.identity, "quick": quick})
    lines: list[Line] = []
    for part, task in TASKS[-2:-1] if quick else TASKS:
        made = state.get(f"{part}-{task}", lambda p=part, t=task: _measured(data / FILES[p], t, prior, quick))
        lines += _lines(task, made)
    state.done()
    return lines


def _measured(path: Path, task: str, prior: Any, quick: bool) -> dict[str, Any]:
    """The figure of every arm and seed, and of the fingerprint models."""
    training = read_training(path, only=[task])
    table = training.tables[0]
    options = replace(ActivityOptions(), split=training.split)
    aside = back(table, options)
    scored = held_back(table, options)[0]
    figures: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for seed in SEEDS[:1] if quick else SEEDS:
        tuned = _tuned(prior.decoder, prior, table, task, aside, seed, quick)
        figures["prior"].append(_figure(scored.truth, tuned, scored.kind))
        fresh = _tuned(_fresh(prior.decoder, seed), prior, table, task, aside, seed, quick)
        figures["random"].append(_figure(scored.truth, fresh, scored.kind))
        value = scored.found.value
        own = value if scored.kind == "number" else np.log(value / (1 - value))
        figures["both"].append(_figure(scored.truth, (own + tuned) / 2, scored.kind))
    floor = _figure(scored.truth, scored.found.value, scored.kind)
    return {"kind": scored.kind, "n": len(scored.truth), "floor": floor, "arms": figures}


def _fresh(decoder: Any, seed: int) -> Any:
    import torch

    from xinglin.model.molecule.decoder import Decoder

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Decoder(decoder.size)


def _tuned(
    decoder: Any, prior: Any, table: Table, task: str, aside: NDArray[np.bool_], seed: int, quick: bool
) -> NDArray[np.float64]:
    from xinglin.train.molecules.activity import kind_of
    from xinglin.train.molecules.finetune import FineTuneOptions, finetune

    labels = table.labels[task]
    known = np.isfinite(labels)
    train, test = np.flatnonzero(known & ~aside), np.flatnonzero(known & aside)
    options = replace(FineTuneOptions(), seed=seed)
    if quick:
        options = replace(options, epochs=QUICK_EPOCHS, spellings=1)
    return finetune(
        decoder,
        prior.tokens,
        [table.smiles[row] for row in train],
        labels[train],
        kind_of(labels[known]),
        [table.smiles[row] for row in test],
        options,
    )


def _figure(truth: NDArray[np.float64], value: NDArray[np.float64], kind: str) -> float:
    if kind == "number":
        return float(np.sqrt(np.mean((truth - value) ** 2)))
    return auroc(truth.astype(np.int64), value)


def _lines(task: str, made: dict[str, Any]) -> list[Line]:
    figure = "RMSE" if made["kind"] == "number" else "AUROC"
    lines = []
    for arm, values in made["arms"].items():
        low = high = None
        note = f"{len(values)} seeds, n of the fifth {made['n']}"
        if len(values) > 1:
            ours = np.array(values)
            found = compare_seeds(ours, np.full(len(values), made["floor"]))
            low, high = made["floor"] + found.low, made["floor"] + found.high
        lines.append(
            Line(
                f"{task} {ARMS[arm]}",
                figure,
                float(np.mean(values)),
                "",
                len(values),
                low,
                high,
                made["floor"],
                "fingerprint models, same fifth",
                note,
            )
        )
    return lines
