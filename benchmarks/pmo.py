"""PMO: twenty design tasks, 10,000 oracle calls each, area under the mean of the ten best (AUC-top-10).

Our designer, our genetic operators alone, and random screening of ZINC, beside the published leaderboard (Gao et al. 2022;
five seeds there). The last two check the oracles: they must come near the published Graph GA and screening. Settings were
chosen on ``TUNING`` alone. Four tasks are run in two forms: the TDC that measured the leaderboard miscounted the
atoms of isomers, and 0.4.0, which measured Genetic-GFN, does not. Each sum is compared with what was measured alike.

One task and seed after another is kept, so that an interrupted run goes on; ``XINGLIN_PMO_SEEDS`` sets the number of
seeds (3), ``XINGLIN_PMO_ARMS`` the arms, ``--only TASK`` the tasks.
"""

from __future__ import annotations

import ast
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._kept import Kept
from benchmarks._line import Line
from xinglin.measure.seeds import over_seeds

TUNING = ("celecoxib_rediscovery", "osimertinib_mpo", "zaleplon_mpo")
"""A rediscovery, an objective of several properties, one with a formula: nothing was tuned on the others."""
LEADERBOARD = (
    "albuterol_similarity",
    "amlodipine_mpo",
    "celecoxib_rediscovery",
    "deco_hop",
    "fexofenadine_mpo",
    "isomers_c7h8n2o2",
    "isomers_c9h10n2o2pf2cl",
    "median1",
    "median2",
    "mestranol_similarity",
    "osimertinib_mpo",
    "perindopril_mpo",
    "qed",
    "ranolazine_mpo",
    "scaffold_hop",
    "sitagliptin_mpo",
    "thiothixene_rediscovery",
    "troglitazone_rediscovery",
    "valsartan_smarts",
    "zaleplon_mpo",
)
MENDED = {
    f"{task}_mended": task
    for task in ("isomers_c7h8n2o2", "isomers_c9h10n2o2pf2cl", "sitagliptin_mpo", "zaleplon_mpo")
}
"""Tasks with atoms counted, by name, and the task of the leaderboard that each takes the place of."""
PARTS = (*LEADERBOARD, *MENDED)
PEERS = (
    "published: Genetic-GFN 13.59 (PyTDC 0.4.0, atoms counted), InVirtuoGen without prescreening 13.91 (newer, its release "
    "of TDC not seen)"
)
AIMS = (13.6, 14.0)
"""Sum over the twenty tasks with atoms counted."""
QUICK_BUDGET = 300
UNUSED = ("plugged", "text", "text_rewards")
"""Modules beside the designer that no run of it touches."""


def run(quick: bool, only: Sequence[str] | None = None) -> list[Line]:
    from benchmarks._pmo import BUDGET, folder, published

    if not folder().is_dir():
        return [
            Line(
                "PMO", "AUC-top-10", None, "", 0, note="no data: set XINGLIN_DATA to the folder of data sets"
            )
        ]
    tasks = tuple(only or (TUNING if quick else PARTS))
    seeds = 1 if quick else int(os.environ.get("XINGLIN_PMO_SEEDS", "3"))
    budget = QUICK_BUDGET if quick else BUDGET
    wanted = os.environ.get("XINGLIN_PMO_ARMS")
    arms = _arms() if wanted is None else {name: _arms()[name] for name in wanted.split(",")}
    lines: list[Line] = []
    kept = {name: Kept(f"pmo-{name}", [budget, _sources(name)]) for name in arms}
    for name, arm in arms.items():
        found = {
            task: [
                kept[name].get(f"{task} {seed}", partial(_one, arm, task, seed, budget))
                for seed in range(seeds)
            ]
            for task in tasks
        }
        lines += _lines(name, found, {} if quick else published(), budget)
    if not only:
        for folder_ in kept.values():
            folder_.done()
    return lines


def _arms() -> dict[str, Callable[..., None]]:
    from benchmarks import _pmo, _pmo_designer

    return {"designer": _pmo_designer.designer, "graph_ga": _pmo.graph_ga, "screening": _pmo.screening}


def _one(arm: Callable[..., None], task: str, seed: int, budget: int) -> dict[str, Any]:
    from benchmarks._pmo import auc, zinc
    from benchmarks._pmo_oracles import PmoOracle
    from xinglin.train.reinforce.oracle import Budgeted

    start = zinc()
    asked = Budgeted(_Timed(PmoOracle(task)), budget)
    wall, busy = time.perf_counter(), time.process_time()
    arm(asked, start, seed)
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    scores = [call.score for call in asked.history]
    best = asked.best(10)
    return {
        "auc": {str(top): auc(scores, top, budget) for top in (1, 10, 100)},
        "top10": float(np.mean([call.score for call in best])),
        "best": best[0].smiles,
        "calls": asked.calls,
        "failed": asked.failed,
        "wall": wall,
        "cpu": busy,
        "oracle": asked.oracle.seconds,  # type: ignore[attr-defined]
    }


class _Timed:
    """An oracle that counts its own CPU seconds."""

    def __init__(self, oracle: Any) -> None:
        self.oracle, self.seconds = oracle, 0.0

    def __call__(self, smiles: Sequence[str], /) -> Any:
        before = time.process_time()
        scores = self.oracle(smiles)
        self.seconds += time.process_time() - before
        return scores


