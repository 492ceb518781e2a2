"""Assays saved: how many measurements until half of a library's hits are found, with the loop and without.

Real measurements play the laboratory: a value is hidden until its molecule is picked. A hit is a molecule in the top
5 % of its library by measured activity (of the two yes/no sets, an active), and the search ends when half of them are
confirmed. The loop is that of ``xinglin drugs next``. Simple orders beside it: random; molecular weight, heavy first;
similarity to the hits found so far (to the five best values while there is none), plate after plate. The loop and
the similarity order begin with one random plate, which counts; or with molecules of some scaffolds, measured before and
not counted, while all hits to be found have other scaffolds.

Settings (kernel, boldness 1) were chosen on ``DEVELOPMENT``; only other targets are reported. Where a structure is at
hand, docking scores order the library too: best first, known before any assay. XINGLIN_BENCH_DOCKED names those targets
(default: none, since each of them is hours of docking on a busy machine; see ``_assays_docking.RECEPTORS``).
"""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._assays_docking import RECEPTORS, docking_scores
from benchmarks._kept import Kept
from benchmarks._line import Line, aim
from xinglin.measure.seeds import compare_seeds, holm

ROOT = Path(__file__).resolve().parents[1]
DEVELOPMENT = ("CHEMBL244_Ki", "CHEMBL228_Ki", "CHEMBL2147_Ki", "CHEMBL239_EC50")
PARTS = ("BACE", "CHEMBL204_Ki", "CHEMBL214_Ki", "CHEMBL1862_Ki", "CHEMBL2971_Ki", "gsk3", "jnk3")
NAMES = {
    "BACE": "BACE-1, pIC50",
    "CHEMBL204_Ki": "thrombin, pKi",
    "CHEMBL214_Ki": "5-HT1A, pKi",
    "CHEMBL1862_Ki": "ABL1, pKi",
    "CHEMBL2971_Ki": "JAK2, pKi",
    "gsk3": "GSK3-beta, active",
    "jnk3": "JNK3, active",
}
SEEDS = 20
SHARE = 0.05
PLATES = (48, 96)
BOLDNESS = 1.0
MOST = 3000
"""Molecules of a yes/no set: a random part of it, the same for all seeds."""
AIM = 0.60


@dataclass(frozen=True)
class Library:
    """Molecules with what a laboratory measured."""

    smiles: list[str]
    values: NDArray[np.float64]
    hit: NDArray[np.bool_]
    kernel: NDArray[np.float32]
    similarity: NDArray[np.float32]
    weight: NDArray[np.float64]
    scaffold: NDArray[np.int64]


def run(quick: bool, only: Sequence[str] | None = None) -> list[Line]:
    if not _folder().is_dir():
        return [
            Line("assays", "cut", None, "", 0, note="no data: set XINGLIN_DATA to the folder of data sets")
        ]
    targets = tuple(only or (("CHEMBL2971_Ki",) if quick else PARTS))
    seeds = 3 if quick else SEEDS
    kept = Kept("assays", [seeds, _sources(), _docked()])
    found = {
        (plate, start): {
            target: kept.get(f"{target} {plate} {start}", partial(_arms, target, start, plate, seeds))
            for target in targets
        }
        for plate in (PLATES[:1] if quick else PLATES)
        for start in ("random", "scaffold")
    }
    if not only:
        kept.done()
    means: list[Line] = []
    lines: list[Line] = []
    for (plate, start), runs in found.items():
        needed = {
            target: {arm: np.array(row, float) for arm, row in arms.items()} for target, arms in runs.items()
        }
        where = f"{start} start, plates of {plate}"
        if len(needed) > 1:
            means += _over_targets(needed, where, seeds)
        lines += _lines(needed, where, seeds)
    return means + lines


def _arms(target: str, start: str, plate: int, seeds: int) -> dict[str, list[int]]:
    arms = ["loop", "random", "similarity", "weight", *(["docking"] if target in _docked() else [])]
    return {arm: [_needed(target, arm, start, plate, seed) for seed in range(seeds)] for arm in arms}


def _docked() -> list[str]:
    """Targets whose libraries are ordered by docking too."""
    named = os.environ.get("XINGLIN_BENCH_DOCKED", "")
    return [target for target in named.split(",") if target in RECEPTORS]


def _simple(needed: dict[str, NDArray[np.float64]]) -> list[str]:
    """The orders that the loop must beat."""
    return [arm for arm in needed if arm not in ("loop", "random")]


