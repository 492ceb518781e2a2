"""MACE: an annotator either knows the class, or answers by habit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import betaln, digamma, gammaln

from xinglin.labels.votes import Array, Truth, Votes, gained, truth

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
        restarts: random starts, >= 1; the one with the highest bound is returned.
        max_iterations: most iterations a start.
        tolerance: stop when an iteration gains less, in nats a vote.
        seed: of the random starts.

    Returns:
        The truth. ``parameters``: ``competence``, shape (annotators,), the posterior mean; ``strategy``, shape
        (annotators, classes), likewise; both are the prior's mean for an annotator without a vote.
    """
    generator = np.random.default_rng(seed)
    data = _Data.of(votes)
    runs = [data.climb(generator, max_iterations, tolerance) for _ in range(max(1, restarts))]
    best = max(runs, key=lambda run: run.trace[-1])
    knowing = best.known.sum(axis=1)
    strategy = best.habit + STRATEGY_PRIOR
    classes = votes.n_classes
    return truth(
        votes,
        "mace",
        best.posterior.reshape(votes.n_items, classes),
        np.full(classes, 1 / classes),
        log_likelihood=np.array(best.trace),
        converged=best.converged,
        parameters={
            "competence": (knowing + COMPETENCE_PRIOR) / (data.usage.sum(axis=1) + 2 * COMPETENCE_PRIOR),
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
    trace: list[float]
    converged: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """The votes in the two forms in which an iteration reads them."""

    slots: csr_matrix
    """Votes by (item, class voted for) and (annotator, class voted for)."""
    items: csr_matrix
    """Votes by item and (annotator, class voted for)."""
    usage: Array
    """Votes of each annotator for each class, shape (annotators, classes)."""

    @classmethod
    def of(cls, votes: Votes) -> _Data:
        shape = (votes.n_items * votes.n_classes, votes.n_annotators * votes.n_classes)
        slots = csr_matrix((np.ones(len(votes)), (votes.slots, votes.cells)), shape=shape)
        return cls(slots, votes.by_item(), votes.usage())

    def climb(self, generator: np.random.Generator, max_iterations: int, tolerance: float) -> _Run:
        """Go up from one random start until the gain is small."""
        shape = self.usage.shape
        total = float(self.usage.sum())
        # A start is a random split of each annotator's votes into knowledge and habit.
        known = self.usage * generator.uniform(0.4, 0.9, (shape[0], 1))
        habit = (self.usage - known) * generator.uniform(0.5, 1.5, shape)
        trace: list[float] = []
        going = True
        while going and len(trace) < max(1, max_iterations):
            know, miss, strategy, bound = _expected_logs(known, habit)
            guess = np.exp(miss[:, None] + strategy)  # by habit, shape (annotators, classes)
            either = np.exp(know)[:, None] + guess
            joint = self.slots @ (np.log(either) - np.log(guess)).ravel()
            joint = joint.reshape(-1, shape[1])
            top = joint.max(axis=1, keepdims=True)
            posterior = np.exp(joint - top)
            mass = posterior.sum(axis=1, keepdims=True)
            posterior /= mass
            log_mass = top.sum() + np.log(mass).sum() + (self.items @ np.log(guess).ravel()).sum()
            trace.append(float(log_mass - len(joint) * np.log(shape[1]) - bound))
            agreed = (self.slots.T @ posterior.ravel()).reshape(shape)
            known = agreed * np.exp(know)[:, None] / either
            habit = self.usage - known
            going = gained(trace, int(total), tolerance)
        return _Run(posterior, known, habit, trace, not going)


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
