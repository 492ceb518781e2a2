"""The majority: every vote counts alike."""

from __future__ import annotations

import numpy as np

from xinglin.labels.votes import Truth, Votes, truth


def majority(votes: Votes) -> Truth:
    """Return the share of votes of each class as its posterior.

    It knows no prior and no annotator: an item without a vote gets every class alike, flagged ``unvoted``.
    """
    counts = votes.counts()
    total = counts.sum(axis=1, keepdims=True)
    prior = np.full(votes.n_classes, 1 / votes.n_classes)
    posterior = np.where(total > 0, counts / np.maximum(total, 1), prior)
    return truth(votes, "majority", posterior, prior)