def _sources() -> str:
    """Return a digest of the code that the runs depend on: runs of other code are not mixed."""
    from xinglin.model.molecule import features, gaussian, kernel

    files = [__file__, str(features.__file__), str(gaussian.__file__), str(kernel.__file__)]
    return sha256(b"\0".join(Path(file).read_bytes() for file in files)).hexdigest()


def _lines(found: dict[str, dict[str, NDArray[np.float64]]], where: str, seeds: int) -> list[Line]:
    tests = {}
    for target, needed in found.items():
        best = min(_simple(needed), key=lambda arm, needed=needed: float(needed[arm].mean()))
        tests[target] = best, compare_seeds(needed[best], needed["loop"])
    adjusted = dict(zip(tests, holm(np.array([test.p for _, test in tests.values()])), strict=True))
    lines = []
    for target, needed in found.items():
        best, test = tests[target]
        cut, low, high = _cut(needed["loop"], needed["random"])
        name = f"{NAMES.get(target, target)}; {where}"
        hits, size, wanted = _asked(target)
        lines.append(
            Line(
                name,
                "cut against random order",
                cut,
                "",
                seeds,
                low,
                high,
                note=f"{needed['loop'].mean():.0f} assays against {needed['random'].mean():.0f} until {wanted} of "
                f"{hits} hits among {size:,}; lower bound, {aim(low, AIM, '', at_most=False)}",
            )
        )
        cut, low, high = _cut(needed["loop"], needed[best])
        other = ", ".join(f"{arm} {needed[arm].mean():.0f}" for arm in _simple(needed))
        lines.append(
            Line(
                name,
                f"cut against {best} order, the best simple one",
                cut,
                "",
                seeds,
                low,
                high,
                note=f"assays: {other}; paired t-test over seeds p = {test.p:.2g}, of all targets (Holm) "
                f"{adjusted[target]:.2g}"
                + ("" if adjusted[target] < 0.05 and test.gain > 0 else ": NOT a significant cut"),
            )
        )
    return lines


def _over_targets(found: dict[str, dict[str, NDArray[np.float64]]], where: str, seeds: int) -> list[Line]:
    """The mean cut over targets, each with its own best simple order; resampled over seeds."""
    lines = []
    for figure in ("random", "best simple"):
        peers = {
            target: needed["random"]
            if figure == "random"
            else min((needed[arm] for arm in _simple(needed)), key=lambda row: float(row.mean()))
            for target, needed in found.items()
        }
        generator = np.random.default_rng(0)
        drawn = generator.integers(0, seeds, (2000, seeds))
        cuts = np.mean(
            [
                1 - needed["loop"][drawn].mean(axis=1) / peers[target][drawn].mean(axis=1)
                for target, needed in found.items()
            ],
            axis=0,
        )
        value = np.mean([_cut(needed["loop"], peers[target])[0] for target, needed in found.items()])
        low, high = np.percentile(cuts, [2.5, 97.5])
        lines.append(
            Line(
                f"mean of {len(found)} targets; {where}",
                f"cut against {figure} order",
                float(value),
                "",
                seeds,
                float(low),
                float(high),
                note=aim(float(low), AIM, "", at_most=False) if figure == "random" else "headline",
            )
        )
    return lines


