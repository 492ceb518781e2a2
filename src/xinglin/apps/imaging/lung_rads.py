"""Lung-RADS by size, for a first screening CT at low dose, of nodules whose type is known.

Limits by volume for baseline from the table of version 1.1 in NCBI Bookshelf NBK568579, Appendix A Table 2 (AHRQ), which
give each diameter with the volume of its sphere. Version 2022 (Christensen and others, CHEST 2024; 165:738-753) has rules
of its own for juxtapleural nodules, airway nodules, atypical cysts, findings that may be infectious and growth: none of
them is applied. Where we say less: calcified nodules get no category, because only certain patterns of calcium are benign
and the pattern is not told here; growth and new nodules need a reader, so with a prior there is no category; 4X and S are
a reader's. Where we may be wrong: nodules at a fissure, in an airway or in the wall of a cyst are not told apart from
others and get the category of their size.
"""

from __future__ import annotations

from collections.abc import Sequence

from xinglin.apps.imaging.measured import Nodule

NAME = "Lung-RADS 1.1"
"""What a category is called wherever it is shown."""
RANK = ("2", "3", "4A", "4B")
SIX, EIGHT, FIFTEEN, THIRTY = 113.0, 268.0, 1767.0, 14_137.0
"""Cubic millimetres of spheres of 6, 8, 15 and 30 mm."""


def category(nodule: Nodule) -> str | None:
    """Return the category at baseline by type and volume, ``None`` where it cannot be told."""
    cut = nodule.segment
    if cut is None or cut.kind in (None, "calcified"):
        return None
    if cut.kind == "solid":
        return RANK[sum(cut.volume >= limit for limit in (SIX, EIGHT, FIFTEEN))]
    if cut.kind == "non-solid":
        return "3" if cut.volume >= THIRTY else "2"
    if cut.volume < SIX:
        return "2"
    solid = cut.solid or 0.0
    return RANK[1 + sum(solid >= limit for limit in (SIX, EIGHT))]


def highest(nodules: Sequence[Nodule]) -> str | None:
    """Return the highest category of a study; ``None`` if one of its nodules has none, or there is no nodule.

    No nodule found is not category 1: what was not found may be there.
    """
    found = [category(one) for one in nodules]
    known = [one for one in found if one is not None]
    return max(known, key=RANK.index) if found and len(known) == len(found) else None
