"""GLAD: annotators differ in ability, items in difficulty."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from xinglin.errors import InvalidInputError
from xinglin.labels.votes import Array, Ascent, Ints, Truth, Votes, normalised, truth

LONGEST_STEP = 1.0
"""Most that an ability or an ease moves in one step."""
HALVINGS = 20


def glad(votes: Votes, *, max_iterations: int = 100, tolerance: float = 1e-6) -> Truth:
    """Infer the truth by GLAD (Whitehill, Ruvolo, Wu, Bergsma and Movellan, NIPS 22 (2009) 2035-2043).

    A vote of annotator j on item i is right with probability ``1 / (1 + exp(-ability[j] * exp(ease[i])))`` and falls
    on every wrong class alike otherwise; every class is equally probable beforehand. Ability and ease have normal
    priors of mean 1 and variance 1, as in the paper. ``log_likelihood`` has their log prior in it (without the
    constant of the normal density).

    Where we differ: the maximisation step is one damped Fisher-scoring step for all abilities, then one for all eases,
    each coordinate on its own, where the paper takes conjugate gradients. The expected log-likelihood rises all the
    same (generalised expectation-maximisation, Dempster, Laird and Rubin 1977).

    Args:
        votes: the votes; at least two classes.
        max_iterations: most iterations.
        tolerance: stop when an iteration gains less, in nats a vote.

    Returns:
        The truth. ``parameters``: ``ability``, shape (annotators,), negative for an annotator who is wrong more often
        than chance; ``ease``, shape (items,), the log of the paper's inverse difficulty. Without a vote both stay at
        the prior's mean 1.

    Raises:
        InvalidInputError: there is one class only, or fewer than one iteration is allowed.
    """
    if votes.n_classes < 2:
        raise InvalidInputError("GLAD: expected at least two classes, got one")
    ascent = Ascent(len(votes), max_iterations, tolerance)
    ability, ease = np.ones(votes.n_annotators), np.ones(votes.n_items)
    posterior, _ = _expect(votes, ability, ease)
    going = True
    while going:
        right = posterior[votes.items, votes.labels]
        ability = _step(ability, votes.annotators, right, np.exp(ease)[votes.items], exponential=False)
        ease = _step(ease, votes.items, right, ability[votes.annotators], exponential=True)
        posterior, reached = _expect(votes, ability, ease)
        going = ascent.goes_on(reached)
    prior = np.full(votes.n_classes, 1 / votes.n_classes)
    return truth(votes, "glad", posterior, prior, ascent, {"ability": ability, "ease": ease})


def _expect(votes: Votes, ability: Array, ease: Array) -> tuple[Array, float]:
    """Posterior, shape (items, classes), and log-likelihood plus log prior."""
    classes = votes.n_classes
    margin = ability[votes.annotators] * np.exp(ease)[votes.items]
    # log P(right) - log P(one given wrong class) = margin + log(classes - 1)
    for_class = np.bincount(votes.slots, margin + np.log(classes - 1), minlength=votes.n_items * classes)
    posterior, evidence = normalised(np.asarray(for_class, float).reshape(votes.n_items, classes))
    wrong = float(_softplus(margin).sum()) + len(votes) * np.log(classes - 1)
    value = float(evidence.sum()) - wrong - votes.n_items * np.log(classes)
    value -= 0.5 * float(((ability - 1) ** 2).sum() + ((ease - 1) ** 2).sum())
    return posterior, value


def _step(theta: Array, group: Ints, right: Array, factor: Array, *, exponential: bool) -> Array:
    """One damped Fisher-scoring step of every coordinate; none loses expected log-likelihood.

    The margin of a vote is ``factor * theta``, or ``factor * exp(theta)`` if exponential, with the theta of its group.
    """

    def margin(at: Array, votes: Ints | slice) -> Array:
        each = at[group[votes]]
        return np.asarray(factor[votes] * (np.exp(each) if exponential else each))

    def height(at: Array, votes: Ints | slice) -> Array:
        x = margin(at, votes)
        gain = np.bincount(group[votes], right[votes] * x - _softplus(x), minlength=len(at))
        return np.asarray(gain - 0.5 * (at - 1) ** 2)

    every = slice(None)
    x = margin(theta, every)
    slope = x if exponential else factor
    sigma = expit(x)
    gradient = np.bincount(group, slope * (right - sigma), minlength=len(theta)) - (theta - 1)
    curvature = np.bincount(group, slope**2 * sigma * (1 - sigma), minlength=len(theta)) + 1
    step = np.clip(gradient / curvature, -LONGEST_STEP, LONGEST_STEP)
    before = height(theta, every)
    falls = height(theta + step, every) < before
    for _ in range(HALVINGS):
        if not falls.any():
            break
        step = np.where(falls, step / 2, step)
        votes = np.flatnonzero(falls[group])
        falls &= height(theta + step, votes) < before
    return np.asarray(theta + np.where(falls, 0.0, step))


def _softplus(x: Array) -> Array:
    """``log(1 + exp(x))`` without overflow."""
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))
