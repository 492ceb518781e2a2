"""Other rules for when an audit may stop, to compare with ours: each a list of limits, judged by the same exact chances.

With x wrong labels found the audit passes at ``limits[x]`` items read. N items, D0 wrong ones to be ruled out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln, logsumexp
from scipy.stats import hypergeom

Counts = NDArray[np.int64]


def spending(population: int, count: int, alpha: float, weights: NDArray[np.float64]) -> Counts:
    """Alpha spending (Lan and DeMets 1983) with exact limits: ``alpha * weights[x]`` is spent on passing with x wrong.

    An audit that has not passed with x - 1 wrong has x or more at that moment, so it passes with x exactly if it has x
    then and meets no further one: the limit follows from one hypergeometric term.
    """
    table = gammaln(np.arange(population + 1) + 1.0)

    def choose(n: object, k: object) -> NDArray[np.float64]:
        n, k = np.asarray(n), np.asarray(k)
        return np.asarray(table[n] - table[k] - table[n - k])

    seen = np.arange(len(weights) + 1)
    chance = np.zeros(len(seen))
    chance[0], before, spent = 1.0, 0, 0.0
    limits: list[int] = []
    for x in range(len(weights)):
        left, bad = population - before, count - x
        more = np.arange(left - bad + 1)
        none = choose(left - bad, more) - choose(left, more)
        allowed = alpha * float(weights[: x + 1].sum()) - spent
        fits = np.nonzero(np.log(max(chance[x], 1e-300)) + none <= np.log(max(allowed, 1e-300)))[0]
        if not len(fits):
            break
        drawn = int(fits[0])
        remaining = count - seen[:, None]
        step = seen[None, :] - seen[:, None]
        possible = (step >= 0) & (step <= remaining) & (step <= drawn) & (drawn - step <= left - remaining)
        a, b, c, d = (np.where(possible, v, 0) for v in (remaining, step, left - remaining, drawn - step))
        chance = chance @ np.where(possible, np.exp(choose(a, b) + choose(c, d) - choose(left, drawn)), 0.0)
        spent += float(chance[x])
        chance[: x + 1] = 0.0
        before += drawn
        limits.append(before)
    return np.asarray(limits, np.int64)


def prior_posterior(population: int, count: int, alpha: float, most: int, b: float) -> Counts:
    """The prior-posterior martingale of Waudby-Smith and Ramdas (2020), prior beta-binomial(1, b); b = 1 is uniform."""
    every = np.arange(population + 1)
    prior = (
        gammaln(population + 1) - gammaln(every + 1) - gammaln(population - every + 1)
        + betaln(every + 1, population - every + b)
    )  # fmt: skip
    prior -= logsumexp(prior)

    def rejects(read: int, wrong: int) -> bool:
        if read - wrong > population - count:
            return True
        possible = every[wrong : population - read + wrong + 1]
        likelihood = (
            gammaln(possible + 1) - gammaln(possible - wrong + 1)
            + gammaln(population - possible + 1) - gammaln(population - possible - read + wrong + 1)
        )  # fmt: skip
        return bool(logsumexp(prior[possible] + likelihood) - likelihood[count - wrong] >= -np.log(alpha))

    limits: list[int] = []
    for wrong in range(count):
        low, high = max(limits[-1] if limits else 1, wrong), population
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if rejects(middle, wrong) else (middle + 1, high)
        if low > most:
            break
        limits.append(low)
    return np.asarray(limits, np.int64)


def fixed_size(population: int, count: int, alpha: float, wrong: int, power: float) -> int:
    """The least sample size, fixed beforehand, that passes with at least this chance if ``wrong`` items are wrong."""
    low, high = 1, population
    # the chance is a saw-tooth in the size; at the sizes where one more error becomes allowed it rises
    allowed = 0
    while True:
        low, high = 1, population
        while low < high:
            middle = (low + high) // 2
            if hypergeom.cdf(allowed, population, count, middle) <= alpha:
                high = middle
            else:
                low = middle + 1
        if hypergeom.cdf(allowed, population, wrong, low) >= power:
            return low
        allowed += 1
