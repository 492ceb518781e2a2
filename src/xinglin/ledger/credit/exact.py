"""Shapley values from all coalitions, and what leaving one site out would cost.

Shapley 1953 ("A value for n-person games", doi 10.1515/9781400881970-018): a site's value is the mean, over all orders
in which the sites could arrive, of what it adds on arrival. The values sum to v(all) - v(none); sites that add the same
to every coalition get the same; one that adds nothing anywhere gets 0.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations
from math import comb

from xinglin.errors import InputTooLargeError
from xinglin.ledger.credit.values import Value, checked_sites

MOST = 10
"""Sites whose 2^n coalitions are all measured: 1,024 retrainings at most."""


def shapley(sites: Collection[str], value: Value) -> dict[str, float]:
    """Return each site's exact Shapley value; every coalition is asked for once, the smallest first.

    Args:
        sites: names, at most ``MOST``.
        value: of a coalition, the empty one included.

    Raises:
        InputTooLargeError: more sites: use ``sampled.sample``.
        InvalidInputError: as ``values.checked_sites``.
    """
    names = checked_sites(sites)
    if len(names) > MOST:
        raise InputTooLargeError(
            f"{len(names)} sites have 2^{len(names)} coalitions; exact values go up to {MOST} sites: sample orders instead"
        )
    table = {
        frozenset(members): value(frozenset(members))
        for size in range(len(names) + 1)
        for members in combinations(names, size)
    }
    found = {}
    for site in names:
        others = [name for name in names if name != site]
        found[site] = sum(
            (table[frozenset((*members, site))] - table[frozenset(members)])
            / (len(names) * comb(len(others), size))
            for size in range(len(names))
            for members in combinations(others, size)
        )
    return found


def leave_one_out(sites: Collection[str], value: Value) -> dict[str, float]:
    """Return what the whole coalition loses without each site: cheap, blind to what two sites have in common.

    Raises:
        InvalidInputError: as ``values.checked_sites``.
    """
    names = checked_sites(sites)
    whole = frozenset(names)
    return {site: value(whole) - value(whole - {site}) for site in names}
