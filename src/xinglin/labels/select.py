"""Which items are worth a label next: what the model doubts, what looks new, what the graph has not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from scipy.sparse import csr_matrix, issparse

from xinglin.errors import InvalidInputError
from xinglin.labels.votes import Array, Ints

Rows: TypeAlias = Array | csr_matrix
BLOCK = 2**24
"""Similarities held at once while candidates are compared with what is labelled."""


@dataclass(frozen=True, slots=True)
class Mix:
    """How much each reason counts. The score of a candidate is ``doubt ** uncertainty * novelty ** diversity *
    (1 + coverage * gain)``; a reason of weight 0, or whose argument is not given, does not count.
    """

    uncertainty: float = 1.0
    """Exponent of the doubt: one minus the margin between the two most probable classes."""
    diversity: float = 1.0
    """Exponent of the novelty: cosine distance to the nearest item that is labelled or already chosen, halved."""
    coverage: float = 0.0
    """Weight of the gain: how much nearer, in the graph, the anchors would be to what is labelled; the largest gain of
    the batch's start counts 1."""
    shortlist: int = 5
    """Only the ``shortlist * count`` most doubtful candidates are looked at; 0 looks at all."""

    def __post_init__(self) -> None:
        if min(self.uncertainty, self.diversity, self.coverage, self.shortlist) < 0:
            raise InvalidInputError(f"Mix: expected numbers >= 0, got {self}")


MARGIN = Mix(diversity=0.0)
"""The model's doubt alone (Scheffer, Decomain and Wrobel, IDA 2001)."""
K_CENTER = Mix(uncertainty=0.0, shortlist=0)
"""Farthest first (Gonzalez 1985; as active learning, Sener and Savarese, ICLR 2018)."""


def select(
    size: int,
    count: int,
    labelled: Ints,
    *,
    probabilities: Array | None = None,
    features: Any = None,
    distances: Array | None = None,
    mix: Mix | None = None,
    seed: int = 0,
) -> Ints:
    """Choose a batch of items to label, one after another, each for the highest score given those before it.

    Args:
        size: number of items.
        count: how many to choose; fewer are returned where fewer are unlabelled.
        labelled: indices of the items that have a label.
        probabilities: of each class by the present model, shape (items, classes); its doubt.
        features: of each item, shape (items, features), dense or scipy sparse, any scale; for novelty. A row of zeros
            resembles nothing.
        distances: from each item to each anchor of a knowledge graph (a concept that the labels ought to reach), in
            edges, shape (items, anchors), ``inf`` where there is no path; for coverage. An item is as near to an anchor
            as ``0.5 ** distance``.
        mix: how much each reason counts; default: the defaults of :class:`Mix`.
        seed: of the order in which equal scores are taken.

    Returns:
        Indices in the order of choice, shape (min(count, unlabelled),).

    Raises:
        InvalidInputError: a shape does not fit, an index or a probability is out of range, or the mix gives weight to
            reasons none of whose arguments is there.
    """
    weights = mix or Mix()
    known = _indices(labelled, size)
    doubt = _doubt(probabilities, size) if probabilities is not None and weights.uncertainty else None
    rows = _unit_rows(features, size) if features is not None and weights.diversity else None
    near = _nearness(distances, size) if distances is not None and weights.coverage else None
    if doubt is None and rows is None and near is None:
        raise InvalidInputError(
            "select: nothing to choose by: give probabilities, features or distances, and a weight to one of them; "
            "for a random batch use at_random"
        )
    if count < 0:
        raise InvalidInputError(f"select: expected count >= 0, got {count}")
    free = _shuffled(size, known, seed)
    if doubt is not None and weights.shortlist:
        order = np.argsort(-doubt[free], kind="stable")
        free = free[order[: weights.shortlist * count]]
    base = np.ones(len(free)) if doubt is None else doubt[free] ** weights.uncertainty
    novelty = None if rows is None else _novelty(rows, free, known)
    candidates = None if rows is None else rows[free]
    covered = None if near is None else near[known].max(axis=0, initial=0.0)
    near = None if near is None else near[free]
    most = 0.0
    chosen: list[int] = []
    alive = np.ones(len(free), bool)
    for _ in range(min(count, len(free))):
        score = base.copy()
        if novelty is not None:
            score *= novelty**weights.diversity
        if near is not None and covered is not None:
            gain = np.maximum(near - covered, 0).sum(axis=1)
            most = most or float(gain.max())
            score *= 1 + weights.coverage * (gain / most if most else 0.0)
        score[~alive] = -1.0
        best = int(score.argmax())
        alive[best] = False
        chosen.append(int(free[best]))
        if candidates is not None and novelty is not None:
            similar = _similarity(candidates, candidates[[best]]).ravel()
            novelty = np.minimum(novelty, np.maximum(1 - similar, 0) / 2)
        if near is not None and covered is not None:
            covered = np.maximum(covered, near[best])
    return np.array(chosen, np.int64)


