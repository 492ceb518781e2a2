"""MACE: an annotator either knows the class, or answers by habit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, digamma, gammaln

from xinglin.errors import InvalidInputError
from xinglin.labels.votes import Array, Ascent, Truth, Votes, normalised, truth

COMPETENCE_PRIOR = 0.5
"""Both parameters of the Beta prior of an annotator's competence (Hovy et al., section 4)."""
STRATEGY_PRIOR = 10.0
"""Every parameter of the Dirichlet prior of an annotator's habit (as in the authors' program)."""


def mace(
    votes: Votes, *, restarts: int = 10, max_iterations: int = 50, tolerance: float = 1e-6, seed: int = 0
) -> Truth:
    """Infer the truth by MACE (Hovy, Berg-Kirkpatrick, Vaswani and Hovy, NAACL 2013, 1120-1130).

    Annotator j knows the class of an item with probability ``competence[j]`` and then votes for it; otherwise the
    vote is drawn from the habit ``strategy[j]``, whatever the item. Every class is equally probable beforehand.
    Estimated by variational Bayes: a Beta prior on competence, a Dirichlet prior on strategy.

    ``log_likelihood`` is the variational lower bound of the log-likelihood (Beal 2003), of the restart that was best.

    Args:
        votes: the votes.
        restarts: starts, >= 1: the first treats all annotators alike, the others are random; the one with the
            highest bound is returned.
        max_iterations: most iterations a start.
        tolerance: stop when an iteration gains less, in nats a vote.
        seed: of the random starts.

    Returns:
        The truth. ``parameters``: ``competence``, shape (annotators,), the posterior mean; ``strategy``, shape
        (annotators, classes), likewise; both are the prior's mean for an annotator without a vote.

    Raises:
        InvalidInputError: fewer than one start or iteration.
    """
    if restarts < 1:
        raise InvalidInputError(f"restarts: expected at least 1, got {restarts}")
    generator = np.random.default_rng(seed)
    starts = [None] + [generator] * (restarts - 1)
    runs = [_climb(votes, start, Ascent(len(votes), max_iterations, tolerance)) for start in starts]
    best = max(runs, key=lambda run: run.ascent.trace[-1])
    count = np.bincount(votes.annotators, minlength=votes.n_annotators)
    knowing = best.known.sum(axis=1)
    strategy = best.habit + STRATEGY_PRIOR
    classes = votes.n_classes
    return truth(
        votes,
        "mace",
        best.posterior.reshape(votes.n_items, classes),
        np.full(classes, 1 / classes),
        best.ascent,
        {
            "competence": (knowing + COMPETENCE_PRIOR) / (count + 2 * COMPETENCE_PRIOR),
            "strategy": strategy / strategy.sum(axis=1, keepdims=True),
        },
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """Where one random start has climbed to."""

    posterior: Array
    """Probability of each class, shape (items, classes)."""
    known: Array
    """Expected votes out of knowledge, shape (annotators, classes)."""
    habit: Array
    """Expected votes out of habit, shape (annotators, classes)."""
    ascent: Ascent


def _climb(votes: Votes, generator: np.random.Generator | None, ascent: Ascent) -> _Run:
    """Go up from one start until the gain is small."""
    usage, slots, cells = votes.usage(), votes.slots, votes.cells
    shape, size = usage.shape, votes.n_items * votes.n_classes
    # A start splits the votes of each annotator into knowledge and habit: for all alike, or at random.
    known = usage * (0.65 if generator is None else generator.uniform(0.4, 0.9, (shape[0], 1)))
    habit = (usage - known) * (1.0 if generator is None else generator.uniform(0.5, 1.5, shape))
    going = True
    while going:
        know, miss, strategy, divergence = _expected_logs(known, habit)
        guess = np.exp(miss[:, None] + strategy)  # by habit, shape (annotators, classes)
        either = np.exp(know)[:, None] + guess
        joint = np.bincount(slots, (np.log(either) - np.log(guess)).ravel()[cells], minlength=size)
        posterior, evidence = normalised(np.asarray(joint, float).reshape(-1, shape[1]))
        by_habit = float((usage * np.log(guess)).sum()) - len(evidence) * np.log(shape[1])
        reached = float(evidence.sum()) + by_habit - divergence
        agreed = np.bincount(cells, posterior.ravel()[slots], minlength=usage.size).reshape(shape)
        known = agreed * np.exp(know)[:, None] / either
        habit = usage - known
        going = ascent.goes_on(reached)
    return _Run(posterior, known, habit, ascent)


def _expected_logs(known: Array, habit: Array) -> tuple[Array, Array, Array, float]:
    """Expected logs of competence, its complement and strategy; and the divergence from the prior, in nats."""
    a, b = known.sum(axis=1) + COMPETENCE_PRIOR, habit.sum(axis=1) + COMPETENCE_PRIOR
    c = habit + STRATEGY_PRIOR
    both, every = digamma(a + b), c.sum(axis=1)
    know, miss = digamma(a) - both, digamma(b) - both
    strategy = digamma(c) - digamma(every)[:, None]
    classes = c.shape[1]
    divergence = (
        betaln(COMPETENCE_PRIOR, COMPETENCE_PRIOR)
        - betaln(a, b)
        + (a - COMPETENCE_PRIOR) * know
        + (b - COMPETENCE_PRIOR) * miss
        + gammaln(every)
        - gammaln(c).sum(axis=1)
        - gammaln(classes * STRATEGY_PRIOR)
        + classes * gammaln(STRATEGY_PRIOR)
        + ((c - STRATEGY_PRIOR) * strategy).sum(axis=1)
    )
    return know, miss, strategy, float(divergence.sum())
