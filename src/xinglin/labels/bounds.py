"""Exact upper bounds of the number of wrong labels in a finite set, from a random sample without replacement.

Fixed sample: inversion of the hypergeometric tail. Sequential: a test martingale per possible count, so that the
bound holds at every moment at once and the audit may stop whenever it likes. The sequential bound follows
Waudby-Smith and Ramdas, *Confidence sequences for sampling without replacement* (NeurIPS 2020, arXiv 2006.04347),
and the one-sided tests of Stark's ALPHA (*Ann. Appl. Stat.* 2023, arXiv 2201.02707). We differ in the mixture: for
the hypothesis "the count is D0" it is spread over the smaller counts D < D0 with weights D0 - D, where the former
spreads a prior over all counts and the latter bets step by step. ``docs/certificate.md`` has the mathematics and the
measured audit sizes of the alternatives.

Counts are whole numbers of items: ``population`` N, ``read`` n, ``wrong`` x among the n.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln
from scipy.stats import binom, hypergeom

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

_SLACK = 1e-7
"""Relative margin in every comparison with alpha, on the safe side: above the rounding of ``gammaln`` up to N = 10**7."""


def hypergeometric_upper(wrong: int, read: int, population: int, alpha: float) -> int:
    """Return the largest count of wrong items that a sample of fixed size does not reject.

    The largest D with ``P(X <= wrong | D) > alpha``, X hypergeometric; D exceeds it with probability at most
    ``alpha``. Only for a sample size fixed beforehand.

    Raises:
        ValueError: the counts contradict each other or ``alpha`` lies outside (0, 1).
    """
    _check(wrong, read, population, alpha)
    if read == 0:
        return population
    return (
        _first(
            lambda count: bool(hypergeom.cdf(wrong, population, count, read) <= alpha * (1 - _SLACK)),
            wrong + 1,
            population - read + wrong + 1,
        )
        - 1
    )


def sequential_upper(wrong: int, read: int, population: int, alpha: float) -> int:
    """Return the largest count of wrong items not rejected, valid at all sample sizes at once.

    With probability at least ``1 - alpha`` the true count exceeds this at no moment of the audit (Ville 1939),
    whatever the rule by which it stops.

    Raises:
        ValueError: the counts contradict each other or ``alpha`` lies outside (0, 1).
    """
    _check(wrong, read, population, alpha)
    last, size = population - read + wrong, 64
    while True:
        possible = np.arange(wrong, min(wrong + size, last) + 1)
        likelihood = _log_likelihood(possible, wrong, read, population)
        # sum over D < D0 of (D0 - D) L(D): the cumulative sum of the cumulative sums
        below = np.logaddexp.accumulate(np.logaddexp.accumulate(likelihood))
        if possible[-1] == last:
            break
        # L falls from here on (it is log-concave), so every larger count has at least this evidence against it
        beyond = below[-2] - _log_weights(np.asarray(population)) - likelihood[-1]
        if likelihood[-1] < likelihood[-2] and beyond >= _needed(alpha):
            break
        size *= 2
    evidence = np.full(len(possible), -np.inf)
    evidence[1:] = below[:-1] - _log_weights(possible[1:]) - likelihood[1:]
    return int(possible[np.nonzero(evidence < _needed(alpha))[0][-1]])


def boundary(count: int, population: int, alpha: float, most: int | None = None) -> Counts:
    """Return for x = 0, 1, ... the least number of items read at which x wrong ones rule out ``count`` and more.

    Args:
        count: the count to be ruled out, >= 1.
        population: number of items N.
        alpha: chance of ruling it out wrongly at any moment.
        most: longest audit to be listed, in items; default N.

    Raises:
        ValueError: ``count`` lies outside ``1..population`` or ``alpha`` outside (0, 1).
    """
    _check(0, 0, population, alpha)
    if not 1 <= count <= population:
        raise ValueError(f"expected 1 <= count <= {population}, got {count}")
    most = population if most is None else most
    smaller = np.arange(count)
    weights = np.log(count - smaller) - _log_weights(np.asarray(count))
    target = _needed(alpha)

    def rejects(wrong: int, read: int) -> bool:
        if read - wrong > population - count:
            return True
        # a count below what was read is impossible and has no weight left
        mixture = weights[wrong:] + _log_likelihood(smaller[wrong:], wrong, read, population)
        null = _log_likelihood(np.asarray([count]), wrong, read, population)[0]
        return bool(np.logaddexp.reduce(mixture) - null >= target)

    found: list[int] = []
    for wrong in range(count):
        read = _first(partial(rejects, wrong), max(found[-1] if found else 1, wrong), population)
        if read > most:
            break
        found.append(read)
    return np.asarray(found, np.int64)


def passes_at(count: int, wrong: int, read: int, population: int, alpha: float) -> int | None:
    """Return after how many items ``count`` and more are ruled out if no further wrong one comes; ``None``: never.

    Args:
        count: to be ruled out.
        wrong: found so far, among ``read`` items.
        read: items read so far.
        population: number of items N.
        alpha: as in :func:`sequential_upper`.
    """
    if wrong >= count:
        return None
    return _first(lambda n: sequential_upper(wrong, n, population, alpha) < count, read, population)


def stopping(limits: Counts, population: int, count: int) -> Floats:
    """Return the exact probability that an audit stops at each limit, if ``count`` items are wrong.

    Args:
        limits: from :func:`boundary`: with x wrong items it stops at ``limits[x]`` items read.
        population: number of items N.
        count: true number of wrong items.

    Returns:
        Probabilities (len(limits),); what they lack of 1 is the chance that it does not stop by the last limit.
    """
    table = gammaln(np.arange(population + 1) + 1.0)

    def choose(n: Counts, k: Counts) -> Floats:
        return np.asarray(table[n] - table[k] - table[n - k])

    seen = np.arange(len(limits) + 1)  # more wrong ones than that can pass no limit of the list
    chance = np.zeros(len(seen))
    chance[0] = 1.0
    stopped = np.zeros(len(limits))
    before = 0
    for x, limit in enumerate(limits.tolist()):
        left, drawn = np.asarray(population - before), np.asarray(limit - before)
        remaining = count - seen[:, None]
        more = seen[None, :] - seen[:, None]
        fits = (more >= 0) & (more <= remaining) & (more <= drawn) & (drawn - more <= left - remaining)
        a, b, c, d = (np.where(fits, value, 0) for value in (remaining, more, left - remaining, drawn - more))
        moves = np.exp(choose(a, b) + choose(c, d) - choose(left, drawn))
        chance = chance @ np.where(fits, moves, 0.0)
        stopped[x] = chance[x]
        chance[: x + 1] = 0.0
        before = limit
    return stopped


def missed_upper(found: int, missed: float, population: int, alpha: float) -> int:
    """Return an upper bound of the wrong items when an audit of all of them would find at most ``found``.

    Each wrong item is overlooked with probability at most ``missed``, independently of the others: the largest E
    with ``P(Binomial(E, 1 - missed) <= found) > alpha``.

    Raises:
        ValueError: ``missed`` lies outside [0, 1) or ``found`` outside ``0..population``.
    """
    if not 0 <= missed < 1 or not 0 <= found <= population:
        raise ValueError(f"expected 0 <= missed < 1 and 0 <= found <= {population}, got {missed}, {found}")
    return (
        _first(
            lambda e: bool(binom.cdf(found, e, 1 - missed) <= alpha * (1 - _SLACK)), found + 1, population + 1
        )
        - 1
    )


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The least number of ``low..high`` for which a monotone condition holds; ``high`` if none below it does."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _log_likelihood(counts: Counts, wrong: int, read: int, population: int) -> Floats:
    """Logarithm of the chance of a given order of right and wrong, up to a constant; counts must be possible."""
    return np.asarray(
        gammaln(counts + 1)
        - gammaln(counts - wrong + 1)
        + gammaln(population - counts + 1)
        - gammaln(population - counts - (read - wrong) + 1)
    )


def _log_weights(count: Counts) -> Floats:
    """Logarithm of the sum of the weights ``count - D`` over D < count."""
    return np.asarray(np.log(count) + np.log(count + 1.0) - np.log(2.0))


def _needed(alpha: float) -> float:
    """Logarithm of the evidence that rules a count out (Ville's inequality)."""
    return float(-np.log(alpha)) + _SLACK


def _check(wrong: int, read: int, population: int, alpha: float) -> None:
    if not 0 <= wrong <= read <= population or population < 1:
        raise ValueError(
            f"expected 0 <= wrong <= read <= population and population >= 1; got wrong={wrong}, read={read}, "
            f"population={population}"
        )
    if not 0 < alpha < 1:
        raise ValueError(f"expected 0 < alpha < 1, got {alpha}")
