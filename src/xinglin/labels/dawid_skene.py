"""Dawid and Skene: every annotator has a confusion matrix."""

from __future__ import annotations

import numpy as np

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.labels.majority import shares
from xinglin.labels.votes import Array, Ascent, Truth, Votes, normalised, truth

MAX_CELLS = 2**27
"""Most numbers in all confusion matrices together: 1 GiB."""


def dawid_skene(
    votes: Votes, *, smoothing: float = 0.01, max_iterations: int = 100, tolerance: float = 1e-6
) -> Truth:
    """Infer the truth by the model of Dawid and Skene, *Applied Statistics* 28 (1979) 20-28.

    An item of class k gets label l from annotator j with probability ``confusion[j, k, l]``; votes are independent
    given the class. Estimated by expectation-maximisation that starts from the majority.

    Where we differ: ``smoothing`` pseudo-votes in every cell of a confusion matrix (a symmetric Dirichlet prior with
    1 + smoothing, maximum a posteriori), so that an error that was not seen yet is rare and not impossible. With 0
    it is the maximum likelihood of the paper.

    Args:
        votes: the votes.
        smoothing: pseudo-votes a cell, >= 0.
        max_iterations: most iterations.
        tolerance: stop when an iteration gains less, in nats a vote.

    Returns:
        The truth. ``parameters["confusion"]``, shape (annotators, classes, classes): row = true class, column =
        label; a row is ``nan`` where the annotator has seen no item of the class. ``prior`` is estimated over the
        items that have a vote. A class nobody voted for keeps probability 0.

    Raises:
        InputTooLargeError: the confusion matrices need more than 1 GiB.
        InvalidInputError: a negative smoothing, or fewer than one iteration.
    """
    annotators, classes = votes.n_annotators, votes.n_classes
    if annotators * classes**2 > MAX_CELLS:
        raise InputTooLargeError(
            f"Dawid-Skene: {annotators} confusion matrices of {classes} x {classes} classes need more than "
            f"{MAX_CELLS} numbers; use mace, whose annotators have one number a class"
        )
    if smoothing < 0:
        raise InvalidInputError(f"smoothing: expected at least 0, got {smoothing}")
    ascent = Ascent(len(votes), max_iterations, tolerance)
    table = votes.by_item()
    each = np.diff(table.indptr)
    voted = each > 0
    # Sums over fewer items are made only where an item has no vote.
    some = slice(None) if voted.all() else voted
    posterior = shares(votes)
    going = True
    while going:
        if some is voted:
            posterior[~voted] = 0.0
        prior = np.ones(len(posterior)) @ posterior / voted.sum()
        # axes: annotator, label, true class
        expected = (table.T @ posterior).reshape(annotators, classes, classes)
        total = expected.sum(axis=1, keepdims=True)
        confusion = _divided(expected + smoothing, total + smoothing * classes)
        with np.errstate(divide="ignore"):
            log_confusion, log_prior = np.log(confusion), np.log(prior)
        joint = table @ log_confusion.reshape(annotators * classes, classes)
        joint += log_prior
        # a class without a posterior has log 0 and makes the bound infinite
        posterior, evidence = normalised(joint, -float(each.max() * log_confusion.min() + log_prior.min()))
        penalty = smoothing * float(log_confusion.sum()) if smoothing else 0.0
        going = ascent.goes_on(float(evidence[some].sum()) + penalty)
    confusion = np.where(total > 0, confusion, np.nan).transpose(0, 2, 1)
    return truth(votes, "dawid-skene", posterior, prior, ascent, {"confusion": confusion})


def _divided(part: Array, total: Array) -> Array:
    """Shares; uniform where there is no count, which no likelihood then depends on."""
    uniform = np.full(part.shape, 1 / part.shape[1])
    return np.asarray(np.divide(part, total, out=uniform, where=total > 0))
