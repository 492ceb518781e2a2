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
SAFE = 600.0
"""Exponentials of numbers between minus and plus this neither overflow nor underflow, nor do their sums."""


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
        each = np.ones(len(self))
        if (self.items[1:] < self.items[:-1]).any():
            return csr_matrix((each, (self.items, self.cells)), shape=shape)
        starts = np.searchsorted(self.items, np.arange(self.n_items + 1))
        return csr_matrix((each, self.cells, starts), shape=shape)


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
    log_likelihood: Array
    """What the method climbs, in nats, after each iteration, shape (iterations,); it never falls. Log-likelihood of
    the votes, with the log prior of the parameters where a method has one (see there)."""
    converged: bool
    """False when the iterations ran out before the gain fell below the tolerance."""
    parameters: Mapping[str, Array]
    """The method's own parameters by name; each method documents them."""

    @property
    def iterations(self) -> int:
        """Iterations made."""
        return len(self.log_likelihood)

    @property
    def labels(self) -> Ints:
        """Most probable class of each item, shape (items,); of equal ones the first (see ``tied``)."""
        return np.asarray(self.posterior.argmax(axis=1))

    @property
    def confidence(self) -> Array:
        """Posterior of the most probable class, shape (items,)."""
        return np.asarray(self.posterior.max(axis=1))

    @property
    def tied(self) -> Flags:
        """Items whose votes leave two or more classes equally probable (within 1e-9), shape (items,)."""
        best = self.posterior.max(axis=1, keepdims=True)
        return np.asarray((self.posterior > best - 1e-9).sum(axis=1) > 1)


def truth(
    votes: Votes,
    method: str,
    posterior: Array,
    prior: Array,
    ascent: Ascent | None = None,
    parameters: Mapping[str, Array] | None = None,
) -> Truth:
    """Return a :class:`Truth` with what every method derives alike from votes and posterior."""
    count = np.bincount(votes.annotators, minlength=votes.n_annotators)
    right = np.bincount(votes.annotators, posterior.ravel()[votes.slots], minlength=votes.n_annotators)
    skill = np.divide(right, count, out=np.full(votes.n_annotators, np.nan), where=count > 0)
    unvoted = np.bincount(votes.items, minlength=votes.n_items) == 0
    trace = np.array(ascent.trace if ascent else [])
    converged = ascent is None or ascent.converged
    return Truth(
        method, posterior, skill, count, unvoted, prior, trace, converged, parameters if parameters else {}
    )


def normalised(joint: Array, bound: float | None = None) -> tuple[Array, Array]:
    """Turn log joint probabilities, shape (items, classes), into the posterior (in place) and the log evidence.

    Args:
        joint: the log joint probabilities.
        bound: what no number exceeds in size, where that is known; else it is looked up.
    """
    # Most votes leave numbers whose exponential is safe as it is; only others pay for the shift.
    if (bound is None or not bound < SAFE) and (joint.min() < -SAFE or joint.max() > SAFE):
        top = joint.max(axis=1)
        joint -= top[:, None]
    else:
        top = None
    np.exp(joint, out=joint)
    mass = joint @ np.ones(joint.shape[1])  # quicker than a sum over a short axis
    joint *= (1 / mass)[:, None]
    evidence = np.log(mass)
    return joint, evidence if top is None else top + evidence


@dataclass(slots=True)
class Ascent:
    """The climb of an iterative method: what each iteration reached, and when it ends.

    Raises:
        InvalidInputError: fewer than one iteration is allowed.
    """

    votes: int
    max_iterations: int
    tolerance: float
    """It ends when an iteration gains less than this, in nats a vote."""
    trace: list[float] = field(default_factory=list)
    converged: bool = False

    def __post_init__(self) -> None:
        if self.max_iterations < 1:
            raise InvalidInputError(f"max_iterations: expected at least 1, got {self.max_iterations}")

    def goes_on(self, reached: float) -> bool:
        """Note what an iteration reached; say whether another follows."""
        if self.trace:
            self.converged = reached - self.trace[-1] < self.tolerance * self.votes
        self.trace.append(reached)
        return not self.converged and len(self.trace) < self.max_iterations


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
    return np.asarray(found, np.int64)
