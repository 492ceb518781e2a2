"""The majority: every vote counts alike."""

from __future__ import annotations

import numpy as np

from xinglin.labels.votes import Array, Truth, Votes, truth


def majority(votes: Votes) -> Truth:
    """Return the share of votes of each class as its posterior.

    It knows no prior and no annotator: an item without a vote gets every class alike, flagged ``unvoted``.
    """
    prior = np.full(votes.n_classes, 1 / votes.n_classes)
    return truth(votes, "majority", shares(votes), prior)


def shares(votes: Votes) -> Array:
    """Return the share of an item's votes that each class has, shape (items, classes); without a vote all alike."""
    counts = votes.counts()
    total = counts @ np.ones(votes.n_classes)
    counts[total == 0] = 1.0
    counts /= np.where(total == 0, votes.n_classes, total)[:, None]
    return counts
