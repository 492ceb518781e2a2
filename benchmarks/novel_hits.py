"""Novel hits by docking: how many of the molecules that a method proposes dock well, are drug-like, makeable and new.

The protocol of MOOD (Lee et al. 2023): novel hit = docking score below the target's threshold (median of its known
actives there), QED > 0.5, SA < 5, largest Tanimoto similarity (ECFP4) to ZINC250k < 0.4; the ratio is over all molecules
that were docked. Published figures are over 3,000 molecules with QuickVina 2 at exhaustiveness 1; ours are AutoDock Vina
at exhaustiveness 1 in the same boxes: indicative. Every docking is kept in XINGLIN_HOME: an interrupted run goes on.

XINGLIN_BENCH_CALLS (default 500) and XINGLIN_BENCH_TARGETS (default parp1,jak2) size the run: 3,000 and all five targets
for the long one.
"""

from __future__ import annotations

import csv
import json
import lzma
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._line import Line
from xinglin.measure import proportion

ROOT = Path(__file__).resolve().parents[1]
QED_LEAST, SA_MOST, SIMILAR_MOST = 0.5, 5.0, 0.4
PARTS = ("zinc", "genetic", "design", "novelty")
"""Random molecules of ZINC250k (never new by construction: the floor of docking below the threshold); a genetic algorithm
alone and the designer with its prior, which are given the same oracle; the designer with novelty in its reward too."""
FAMILIAR = 0.6
"""Similarity to ZINC250k from which a molecule is worth nothing to the part ``novelty``; below ``SIMILAR_MOST`` novelty
costs nothing, between them it falls on a straight line."""
PUBLISHED = ("REINVENT", "Graph_GA", "MOOD", "GEAM")
SEED = 0


def run(quick: bool, only: Sequence[str] | None = None) -> list[Line]:
    data = Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data")) / "molecules"
    if not (data / "docking-mood-5targets").is_dir():
        return [
            Line("novel hits", "ratio", None, "%", 0, note="no data: set XINGLIN_DATA to the data folder")
        ]
    calls = 4 if quick else int(os.environ.get("XINGLIN_BENCH_CALLS", "500"))
    targets = ["fa7"] if quick else os.environ.get("XINGLIN_BENCH_TARGETS", "parp1,jak2").split(",")
    zinc = _zinc(data)
    lines = []
    for name in targets:
        for part in only or (PARTS[:1] if quick else PARTS):
            print(f"{name} {part}", file=sys.stderr, flush=True)
            lines += _measure(data, name, part, calls, zinc)
        lines += _published(data, name)
    return lines


class Docking:
    """The oracle of MOOD and GEAM: (-score / 20) * QED * (10 - SA) / 9, in [0, 1]; remembers every row."""

    def __init__(self, data: Path, name: str) -> None:
        from xinglin.apps.drugs.dock.options import DockOptions
        from xinglin.apps.drugs.dock.pool import Pool
        from xinglin.apps.drugs.dock.shelf import Shelf
        from xinglin.apps.drugs.target.box import Box
        from xinglin.apps.drugs.target.prepare import prepare_target

        folder = data / "docking-mood-5targets"
        about = json.loads((folder / "boxes.json").read_text())[name]
        target = prepare_target(folder / f"{name}.pdbqt.gz", box=Box.from_json(about))
        self.threshold = float(about["hit_threshold"])
        self.options = DockOptions(exhaustiveness=1)
        self.pool = Pool(target, self.options, int(os.environ.get("XINGLIN_BENCH_WORKERS", "0")) or None)
        self.shelf = Shelf.home(self.options.digest(target.digest))
        self.rows: dict[str, Any] = {}

    def __call__(self, smiles: Sequence[str], /) -> NDArray[np.float64]:
        """Return one reward a molecule, shape (n,); NaN where it could not be docked."""
        from xinglin.apps.drugs.dock.run import dock_many

        found = dock_many(smiles, self.options, self.pool, self.shelf)
        self.rows |= dict(zip(smiles, found, strict=True))
        print(f"{len(self.rows)} docked", file=sys.stderr, flush=True)
        scores = np.array([np.nan if row.score is None else row.score for row in found], float)
        return np.clip(-scores / 20.0, 0.0, 1.0) * np.array([_quality(one) for one in smiles])


def _quality(smiles: str) -> float:
    """QED times SA brought to [0, 1]."""
    from rdkit import Chem
    from rdkit.Chem import QED

    from xinglin.apps.drugs.accessibility import synthetic_accessibility

    molecule = Chem.MolFromSmiles(smiles)
    return float(QED.qed(molecule)) * (10.0 - synthetic_accessibility(molecule)) / 9.0


def _measure(data: Path, name: str, part: str, calls: int, zinc: list[str]) -> list[Line]:
    docking = Docking(data, name)
    started = time.process_time()
    try:
        proposed = METHODS[part](docking, calls, zinc)
    except LookupError as error:
        return [Line(f"{name}: {part}", "novel hit ratio", None, "%", 0, note=str(error))]
    finally:
        docking.pool.close()
    rows = [docking.rows[smiles] for smiles in proposed]
    hits = _hits(proposed, rows, docking.threshold, zinc)
    figure = proportion(int(hits["novel"].sum()), len(rows))
    seconds = float(np.mean([row.answer.seconds for row in rows]))
    failed = sum(row.score is None for row in rows)
    note = (
        f"{failed} failed; docked below {docking.threshold:g}: {hits['below'].mean():.1%}, QED and SA kept: "
        f"{hits['made'].mean():.1%}, new: {hits['new'].mean():.1%}; {time.process_time() - started:.0f} s CPU beside docking"
    )
    title = f"{name}: {part}"
    return [
        Line(title, "novel hit ratio", 100 * figure.value, "%", figure.n, 100 * figure.low, 100 * figure.high, note=note),
        Line(title, "best score of a novel hit", hits["best"], "kcal/mol", len(rows),
             note="" if hits["novel"].any() else "none was found"),
        Line(title, "seconds a docking", seconds, "s", len(rows), note="wall clock, one core each"),
    ]  # fmt: skip


