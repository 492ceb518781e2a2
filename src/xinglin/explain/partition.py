"""SHAP Partition: Owen values over a tree of neighbouring units, within a budget of questions to the model.

The algorithm is that of ``shap.PartitionExplainer`` (Lundberg; Owen 1977): with the same tree, budget and batch the
values are equal (tested to 1e-6). It is written out here because shap takes three seconds of CPU to import and seven
to compile (numba) before its first answer, and breaks ties with the global random state. Ours breaks them by the
order in which they came, and so answers the same twice.

Going down the tree, a group's worth is split between its two halves, with and without the other half; the groups
whose worth is largest are split first. When the budget is spent, the units of a group share its worth equally.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError
from xinglin.explain.attribution import Attribution
from xinglin.explain.door import Explainable
from xinglin.explain.game import Floats, Game, Masks, ends
from xinglin.explain.units import Unit

BUDGET = 500
"""Variants; shap's own default."""
STEP = 10
"""Variants asked between two looks at which group is worth splitting; shap's own default."""
_STOP, _PAUSE = re.compile(r"[。.!?!?…;;\n]"), re.compile(r"[,,、::]")
Tree = NDArray[np.float64]
"""A clustering as scipy and shap write it, shape (parts - 1, 4): two children, height, parts below.
Children below ``parts`` are parts, others ``parts`` + row. The last row is the root."""


def partition_values(
    game: Game, *, budget: int = BUDGET, seed: int = 0, step: int = STEP, tree: Tree | None = None
) -> Attribution:
    """Explain a note by SHAP Partition values; they sum to full minus base whatever the budget.

    Args:
        game: the note and its model.
        budget: most variants, the empty and the full one included.
        seed: of the tree; 0 is the tree of the punctuation, any other moves its cuts (for the stability).
        step: variants asked at once.
        tree: another tree.

    Raises:
        InvalidInputError: a budget below 2, a step below 2, or a tree of another number of units.
    """
    start = game.begin()
    tree = text_tree(game.text, game.units, seed) if tree is None else tree
    return game.explained("shap", owen(game, tree, budget=budget, step=step), start)


class _Open(NamedTuple):
    """A group in one context: what of the rest is there while its worth is measured."""

    priority: float
    turn: int
    context: Masks
    low: float
    """Log-odds of the context without the group."""
    high: float
    """Log-odds of the context with the group."""
    node: int
    weight: float


def owen(game: Explainable, tree: Tree, *, budget: int = BUDGET, step: int = STEP) -> Floats:
    """Return the Owen value of each part, shape (parts,).

    Args:
        game: what is explained.
        tree: the hierarchy of its parts.
        budget: most masks.
        step: masks asked at once.

    Raises:
        InvalidInputError: a budget below 2, a step below 2, or a tree of another number of parts.
    """
    parts = len(game)
    if budget < 2 or step < 2:
        raise InvalidInputError(f"budget and step: expected at least 2, got {budget} and {step}")
    if tree.shape != (parts - 1, 4):
        raise InvalidInputError(f"tree: expected shape ({parts - 1}, 4) for {parts} units, got {tree.shape}")
    members = _members(tree, parts)
    game.expect(min(budget, full_cost(tree, parts)))
    base, full = game.value(ends(parts)).tolist()
    nodes = np.zeros(2 * parts - 1)
    waiting = [_Open(0.0, 0, np.zeros(parts, bool), base, full, 2 * parts - 2, 1.0)]
    turn, left = 1, budget - 2
    while waiting and left > 0:
        batch: list[tuple[_Open, int, int]] = []
        while waiting and 2 * len(batch) < min(step, left):
            group = heappop(waiting)
            if group.node < parts:
                nodes[group.node] += (group.high - group.low) * group.weight
                continue
            first, second = tree[group.node - parts, :2].astype(int).tolist()
            batch.append((group, first, second))
        if not batch:
            break
        asked = [group.context | members[child] for group, *pair in batch for child in pair]
        worth = game.value(np.array(asked)).tolist()
        left -= len(asked)
        for i, (group, first, second) in enumerate(batch):
            ones = asked[2 * i], asked[2 * i + 1]
            with_first, with_second = worth[2 * i], worth[2 * i + 1]
            for context, low, high, child in (
                (group.context, group.low, with_first, first),
                (group.context, group.low, with_second, second),
                (ones[1], with_second, group.high, first),
                (ones[0], with_first, group.high, second),
            ):
                weight = group.weight / 2
                heappush(waiting, _Open(-abs(high - low) * weight, turn, context, low, high, child, weight))
                turn += 1
    for group in waiting:
        nodes[group.node] += (group.high - group.low) * group.weight
    return _shared(nodes, tree, parts)


def full_cost(tree: Tree, parts: int) -> int:
    """Return the masks that a tree needs to its last leaf: each group is split in 2 ** depth contexts."""
    depth = np.zeros(2 * parts - 1, int)
    total = 2
    for row in range(parts - 2, -1, -1):
        total += 2 * 2 ** int(min(depth[parts + row], 40))
        depth[tree[row, :2].astype(int)] = depth[parts + row] + 1
    return total


def text_tree(text: str, units: Sequence[Unit], seed: int = 0) -> Tree:
    """Return the tree of a note: cut in two at the strongest punctuation, then each half again.

    The depth is at most one more than a balanced tree's, since the cost doubles with each level. Of equally strong
    cuts the one nearest to the middle is taken; with a seed other than 0 a random one.
    """
    strengths = [_strength(text[a.spans[0][1] : b.spans[0][0]]) for a, b in pairwise(units)]
    generator = np.random.default_rng(seed) if seed else None
    parts = len(units)
    rows: list[tuple[float, float, float, float]] = []

    def build(start: int, end: int, depth: int) -> int:
        if end - start == 1:
            return start
        largest = 2 ** (depth - 1)
        cuts = np.arange(max(start + 1, end - largest), min(end - 1, start + largest) + 1)
        strongest = np.array([strengths[cut - 1] for cut in cuts])
        cuts = cuts[strongest == strongest.max()]
        if generator is None:
            cut = int(cuts[np.argmin(np.abs(2 * cuts - start - end))])
        else:
            cut = int(generator.choice(cuts))
        children = build(start, cut, depth - 1), build(cut, end, depth - 1)
        rows.append((*children, len(rows) + 1, end - start))
        return parts + len(rows) - 1

    build(0, parts, int(np.ceil(np.log2(max(parts, 2)))) + 1)
    return np.array(rows, float).reshape(-1, 4)


def _strength(between: str) -> int:
    return 2 if _STOP.search(between) else 1 if _PAUSE.search(between) else 0


def _members(tree: Tree, parts: int) -> Masks:
    """Which parts lie below each node, shape (2 * parts - 1, parts)."""
    members = np.zeros((2 * parts - 1, parts), dtype=bool)
    members[:parts] = np.eye(parts, dtype=bool)
    for row, (first, second) in enumerate(tree[:, :2].astype(int)):
        members[parts + row] = members[first] | members[second]
    return members


def _shared(nodes: Floats, tree: Tree, parts: int) -> Floats:
    """What stayed with groups, handed down by the number of parts."""
    sizes = np.concatenate([np.ones(parts), tree[:, 3]])
    nodes = nodes.copy()
    for row in range(parts - 2, -1, -1):
        children = tree[row, :2].astype(int)
        nodes[children] += nodes[parts + row] * sizes[children] / sizes[parts + row]
    return nodes[:parts]
