"""Dawid and Skene: every annotator has a confusion matrix."""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from xinglin.errors import InputTooLargeError
from xinglin.labels.majority import majority
from xinglin.labels.votes import Array, Truth, Votes, gained, truth

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
    """
    annotators, classes = votes.n_annotators, votes.n_classes
    if annotators * classes**2 > MAX_CELLS:
        raise InputTooLargeError(
            f"Dawid-Skene: {annotators} confusion matrices of {classes} x {classes} classes need more than "
            f"{MAX_CELLS} numbers; use mace, whose annotators have one number a class"
        )
    table = votes.by_item()
    voted = np.diff(table.indptr) > 0
    posterior = majority(votes).posterior
    trace: list[float] = []
    going = True
    while going and len(trace) < max_iterations:
        posterior[~voted] = 0.0
        prior = posterior.sum(axis=0) / voted.sum()
        expected = (table.T @ posterior).reshape(
            annotators, classes, classes
        )  # [annotator, label, true class]
        total = expected.sum(axis=1, keepdims=True)
        confusion = _divided(expected + smoothing, total + smoothing * classes)
        with np.errstate(divide="ignore"):
            log_confusion, log_prior = np.log(confusion), np.log(prior)
        joint = table @ log_confusion.reshape(annotators * classes, classes) + log_prior
        evidence = logsumexp(joint, axis=1, keepdims=True)
        posterior = np.exp(joint - evidence)
        penalty = smoothing * float(log_confusion.sum()) if smoothing else 0.0
        trace.append(float(evidence[voted].sum()) + penalty)
        going = gained(trace, len(votes), tolerance)
    confusion = np.where(total > 0, confusion, np.nan).transpose(0, 2, 1)
    return truth(
        votes,
        "dawid-skene",
        posterior,
        prior,
        log_likelihood=np.array(trace),
        converged=not going,
        parameters={"confusion": confusion},
    )


def _divided(part: Array, total: Array) -> Array:
    """Shares; uniform where there is no count, which no likelihood then depends on."""
    uniform = np.full(part.shape, 1 / part.shape[1])
    return np.asarray(np.divide(part, total, out=uniform, where=total > 0))