def _lines(
    arm: str, found: dict[str, list[dict[str, Any]]], table: dict[str, dict[str, float]], budget: int
) -> list[Line]:
    peer = arm if arm in table else "reinvent"
    lines = []
    for task, runs in found.items():
        mean, low, high = over_seeds(np.array([run["auc"]["10"] for run in runs]))
        compared = bool(table) and task not in MENDED
        note = f"final top-10 {np.mean([run['top10'] for run in runs]):.3f}"
        if compared:
            best = max(table, key=lambda method: table[method][task])
            note += f"; published Graph GA {table['graph_ga'][task]:.3f}, best of 25 {best} {table[best][task]:.3f}"
        if MENDED.get(task, task) in TUNING:
            note += "; tuned on"
        early = [run["calls"] for run in runs if run["calls"] < budget]
        if early:
            note += f"; ended early at {min(early):,} calls"
        lines.append(
            Line(
                f"{arm}: {task}",
                "AUC-top-10",
                mean,
                "",
                len(runs),
                low,
                high,
                table[peer][task] if compared else None,
                f"{peer}, published" if compared else None,
                note,
            )
        )
    return [*lines, *_sums(arm, found, table, peer, budget), _time(arm, found)]


def _sums(
    arm: str,
    found: dict[str, list[dict[str, Any]]],
    table: dict[str, dict[str, float]],
    peer: str,
    budget: int,
) -> list[Line]:
    """The sum as the leaderboard measured, and the one with atoms counted, which the aims were measured with."""
    scores = {task: np.array([run["auc"]["10"] for run in runs]) for task, runs in found.items()}
    common = f"n is seeds; {budget:,} calls"
    lines = []
    plain = {task: value for task, value in scores.items() if task not in MENDED}
    if plain:
        total = sum(table[peer][task] for task in plain) if table else None
        name = f"{peer}, published" if table else None
        mean, low, high = over_seeds(np.sum(list(plain.values()), axis=0))
        seeds = len(next(iter(plain.values())))
        title = f"{arm}: sum of {len(plain)} tasks"
        note = common
        if set(plain) == set(LEADERBOARD):
            untuned = np.mean([value for task, value in plain.items() if task not in TUNING])
            note += f"; mean of the {len(LEADERBOARD) - len(TUNING)} tasks not tuned on {untuned:.4f}"
        lines.append(Line(title, "AUC-top-10", mean, "", seeds, low, high, total, name, note))
    if set(scores) == set(PARTS):
        counted = [value for task, value in scores.items() if task not in MENDED.values()]
        mean, low, high = over_seeds(np.sum(counted, axis=0))
        aims = ", ".join(f"aim {aim:g}: {'met' if mean >= aim else 'MISSED'}" for aim in AIMS)
        title, note = f"{arm}: sum of {len(counted)} tasks, atoms counted", f"{common}; {PEERS}; {aims}"
        lines.append(Line(title, "AUC-top-10", mean, "", len(counted[0]), low, high, note=note))
    return lines


def _time(arm: str, found: dict[str, list[dict[str, Any]]]) -> Line:
    every = [run for runs in found.values() for run in runs]
    wall, busy = (np.array([run[kind] for run in every]) for kind in ("wall", "cpu"))
    beside = np.array([run["cpu"] - run["oracle"] for run in every])
    return Line(
        f"{arm}: a task",
        "median CPU time",
        float(np.median(busy)),
        "s",
        len(every),
        note=f"beside the oracle {np.median(beside):.0f} s; wall clock, machine shared: median "
        f"{np.median(wall):.0f} s, longest {wall.max():.0f} s; one thread; aim <= 360 s on two cores",
    )


def _sources(arm: str) -> str:
    """Return a digest of the code, and for the designer of the prior: runs of other code are not mixed."""
    from benchmarks import _pmo
    from xinglin.model import molecule
    from xinglin.model.shipped import shipped_folder
    from xinglin.train import reinforce

    here = [
        _pmo.ROOT / "benchmarks" / f"{name}.py" for name in ("_pmo", "_pmo_oracles", "_pmo_pharmacophore")
    ]
    room = Path(reinforce.__path__[0])
    if arm == "designer":
        prior = shipped_folder("molecules-prior")
        files = [
            *(path for path in sorted(room.glob("*.py")) if path.stem not in UNUSED),
            *sorted(Path(molecule.__path__[0]).glob("*.py")),
            *sorted(prior.iterdir()),
        ]
    else:
        names = ("genetic", "mutations", "oracle") if arm == "graph_ga" else ("oracle",)
        files = [room / f"{name}.py" for name in names]
    return sha256(b"\0".join(_what_runs(path) for path in [*here, *files] if path.is_file())).hexdigest()


def _what_runs(path: Path) -> bytes:
    """A file's bytes; of Python its code without comments and docstrings, which change no run."""
    if path.suffix != ".py":
        return path.read_bytes()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [one for one in node.body if not _is_text(one)] or [ast.Pass()]
    return ast.unparse(tree).encode()


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