def at_random(size: int, count: int, labelled: Ints, *, seed: int = 0) -> Ints:
    """Choose a batch of unlabelled items at random: the floor that every other choice must beat.

    Raises:
        InvalidInputError: an index is out of range.
    """
    return _shuffled(size, _indices(labelled, size), seed)[: max(count, 0)]


def _shuffled(size: int, known: Ints, seed: int) -> Ints:
    """Unlabelled items in random order, so that equal scores fall to no item by its place."""
    free = np.setdiff1d(np.arange(size), known)
    return np.asarray(np.random.default_rng(seed).permutation(free), np.int64)


def _doubt(probabilities: Array, size: int) -> Array:
    found = np.asarray(probabilities, float)
    if found.ndim != 2 or len(found) != size or found.shape[1] < 2:
        raise InvalidInputError(
            f"select: expected probabilities ({size}, classes >= 2), got shape {found.shape}"
        )
    if not (np.isfinite(found).all() and (found >= 0).all() and np.allclose(found.sum(axis=1), 1, atol=1e-3)):
        raise InvalidInputError("select: expected rows of probabilities that are >= 0 and sum to 1")
    two = np.partition(found, -2, axis=1)[:, -2:]
    return np.asarray(1 - (two[:, 1] - two[:, 0]))


def _unit_rows(features: Any, size: int) -> Rows:
    """Rows of length 1, sparse if they came so; a row of zeros stays."""
    rows: Rows = csr_matrix(features, dtype=float) if issparse(features) else np.asarray(features, float)
    if rows.ndim != 2 or rows.shape[0] != size:
        raise InvalidInputError(f"select: expected features ({size}, features), got shape {rows.shape}")
    if not np.isfinite(rows.data if isinstance(rows, csr_matrix) else rows).all():
        raise InvalidInputError("select: expected finite features")
    square = rows.multiply(rows) if isinstance(rows, csr_matrix) else rows * rows
    length = np.sqrt(np.asarray(square.sum(axis=1))).ravel()
    scale = np.divide(1.0, length, out=np.zeros(size), where=length > 0)[:, None]
    return csr_matrix(rows.multiply(scale)) if isinstance(rows, csr_matrix) else np.asarray(rows * scale)


def _similarity(rows: Rows, others: Rows) -> Array:
    """Cosine of each row with each of the others, shape (rows, others)."""
    found: Any = rows @ others.T
    return np.asarray(found.toarray() if issparse(found) else found)


def _nearness(distances: Array, size: int) -> Array:
    found = np.asarray(distances, float)
    if found.ndim != 2 or len(found) != size or np.isnan(found).any() or (found < 0).any():
        raise InvalidInputError(
            f"select: expected distances ({size}, anchors) that are >= 0, inf without a path; got shape {found.shape}"
        )
    return np.asarray(0.5**found)


def _novelty(rows: Rows, free: Ints, known: Ints) -> Array:
    """Half the cosine distance to the nearest labelled item, shape (free,); 1 where nothing is labelled."""
    nearest = np.full(len(free), -1.0)
    if len(known):
        labelled = rows[known]
        step = max(1, BLOCK // len(known))
        for start in range(0, len(free), step):
            part = rows[free[start : start + step]]
            nearest[start : start + step] = _similarity(part, labelled).max(axis=1)
    return np.asarray(np.maximum(1 - nearest, 0) / 2)


def _indices(labelled: Ints, size: int) -> Ints:
    found = np.asarray(labelled)
    if found.size == 0:
        return np.empty(0, np.int64)
    if found.ndim != 1 or not np.issubdtype(found.dtype, np.integer):
        raise InvalidInputError(f"select: expected a vector of indices, got {found.dtype} of {found.shape}")
    if found.min() < 0 or found.max() >= size:
        raise InvalidInputError(
            f"select: expected indices in 0..{size - 1}, got {found.min()}..{found.max()}"
        )
    return np.unique(found).astype(np.int64)
