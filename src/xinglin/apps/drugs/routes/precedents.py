"""What the known reactions say of a site: how often it reacted, out of how often it was there."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.drugs.routes.sites import RADII, Product, Site
from xinglin.records.molecules.parsing import rdkit

NEAREST = 50

FEATURES = (
    *("template_count", "template_rate", "template_share"),
    *(
        f"{what}_{radius}"
        for radius in range(1, RADII)
        for what in ("template_hits", "template_rate", "pattern_hits", "pattern_rate", "template_share")
    ),
    *(f"atoms_{what}_{radius}" for radius in (1, 2) for what in ("mean", "least")),
    *("deepest_template", "deepest_pattern", "rate_at_deepest", "share_at_deepest"),
    *("similarity", "similarity_third", "similarity_to_any", "vote"),
    *("site_atoms", "sites", "heavy_atoms", "rank_rate_1", "rank_rate_2", "rank_similarity"),
)
"""What is known of a candidate before any chemistry is done."""


@dataclass(frozen=True, slots=True)
class Precedent:
    """One known reaction."""

    product: str
    reactants: str
    template: int
    site: Site
    fingerprint: Any
    """Of the product."""


class Library:
    """Templates, the precedents of each, and how often what surrounds a site reacted."""

    def __init__(
        self,
        templates: Sequence[str],
        pattern_of: Sequence[int],
        patterns: Sequence[str],
        precedents: Sequence[Precedent],
    ) -> None:
        chem, base, _ = rdkit()
        self.templates, self.pattern_of, self.patterns = list(templates), list(pattern_of), list(patterns)
        self.precedents = list(precedents)
        with base.BlockLogs():
            self.compiled = [chem.MolFromSmarts(pattern) for pattern in self.patterns]
        self.templates_of: dict[int, list[int]] = defaultdict(list)
        for template, pattern in enumerate(self.pattern_of):
            self.templates_of[pattern].append(template)
        used = np.array([one.template for one in self.precedents], dtype=np.int64)
        self.counts = np.bincount(used, minlength=len(self.templates))
        self.order = np.argsort(used, kind="stable")
        self.starts = np.searchsorted(used[self.order], np.arange(len(self.templates)))
        self.pattern_counts = np.bincount(np.array(self.pattern_of)[used], minlength=len(self.patterns))
        self.fingerprints = [one.fingerprint for one in self.precedents]
        self.site_hits: list[Counter[tuple[int, int]]] = [Counter() for _ in range(RADII)]
        """By radius: (template, surroundings) -> how many precedents reacted there."""
        self.pattern_hits: list[Counter[tuple[int, int]]] = [Counter() for _ in range(RADII)]
        """By radius: (pattern, surroundings) -> the same, whatever the template."""
        self.seen: list[Counter[tuple[int, int]]] = [Counter() for _ in range(RADII)]
        """By radius: (pattern, surroundings) that reacted at least once -> how many sites of products look so; at
        radius 0 (pattern, 0) -> how many sites there are at all."""

        self.atom_hits: list[Counter[tuple[int, int]]] = [Counter() for _ in range(RADII)]
        """By radius: (template, one atom's surroundings) -> how many precedents reacted at such an atom."""
        self.atom_seen: list[Counter[tuple[int, int]]] = [Counter() for _ in range(RADII)]
        """By radius: (pattern, one atom's surroundings) that reacted at least once -> how many sites have it."""

    def count(self, sites: Sequence[Sequence[Site]]) -> None:
        """Count what happened, from the sites of every precedent's product."""
        reacted: list[set[tuple[int, int]]] = [set() for _ in range(RADII)]
        for one in self.precedents:
            pattern = self.pattern_of[one.template]
            for radius in range(RADII):
                self.site_hits[radius][one.template, one.site.around[radius]] += 1
                self.pattern_hits[radius][pattern, one.site.around[radius]] += 1
                for bit in one.site.each[radius]:
                    self.atom_hits[radius][one.template, bit] += 1
                    reacted[radius].add((pattern, bit))
        for site in (site for found in sites for site in found):
            self.seen[0][site.pattern, 0] += 1
            for radius in range(1, RADII):
                key = (site.pattern, site.around[radius])
                if key in self.pattern_hits[radius]:
                    self.seen[radius][key] += 1
                for bit in site.each[radius]:
                    if (site.pattern, bit) in reacted[radius]:
                        self.atom_seen[radius][site.pattern, bit] += 1


@dataclass(frozen=True, slots=True)
class Candidate:
    """A template at a site."""

    template: int
    site: Site


def candidates(
    library: Library, product: Product, sites: Sequence[Site]
) -> tuple[list[Candidate], NDArray[np.float64]]:
    """Return every template at every site of a product, with its features ``(candidate, feature)``."""
    from rdkit.DataStructs import BulkTanimotoSimilarity

    sims = np.array(BulkTanimotoSimilarity(product.fingerprint, library.fingerprints))[library.order]
    third, best = _best(sims, library.starts, len(library.templates))
    anything = float(sims.max(initial=0.0))
    votes = _votes(sims, library.starts, len(library.templates))
    found: list[Candidate] = []
    rows: list[list[float]] = []
    for site in sites:
        whole = int(library.pattern_counts[site.pattern])
        for template in library.templates_of[site.pattern]:
            count = int(library.counts[template])
            if count == 0:
                continue
            row = [np.log1p(count), _rate(count, library.seen[0], (site.pattern, 0)), count / whole]
            deepest, last, share = [0, 0], row[1], row[2]
            for radius in range(1, RADII):
                key = (site.pattern, site.around[radius])
                hits = library.site_hits[radius].get((template, site.around[radius]), 0)
                any_hits = library.pattern_hits[radius].get(key, 0)
                rate = _rate(hits, library.seen[radius], key)
                part = hits / any_hits if hits else 0.0
                row += [np.log1p(hits), rate, np.log1p(any_hits)]
                row += [_rate(any_hits, library.seen[radius], key), part]
                if hits:
                    deepest[0], last, share = radius, rate, part
                deepest[1] = radius if any_hits else deepest[1]
            for radius in (1, 2):
                rates = [
                    _rate(
                        library.atom_hits[radius].get((template, bit), 0),
                        library.atom_seen[radius],
                        (site.pattern, bit),
                    )
                    for bit in site.each[radius]
                ]
                row += [sum(rates) / len(rates), min(rates)]
            row += [*deepest, last, share, best[template], third[template], anything, votes[template]]
            row += [len(site.atoms), len(sites), product.molecule.GetNumHeavyAtoms()]
            found.append(Candidate(template, site))
            rows.append(row)
    if not found:
        return [], np.zeros((0, len(FEATURES)))
    table = np.array(rows)
    ranked = [
        _ranks(table[:, FEATURES.index(column)])
        for column in ("template_rate_1", "template_rate_2", "similarity")
    ]
    return found, np.column_stack([table, *ranked])


def _rate(hits: int, seen: Counter[tuple[int, int]], key: tuple[int, int]) -> float:
    """Hits over sightings, a little below the plain ratio while sightings are few; 0 where it never reacted."""
    return hits / (max(seen[key], hits) + 1.0) if hits else 0.0


def _best(
    ordered: NDArray[np.float64], starts: NDArray[np.int64], size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Third-best and best similarity among the precedents of every template; 0 where there are fewer."""
    third, best = np.zeros(size), np.zeros(size)
    ends = np.append(starts[1:], len(ordered))
    for template, (start, end) in enumerate(zip(starts, ends, strict=True)):
        own = ordered[start:end]
        if len(own) > 2:
            top = np.partition(own, -3)[-3:]
            third[template], best[template] = top.min(), top.max()
        elif len(own):
            best[template] = own.max()
    return third, best


def _votes(ordered: NDArray[np.float64], starts: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """Share of every template among the fifty nearest precedents, each weighing its similarity cubed."""
    weights = ordered**3
    if len(weights) > NEAREST:
        weights[weights < np.partition(weights, -NEAREST)[-NEAREST]] = 0.0
    sums = np.zeros(size)
    ends = np.append(starts[1:], len(ordered))
    for template, (start, end) in enumerate(zip(starts, ends, strict=True)):
        sums[template] = weights[start:end].sum()
    return np.asarray(sums / (weights.sum() + 1e-9))


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many candidates of the product have more."""
    ordered = np.sort(values)
    return np.asarray(len(values) - np.searchsorted(ordered, values, side="right"), dtype=float)
