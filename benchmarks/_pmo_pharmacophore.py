"""Two- and three-point pharmacophores of Gobbi and Poppinger (Biotechnol. Bioeng. 1998, 61, 47), fast.

The bits of ``rdkit.Chem.Pharm2D`` with its Gobbi factory, under other numbers: its features, its distance bins (2 to 7
bonds and more), its order of the corners of a triangle. RDKit walks the combinations in Python (10 to 40 ms a
molecule); here they are one table of NumPy. Every feature of the factory is a single atom, so that distances are those
of the graph and keep the triangle inequality that RDKit prunes by.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem.Pharm2D import Gobbi_Pharm2D

Bits = NDArray[np.int64]
BASE = 8
"""Features are 0 to 7, bins 1 to 7 (0: too near or not connected)."""


def pharmacophore(mol: Any) -> Bits:
    """Return the sorted numbers of the bits that are set."""
    found = Gobbi_Pharm2D.factory.GetMolFeats(mol)
    points = [(kind, atom) for kind, matches in enumerate(found) for (atom,) in matches]
    if len(points) < 2:
        return np.zeros(0, np.int64)
    kinds, atoms = np.array(points).T
    apart = Chem.GetDistanceMatrix(mol)[np.ix_(atoms, atoms)]
    bins = np.where((apart < 2) | (apart >= 100), 0, np.minimum(apart - 1, 7)).astype(np.int64)
    first, second = _choose(len(points), 2)
    between = bins[first, second]
    pairs = (kinds[first] * BASE + kinds[second]) * BASE + between
    pairs = pairs[between > 0]
    if len(points) < 3:
        return np.unique(pairs)
    first, second, third = _choose(len(points), 3)
    sides = np.stack([bins[first, second], bins[first, third], bins[second, third]])
    far = (sides > 0).all(axis=0)
    one, other, last = kinds[first[far]], kinds[second[far]], kinds[third[far]]
    a, b, c = sides[:, far]
    # Corners of one kind may be swapped: the longer side comes first.
    same = (one == other) & (other == last)
    a, b, c = np.where(same, np.sort(np.stack([a, b, c]), axis=0)[::-1], np.stack([a, b, c]))
    swap = (one == other) & (b < c)
    b, c = np.where(swap, c, b), np.where(swap, b, c)
    swap = (other == last) & (one != other) & (a < b)
    a, b = np.where(swap, b, a), np.where(swap, a, b)
    triples = ((((one * BASE + other) * BASE + last) * BASE + a) * BASE + b) * BASE + c
    return np.union1d(pairs, triples + BASE**3)


def tanimoto(one: Bits, other: Bits) -> float:
    """Return the share of common bits; of two molecules without any, 1 as in RDKit."""
    common = len(np.intersect1d(one, other, assume_unique=True))
    union = len(one) + len(other) - common
    return common / union if union else 1.0


@cache
def _choose(points: int, count: int) -> tuple[Bits, ...]:
    return tuple(np.array(list(combinations(range(points), count)), np.int64).T)
