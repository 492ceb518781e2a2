"""The rule by which a round turns votes into labels: agree or be reviewed, then review what is most doubtful.

1. Two blind labels and the model's vote. Only if nobody differs is the label settled without an expert.
2. Every other item goes to an expert, whose label stands.
3. What is left of the experts' time goes to the items whose label is least certain under Dawid-Skene over all votes,
   the experts' included: a first review of an item on which all agreed, or a second of one that was reviewed. Where
   two experts differ a third decides; if all three differ, the item stays unsettled.

``python -m benchmarks annotation`` measures what this leaves in error, against majority and Dawid-Skene alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from xinglin.errors import InvalidInputError
from xinglin.labels.dawid_skene import dawid_skene
from xinglin.labels.votes import Array, Flags, Ints, Votes

MOST = 3
"""Expert labels of one item at most."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Everything said about the items of a round."""

    votes: Votes
    """The annotators' blind labels, and the model's vote as one more annotator."""
    reviews: Votes | None = None
    """The experts' labels of the same items, in the order in which they were given."""

    def __post_init__(self) -> None:
        if self.reviews is not None and (self.reviews.n_items, self.reviews.n_classes) != (
            self.votes.n_items, self.votes.n_classes,
        ):  # fmt: skip
            raise InvalidInputError("pipeline: expected reviews of the same items and classes as the votes")


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """The labels so far."""

    labels: Ints
    """Class of each item, shape (items,); -1 where it is not settled."""
    reviewed: Ints
    """Expert labels of each item, shape (items,)."""

    @property
    def open(self) -> Flags:
        """Items that wait for an expert, shape (items,)."""
        return np.asarray(self.labels < 0)


def unanimous(labels: Iterable[T], vote: T | None = None) -> T | None:
    """Return the one label that all, and the model's vote if there is one, agree on; ``None`` if they differ."""
    said = [*labels, *([] if vote is None else [vote])]
    return said[0] if said and all(label == said[0] for label in said) else None


def decided(reviews: Sequence[T]) -> T | None:
    """Return what the experts' labels come to: the only one, else the one that two gave; ``None``: one more is needed."""
    if len(reviews) == 1:
        return reviews[0]
    return next((label for label in reviews if sum(other == label for other in reviews) > 1), None)


def settle(panel: Panel) -> Settled:
    """Return the labels by :func:`unanimous` and :func:`decided`, for all items at once."""
    counts = panel.votes.counts()
    agreed = (counts > 0).sum(axis=1) == 1
    labels = np.where(agreed, counts.argmax(axis=1), -1)
    reviewed = np.zeros(panel.votes.n_items, np.int64)
    if panel.reviews is not None:
        given = panel.reviews.counts()
        reviewed = given.sum(axis=1).astype(np.int64)
        best = given.argmax(axis=1)
        sure = (reviewed == 1) | (given.max(axis=1) > 1)
        labels = np.where(reviewed == 0, labels, np.where(sure, best, -1))
    return Settled(labels, reviewed)


def next_reviews(panel: Panel, most: int) -> Ints:
    """Return the items that an expert should look at next, the most urgent first.

    Open items come first; then settled ones in the order of doubt: the posterior of their label under Dawid-Skene over
    all votes and reviews, lowest first. No item gets more than ``MOST`` reviews, and each stands here at most once.

    Args:
        panel: everything said so far.
        most: items that there is time for.
    """
    now = settle(panel)
    possible = now.reviewed < MOST
    waiting = np.nonzero(now.open & possible)[0]
    if len(waiting) >= most:
        return waiting[:most]
    # two experts who agree have said enough
    doubtful = np.nonzero(~now.open & possible & (now.reviewed < 2))[0]
    sure = certainty(panel)[doubtful]
    return np.concatenate((waiting, doubtful[np.argsort(sure, kind="stable")]))[:most]


def certainty(panel: Panel) -> Array:
    """Return the probability that each item's label is right, by Dawid-Skene over all votes and reviews.

    It is what the model of Dawid and Skene believes, not a measurement: see :mod:`.certificate` for one.

    Returns:
        Shape (items,); ``nan`` where the item is not settled.
    """
    now = settle(panel)
    posterior = dawid_skene(_together(panel)).posterior
    right = posterior[np.arange(len(posterior)), np.maximum(now.labels, 0)]
    return np.where(now.open, np.nan, right)


def _together(panel: Panel) -> Votes:
    """Votes and reviews as one, experts after the annotators."""
    votes, reviews = panel.votes, panel.reviews
    if reviews is None:
        return votes
    return Votes(
        np.concatenate((votes.items, reviews.items)),
        np.concatenate((votes.annotators, reviews.annotators + votes.n_annotators)),
        np.concatenate((votes.labels, reviews.labels)),
        votes.n_items,
        votes.n_annotators + reviews.n_annotators,
        votes.n_classes,
    )
