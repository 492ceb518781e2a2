"""Copies that were altered: a site whose records lie nearer to another's than records of different people do.

Digests see equal records only; a copy with every number moved a little has new ones. Where the records themselves can be
read (``federate.crediting``), a record of a later site is called *near* if its distance to the nearest record of all
earlier sites, over the distance at which that record's own neighbours lie, is as small as only one of ``SHARES`` of the
earlier records find it among themselves, each left out in turn. Of a site with data of its own, about as many are near;
where significantly more are, none of the near ones counts, the site's own among them.

The ratio to the neighbours' own distance is Lowe's test for matching points (2004, doi
10.1023/B:VISI.0000029664.99615.94); we differ in taking its threshold from the records themselves, and in asking for
a significant number of matches before any counts. What it does not see: a few copies among many records of one's
own, and noise so strong that a copy lies no nearer than a stranger (measured in ``docs/results/credit.md``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError
from xinglin.ledger.credit.duplicates import check_order

Array = NDArray[np.float64]
SHARES = (0.05, 0.25)
"""Shares of independent records that lie as near. The small one sees a few copies that were moved little, the large one many
that were moved far; each costs a site that brought copies so much of its own."""
SIGNIFICANT = 1e-4
"""One-sided probability of so many near records by chance, below which they do not count."""
NEIGHBOURS = 5
"""The neighbour of a record whose distance says how densely records lie there."""
LEAST = 20
"""Records, of the earlier sites and of the later one, below which nothing is said."""


def near_copies(records: Mapping[str, NDArray[Any]], order: Sequence[str]) -> dict[str, list[int]]:
    """Return, for each site, the places of the records that are altered copies of an earlier site's.

    Args:
        records: site -> its records as numbers, shape (records, columns), NaN where one is not known; answers are not looked
            at, so that a copy with other answers is one too.
        order: the sites, first registered first.

    Raises:
        InvalidInputError: the order does not name every site once, or a value is infinite.
    """
    check_order(records, order)
    for site, rows in records.items():
        if np.isinf(rows).any():
            raise InvalidInputError(f"{site}: expected numbers that are finite")
    found: dict[str, list[int]] = {}
    earlier: Array | None = None
    for site in order:
        rows = np.asarray(records[site], np.float64)
        near = np.zeros(0, np.int64) if earlier is None else _near(earlier, rows)
        found[site] = near.tolist()
        earlier = rows if earlier is None else np.concatenate([earlier, rows])
    return found


def _near(earlier: Array, later: Array) -> NDArray[np.int64]:
    """Places in ``later`` of altered copies; none unless they are significantly many."""
    none = np.zeros(0, np.int64)
    if min(len(earlier), len(later)) < LEAST:
        return none
    from scipy.spatial import cKDTree
    from scipy.stats import betabinom

    known, asked = _scaled(earlier, earlier), _scaled(later, earlier)
    tree = cKDTree(known)
    # The record itself comes first, or another one that is equal to it, which is as good.
    distance, place = tree.query(known, k=NEIGHBOURS + 2)
    among = distance[:, 1] / np.maximum(_density(distance, place, place[:, 1], np.arange(len(known))), 1e-12)
    nearest, match = tree.query(asked, k=1)
    ratio = nearest / np.maximum(distance[match, NEIGHBOURS], 1e-12)
    found = none
    for share in SHARES:
        threshold = float(np.quantile(among, share, method="lower"))
        near = np.flatnonzero(ratio <= threshold)
        # Of records like the earlier ones, how many lie below a threshold that was read from the earlier ones.
        below = int((among <= threshold).sum())
        chance = float(betabinom.sf(len(near) - 1, len(later), below, len(among) + 1 - below))
        if chance < SIGNIFICANT / len(SHARES):
            found = near
    return found


def _scaled(rows: Array, base: Array) -> Array:
    """Rows in standard deviations of the base rows from their mean, where a gap lies too."""
    known = np.ma.masked_invalid(base)
    centre, spread = known.mean(axis=0).filled(0.0), known.std(axis=0).filled(0.0)
    return np.asarray(np.nan_to_num((rows - centre) / np.where(spread > 0, spread, 1.0)))


def _density(
    distance: Array, place: NDArray[np.int64], of: NDArray[np.int64], without: NDArray[np.int64]
) -> Array:
    """Distance of some records to their last neighbour but for one record, which is left out."""
    inside = (place[of, 1 : NEIGHBOURS + 1] == without[:, None]).any(axis=1)
    return np.asarray(np.where(inside, distance[of, NEIGHBOURS + 1], distance[of, NEIGHBOURS]), np.float64)
