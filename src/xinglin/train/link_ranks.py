"""Link prediction scored: filtered realistic ranks, MRR and Hits@10 with intervals, and a floor.

Filtered (Bordes et al. 2013): other true answers are left out of the list. Realistic (Ali et al. 2021, arXiv
2006.13365): ties take the mean of their places, so that a constant score gains nothing. The floor knows no
structure: how often an entity is the answer for the relation in training.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.model.knowledge import EntityGraph

Ids = NDArray[np.int64]
Array = NDArray[np.float64]
Score = Callable[[Ids, bool], Array]
"""(triples, whether tails are asked) -> score of every entity in that place, shape (triples, entities)."""


def popularity(train: EntityGraph) -> Score:
    """Return the floor: how often an entity is the tail, or the head, of the relation in training."""
    counts = {}
    for tails, column in ((True, 2), (False, 0)):
        counts[tails] = np.zeros((len(train.relations), len(train.keys)))
        np.add.at(counts[tails], (train.triples[:, 1], train.triples[:, column]), 1.0)
    return lambda rows, tails: np.asarray(counts[tails][rows[:, 1]])


def filtered_ranks(score: Score, held: Ids, known: Ids) -> Array:
    """Return the filtered, realistic rank of each held-out triple's tail and head.

    Args:
        score: scores of all entities.
        held: triples to rank.
        known: every true triple, ``held`` included; other true answers are left out of the list.

    Returns:
        Shape (held, 2): rank of the tail, rank of the head; 1 is best, ties take the mean of their places.
    """
    ranks = np.zeros((len(held), 2))
    for side, (tails, given, asked) in enumerate(((True, 0, 2), (False, 2, 0))):
        answers: dict[tuple[int, int], list[int]] = {}
        for row in known.tolist():
            answers.setdefault((row[given], row[1]), []).append(row[asked])
        for first in range(0, len(held), 256):
            rows = held[first : first + 256]
            scores = np.array(score(rows, tails), np.float64)
            for place, row in enumerate(rows.tolist()):
                own = scores[place, row[asked]]
                others = scores[place]
                others[answers[row[given], row[1]]] = -np.inf
                above, level = int((others > own).sum()), int((others == own).sum())
                ranks[first + place, side] = above + level / 2 + 1
    return ranks


def figures(ranks: Array, floor: Array, seed: int) -> dict[str, Any]:
    """Return MRR and Hits@10 with intervals over test triples, the floor's, and the paired gain."""
    from xinglin.measure import bootstrap

    found: dict[str, Any] = {"n": len(ranks)}
    both = {
        "mrr": (1.0 / ranks, 1.0 / floor),
        "hits_at_10": ((ranks <= 10.0).astype(float), (floor <= 10.0).astype(float)),
    }
    for name, (ours, theirs) in both.items():
        for key, sides in ((name, ours), (f"floor_{name}", theirs), (f"gain_{name}", ours - theirs)):
            values = sides.mean(axis=1)
            found[key] = bootstrap(partial(_mean_of, values), len(values), seed=seed).as_json()
    return found


def _mean_of(values: Array, chosen: Ids) -> float:
    return float(values[chosen].mean())
