"""Votes of many annotators, and the truth inferred from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from xinglin.errors import InvalidInputError

Ints = NDArray[np.int64]
Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """Who gave which item which class. Any vote may be missing; one annotator may vote on an item twice.

    Raises:
        InvalidInputError: there is no vote, the arrays differ in length, are not integers, or an index lies
            outside its size.
    """

    items: Ints
    """Index of the item of each vote, shape (votes,), in 0..n_items - 1."""
    annotators: Ints
    """Index of the annotator of each vote, shape (votes,), in 0..n_annotators - 1."""
    labels: Ints
    """Class of each vote, shape (votes,), in 0..n_classes - 1."""
    n_items: int
    n_annotators: int
    n_classes: int

    def __post_init__(self) -> None:
        for name, size in (
            ("items", self.n_items),
            ("annotators", self.n_annotators),
            ("labels", self.n_classes),
        ):
            object.__setattr__(self, name, _indices(name, getattr(self, name), size))
        lengths = (len(self.items), len(self.annotators), len(self.labels))
        if len(set(lengths)) != 1:
            raise InvalidInputError(f"votes: expected three arrays of one length, got lengths {lengths}")
        if not lengths[0]:
            raise InvalidInputError("votes: expected at least one vote, got none")

    def __len__(self) -> int:
        return len(self.items)

    @property
    def slots(self) -> Ints:
        """Item and class of each vote as one index, ``item * n_classes + label``, shape (votes,)."""
        return self.items * self.n_classes + self.labels

    @property
    def cells(self) -> Ints:
        """Annotator and class of each vote as one index, ``annotator * n_classes + label``, shape (votes,)."""
        return self.annotators * self.n_classes + self.labels

    def counts(self) -> Array:
        """Return how many votes each item has for each class, shape (items, classes)."""
        return self._sum(self.slots, self.n_items).reshape(self.n_items, self.n_classes)

    def usage(self) -> Array:
        """Return how often each annotator used each class, shape (annotators, classes)."""
        return self._sum(self.cells, self.n_annotators).reshape(self.n_annotators, self.n_classes)

    def _sum(self, index: Ints, rows: int) -> Array:
        return np.bincount(index, minlength=rows * self.n_classes).astype(float)

    def by_item(self) -> csr_matrix:
        """Return the votes as a sparse matrix of counts, shape (items, annotators * classes)."""
        shape = (self.n_items, self.n_annotators * self.n_classes)
        return csr_matrix((np.ones(len(self)), (self.items, self.cells)), shape=shape)


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What the votes say of every item, and what they say of every annotator."""

    method: str
    posterior: Array
    """Probability of each class given the votes, shape (items, classes); each row sums to 1."""
    skill: Array
    """Expected share of an annotator's votes that are right: the mean posterior of the classes voted for, shape
    (annotators,), in [0, 1]; ``nan`` for an annotator without a vote. One definition for every method. An
    annotator with few votes is judged largely by the own votes: see ``votes``."""
    votes: Ints
    """Votes of each annotator, shape (annotators,)."""
    unvoted: Flags
    """Items without a vote, shape (items,): their posterior is the prior, nothing was learned of them."""
    prior: Array
    """Probability of each class before any vote, shape (classes,)."""
    log_likelihood: Array = field(default_factory=lambda: np.empty(0))
    """What the method climbs, in nats, after each iteration, shape (iterations,); it never falls. Log-likelihood of
    the votes, with the log prior of the parameters where a method has one (see there)."""
    converged: bool = True
    """False when the iterations ran out before the gain fell below the tolerance."""
    parameters: Mapping[str, Array] = field(default_factory=dict)
    """The method's own parameters by name; each method documents them."""

    @property
    def iterations(self) -> int:
        """Iterations made."""
        return len(self.log_likelihood)

    @property
    def labels(self) -> Ints:
        """Most probable class of each item, shape (items,); of equal ones the first (see ``tied``)."""
        return self.posterior.argmax(axis=1)

    @property
    def confidence(self) -> Array:
        """Posterior of the most probable class, shape (items,)."""
        return np.asarray(self.posterior.max(axis=1))

    @property
    def tied(self) -> Flags:
        """Items whose votes leave two or more classes equally probable (within 1e-9), shape (items,)."""
        best = self.posterior.max(axis=1, keepdims=True)
        return np.asarray((self.posterior > best - 1e-9).sum(axis=1) > 1)


def truth(votes: Votes, method: str, posterior: Array, prior: Array, **more: object) -> Truth:
    """Return a :class:`Truth` with what every method derives alike from votes and posterior."""
    count = np.bincount(votes.annotators, minlength=votes.n_annotators)
    right = np.bincount(votes.annotators, posterior[votes.items, votes.labels], minlength=votes.n_annotators)
    skill = np.divide(right, count, out=np.full(votes.n_annotators, np.nan), where=count > 0)
    unvoted = np.bincount(votes.items, minlength=votes.n_items) == 0
    return Truth(method, posterior, skill, count, unvoted, prior, **more)  # type: ignore[arg-type]


def gained(trace: list[float], votes: int, tolerance: float) -> bool:
    """Say whether the last iteration gained at least ``tolerance`` nats a vote."""
    return len(trace) < 2 or trace[-1] - trace[-2] >= tolerance * votes


def _indices(name: str, values: object, size: int) -> Ints:
    found = np.asarray(values)
    if found.ndim != 1 or (found.size and not np.issubdtype(found.dtype, np.integer)):
        raise InvalidInputError(
            f"votes: {name}: expected a vector of integers, got {found.dtype} of shape {found.shape}"
        )
    if found.size and not (found.min() >= 0 and found.max() < size):
        raise InvalidInputError(
            f"votes: {name}: expected indices in 0..{size - 1}, got {found.min()}..{found.max()}"
        )
    return found.astype(np.int64)