def _hits(
    smiles: Sequence[str], rows: Sequence[Any], threshold: float, zinc: Sequence[str]
) -> dict[str, Any]:
    from rdkit import Chem
    from rdkit.Chem import QED

    from xinglin.apps.drugs.accessibility import synthetic_accessibility

    molecules = [Chem.MolFromSmiles(one) for one in smiles]
    scores = np.array([np.nan if row.score is None else row.score for row in rows])
    below = scores < threshold
    made = np.array(
        [QED.qed(item) > QED_LEAST and synthetic_accessibility(item) < SA_MOST for item in molecules]
    )
    new = np.zeros(len(smiles), bool)
    # Similarity to a quarter of a million molecules is only asked of what would otherwise be a hit.
    new[below & made] = _similarity([smiles[i] for i in np.flatnonzero(below & made)], zinc) < SIMILAR_MOST
    novel = below & made & new
    best = float(scores[novel].min()) if novel.any() else None
    return {"below": below, "made": made, "new": new, "novel": novel, "best": best}


def _similarity(smiles: Sequence[str], zinc: Sequence[str]) -> NDArray[np.float64]:
    """Largest Tanimoto similarity of each molecule to any of a library."""
    from rdkit.DataStructs import BulkTanimotoSimilarity

    largest = np.zeros(len(smiles))
    if not len(smiles):
        return largest
    library = _prints(tuple(zinc))
    for row, one in enumerate(_prints(tuple(smiles))):
        largest[row] = max(BulkTanimotoSimilarity(one, library))
    return largest


@lru_cache(maxsize=2)  # ZINC's and those of the molecules just asked about
def _prints(smiles: tuple[str, ...]) -> list[Any]:
    from rdkit import Chem
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

    generator = GetMorganGenerator(radius=2, fpSize=1024)
    return [generator.GetFingerprint(Chem.MolFromSmiles(one)) for one in smiles]


def _random(docking: Docking, calls: int, zinc: list[str]) -> list[str]:
    generator = np.random.default_rng(SEED)
    chosen = [zinc[i] for i in generator.choice(len(zinc), calls, replace=False)]
    docking(chosen)
    return list(docking.rows)


def _genetic(docking: Docking, calls: int, zinc: list[str]) -> list[str]:
    """A tenth of the calls on random molecules of ZINC, then children of the best."""
    from xinglin.train.reinforce.genetic import offspring
    from xinglin.train.reinforce.oracle import Budgeted

    generator = np.random.default_rng(SEED)
    oracle = Budgeted(docking, calls)
    oracle([zinc[i] for i in generator.choice(len(zinc), max(2, calls // 10), replace=False)])
    while oracle.left:
        parents = [(call.score, call.smiles) for call in oracle.best(100)]
        oracle(offspring(parents, min(32, oracle.left), seed=int(generator.integers(2**31))))
    return list(docking.rows)


def _design(docking: Docking, calls: int, zinc: list[str]) -> list[str]:
    _designed(docking, calls)
    return list(docking.rows)


def _novelty(docking: Docking, calls: int, zinc: list[str]) -> list[str]:
    def rewarded(smiles: Sequence[str], /) -> NDArray[np.float64]:
        worth = (FAMILIAR - _similarity(smiles, zinc)) / (FAMILIAR - SIMILAR_MOST)
        return docking(smiles) * np.clip(worth, 0.0, 1.0)

    _designed(rewarded, calls)
    return list(docking.rows)


def _designed(oracle: Any, calls: int) -> None:
    from xinglin.errors import UnknownNameError
    from xinglin.model.molecule.sampling import Prior
    from xinglin.train.reinforce.design import Designer, DesignOptions

    try:
        prior = Prior.load()
    except UnknownNameError as error:
        raise LookupError("no prior comes with this package") from error
    # Small steps: 500 calls are few, and each costs seconds.
    Designer(prior, oracle, calls, DesignOptions(batch=32, scaffold_limit=25, seed=SEED)).run()


METHODS: dict[str, Callable[[Docking, int, list[str]], list[str]]] = {
    "zinc": _random,
    "genetic": _genetic,
    "design": _design,
    "novelty": _novelty,
}


def _published(data: Path, name: str) -> list[Line]:
    """Published ratios over 3,000 molecules with QuickVina 2: another engine, more molecules."""
    with (data / "docking-mood-5targets" / "published_results.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [
        Line(f"{name}: {row['method']}, published", "novel hit ratio", float(row[f"novel_hit_ratio_pct_{name}"]), "%",
             3000, note="mean of 3 runs, QuickVina 2; GEAM paper, tables 1 and 2: indicative")
        for row in rows if row["method"] in PUBLISHED
    ]  # fmt: skip


def _zinc(data: Path) -> list[str]:
    with lzma.open(data / "zinc250k" / "zinc250k.smi.xz", "rt") as file:
        return [line.split()[0] for line in file if line.strip()]
