"""The PMO protocol (Gao et al. 2022, arXiv 2206.12411): its figure, its published numbers, and two plain arms.

The figure is the area under the curve of the mean of the ten best scores against oracle calls, read every 100 calls by
the trapezoid rule from a start at 0, over the budget of 10,000; a method that ends early keeps its last value to the
end. A molecule that the oracle could not score counts 0, as there.
"""

from __future__ import annotations

import csv
import lzma
import os
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappush, heappushpop
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xinglin.train.reinforce.genetic import Breeding, offspring
from xinglin.train.reinforce.oracle import Budgeted

BUDGET = 10_000
EVERY = 100
ROOT = Path(__file__).resolve().parents[1]


def folder() -> Path:
    """Return the folder of molecule data sets; it may not be there."""
    return Path(os.environ.get("XINGLIN_DATA", ROOT.parent / "shared" / "data")) / "molecules"


def zinc() -> list[str]:
    """Return the SMILES of ZINC-250k, PMO's only source of molecules."""
    return lzma.open(folder() / "zinc250k" / "zinc250k.smi.xz", "rt", encoding="utf-8").read().split()


def published() -> dict[str, dict[str, float]]:
    """Return AUC-top-10 of the leaderboard: method to task to value."""
    with (folder() / "pmo-benchmark" / "auc_top10.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {
        method: {row["task"]: float(row[method]) for row in rows} for method in rows[0] if method != "task"
    }


def auc(scores: Iterable[float], top: int = 10, budget: int = BUDGET) -> float:
    """Return the area under the mean of the ``top`` best, over ``budget`` calls, of scores in the order of calls."""
    best: list[float] = []
    area = before = now = 0.0
    last = calls = 0
    for calls, score in enumerate(_bounded(scores, budget), 1):
        value = 0.0 if np.isnan(score) else score
        if len(best) < top:
            heappush(best, value)
        else:
            heappushpop(best, value)
        if calls % EVERY == 0:
            now = sum(best) / len(best)
            area += EVERY * (now + before) / 2
            before, last = now, calls
    if calls > last:
        now = sum(best) / len(best)
        area += (calls - last) * (now + before) / 2
    return (area + (budget - calls) * now) / budget


def _bounded(scores: Iterable[float], budget: int) -> Iterator[float]:
    for call, score in enumerate(scores):
        if call == budget:
            return
        yield score


def screening(oracle: Budgeted, start: Sequence[str], seed: int) -> None:
    """Ask for molecules of ZINC in random order: what any method must beat."""
    order = np.random.default_rng(seed).permutation(len(start))
    for at in range(0, len(order), EVERY):
        if not oracle.left:
            return
        oracle([start[index] for index in order[at : at + EVERY]])


def graph_ga(oracle: Budgeted, start: Sequence[str], seed: int) -> None:
    """Graph GA as PMO set it: 120 alive, 70 children a generation, 6.7 % mutated, parents drawn by score.

    It ends early when five generations in a row leave the living unchanged.
    """
    generator = np.random.default_rng(seed)
    alive = [start[index] for index in generator.choice(len(start), 120, replace=False)]
    scores = _scored(oracle(alive))
    still = 0
    while oracle.left and still < 5:
        odds = scores / scores.sum() if scores.sum() > 0 else None
        pool = [alive[index] for index in generator.choice(len(alive), len(alive), p=odds)]
        children = offspring(
            [(0.0, smiles) for smiles in pool],
            70,
            seed=int(generator.integers(2**31)),
            options=Breeding(rank_coefficient=1e6),
        )
        everyone = list(dict.fromkeys([*alive, *children]))
        found = _scored(oracle(everyone))
        order = np.argsort(-found, kind="stable")[:120]
        before, scores = scores, found[order]
        alive = [everyone[index] for index in order]
        still = still + 1 if np.array_equal(before, scores) else 0


def _scored(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.nan_to_num(scores, nan=0.0)