def _cut(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the saved share of assays with its 95 % interval, seeds resampled in pairs."""
    drawn = np.random.default_rng(0).integers(0, len(ours), (2000, len(ours)))
    cuts = 1 - ours[drawn].mean(axis=1) / theirs[drawn].mean(axis=1)
    low, high = np.percentile(cuts, [2.5, 97.5])
    return float(1 - ours.mean() / theirs.mean()), float(low), float(high)


def _asked(target: str) -> tuple[int, int, int]:
    *_, hit = _labelled(target)
    hits = int(hit.sum())
    return hits, len(hit), -(-hits // 2)


def _needed(target: str, arm: str, start: str, plate: int, seed: int) -> int:
    """Return how many assays an arm needs until half of the hits in the pool are confirmed."""
    library = _library(target)
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(library.values))
    known = _of_some_scaffolds(library, plate, generator) if start == "scaffold" else order[:0]
    pool = order[~np.isin(order, known)]
    wanted = -(-int(library.hit[pool].sum()) // 2)
    if arm == "random":
        picked = pool
    elif arm == "weight":
        picked = pool[np.argsort(-library.weight[pool], kind="stable")]
    elif arm == "docking":
        picked = pool[np.argsort(_docking(target)[pool], kind="stable")]
    else:
        picked = pool[: 0 if start == "scaffold" else plate]
        while library.hit[picked].sum() < wanted:
            rest = pool[~np.isin(pool, picked)]
            measured = np.concatenate([known, picked])
            chosen = _loop if arm == "loop" else _similar
            picked = np.concatenate([picked, chosen(library, measured, rest, plate)])
    return int(np.searchsorted(np.cumsum(library.hit[picked]), wanted)) + 1


def _loop(
    library: Library, measured: NDArray[np.int64], rest: NDArray[np.int64], plate: int
) -> NDArray[np.int64]:
    from xinglin.model.molecule.gaussian import Observed, Process

    if np.ptp(library.values[measured]) == 0:
        # A yes/no set without any yes so far: nothing to learn from.
        return rest[:plate]
    kernel = library.kernel
    process = Process.fit(kernel[np.ix_(measured, measured)], Observed.exact(library.values[measured]))
    across, within = kernel[np.ix_(rest, measured)], kernel[np.ix_(rest, rest)]
    return rest[process.batch(across, within, plate, BOLDNESS)]


def _similar(
    library: Library, measured: NDArray[np.int64], rest: NDArray[np.int64], plate: int
) -> NDArray[np.int64]:
    hits = measured[library.hit[measured]]
    if not len(hits):
        hits = measured[np.argsort(-library.values[measured], kind="stable")[:5]]
    nearest = library.similarity[np.ix_(rest, hits)].max(axis=1)
    return rest[np.argsort(-nearest, kind="stable")[:plate]]


def _of_some_scaffolds(library: Library, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return at least ``count`` molecules: all of some scaffolds, none of which holds more than half of them."""
    sizes = np.bincount(library.scaffold)
    taken: list[int] = []
    found = 0
    for scaffold in generator.permutation(len(sizes)):
        if sizes[scaffold] <= count // 2:
            taken.append(scaffold)
            found += sizes[scaffold]
        if found >= count:
            break
    return np.flatnonzero(np.isin(library.scaffold, taken))


@cache
def _library(target: str) -> Library:
    from rdkit import Chem
    from rdkit.Chem.Descriptors import MolWt

    from xinglin.model.molecule.features import featurise
    from xinglin.model.molecule.kernel import DescriptorScale, similarity
    from xinglin.records.molecules.scaffold import scaffold_groups

    smiles, values, hit = _labelled(target)
    features = featurise(smiles)
    alike = similarity(features, features, DescriptorScale.of(features))
    return Library(
        smiles,
        values,
        hit,
        alike.whole,
        alike.fragments,
        np.array([MolWt(Chem.MolFromSmiles(one)) for one in smiles]),
        scaffold_groups(smiles),
    )


@cache
def _docking(target: str) -> NDArray[np.float64]:
    return docking_scores(_folder(), target, _library(target).smiles)


@cache
def _labelled(target: str) -> tuple[list[str], NDArray[np.float64], NDArray[np.bool_]]:
    """Molecules, values, and which of them are hits."""
    smiles, values = _measured(target)
    binary = set(np.unique(values)) <= {0.0, 1.0}
    border = 1.0 if binary else float(np.sort(values)[-round(SHARE * len(values))])
    return smiles, values, values >= border


def _measured(target: str) -> tuple[list[str], NDArray[np.float64]]:
    if target == "BACE":
        rows = _rows("moleculenet/bace_train_valid.csv.gz")
        pairs = [(row["smiles"], float(row["pIC50"])) for row in rows]
    elif target in ("gsk3", "jnk3"):
        rows = _rows(f"gsk3b-jnk3-excape/{target}_dev.csv.gz")
        kept = np.random.default_rng(0).permutation(len(rows))[:MOST]
        pairs = [(rows[index]["smiles"], float(rows[index]["active"])) for index in kept]
    else:
        rows = [row for row in _rows("moleculeace/train.csv.gz") if row["dataset"] == target]
        pairs = [(row["smiles"], float(row["p_activity"])) for row in rows]
    return [smiles for smiles, _ in pairs], np.array([value for _, value in pairs])


def _rows(name: str) -> list[dict[str, Any]]:
    with gzip.open(_folder() / name, "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _folder() -> Path:
    return Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data")) / "molecules"
