"""Balance: how many of each sex, age band, site and label there are, and whether the label hangs on the others.

A label that depends on the site is a shortcut: a model learns the hospital and calls it a disease. Dependence is
Cramér's V with the correction of its bias (Bergsma 2013), tested by chi-square, corrected together (Holm).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import log, sqrt
from typing import Any

import numpy as np

from xinglin.measure import Figure, proportion
from xinglin.measure.seeds import holm
from xinglin.records.quality.drift import MOST_LEVELS, REST, SEX, age_band, in_order
from xinglin.records.quality.options import QualityOptions
from xinglin.records.quality.row import Case
from xinglin.records.quality.rules import RULES
from xinglin.records.quality.tally import Check, Outcome

GROUPINGS = {
    "sex": ("性别", "sex"),
    "age": ("年龄段", "age band"),
    "site": ("中心", "site"),
    "label": ("标签", "label"),
    "part": ("划分", "part"),
}
STRONG = 0.3
"""Cramér's V worth telling: a medium effect of one degree of freedom (Cohen 1988, w = 0.3)."""
_MOST_CELLS = 5000


@dataclass(frozen=True, slots=True)
class Balance:
    """The groups of one grouping."""

    grouping: tuple[str, str]
    groups: dict[str, Figure]
    """Group -> share of the records with its interval; age bands in their order, others the largest first."""
    counts: dict[str, int]
    evenness: float | None
    """Shannon entropy over that of equal groups (Pielou 1966): 1 all equal, 0 one alone; ``None``: one group."""
    missing: int

    def as_json(self) -> dict[str, Any]:
        """Return the balance as JSON values."""
        return {
            "grouping": list(self.grouping),
            "groups": {
                name: {"count": self.counts[name]} | share.as_json() for name, share in self.groups.items()
            },
            "evenness": self.evenness,
            "missing": self.missing,
        }


@dataclass(frozen=True, slots=True)
class Dependence:
    """How far the label hangs on another grouping."""

    grouping: tuple[str, str]
    v: float
    """Cramér's V, bias corrected: 0 none, 1 wholly."""
    p: float
    adjusted: float
    n: int

    @property
    def found(self) -> bool:
        """Whether it is beyond chance and strong."""
        return self.adjusted < 0.05 and self.v >= STRONG

    def as_json(self) -> dict[str, Any]:
        """Return the dependence as JSON values."""
        return {
            "grouping": list(self.grouping),
            "cramers_v": self.v,
            "p": self.p,
            "p_adjusted": self.adjusted,
            "n": self.n,
            "found": self.found,
        }


class Balances(Check):
    """Counts the groups and, for each, the labels in it."""

    def __init__(self, options: QualityOptions) -> None:
        self._options = options
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in GROUPINGS}
        self._cells: dict[str, Counter[tuple[str, str]]] = {
            name: Counter() for name in ("sex", "age", "site")
        }
        self._n = 0
        self.balances: tuple[Balance, ...] = ()
        self.dependences: tuple[Dependence, ...] = ()

    def see(self, case: Case) -> None:
        """Take the next case."""
        self._n += 1
        patient, row = case.row.record.patient, case.row
        values = {
            "sex": SEX.get(patient.sex or ""),
            "age": age_band(patient.age) if patient.age is not None else None,
            "site": row.site,
            "label": row.label,
            "part": row.part,
        }
        for name, value in values.items():
            if value is None:
                continue
            counts = self._counts[name]
            counts[value if value in counts or len(counts) < 1000 else REST] += 1
            if name in self._cells and row.label is not None:
                cells = self._cells[name]
                if (value, row.label) in cells or len(cells) < _MOST_CELLS:
                    cells[value, row.label] += 1

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what was found."""
        self.balances = tuple(self._balance(name) for name in GROUPINGS if self._counts[name])
        self.dependences = tuple(self._dependences())
        least = self._options.least_group
        for balance in self.balances:
            small = [name for name, count in balance.counts.items() if count < least]
            named = small[:8]
            note = (
                (f"少于 {least} 条:{'、'.join(named)}", f"under {least}: {', '.join(named)}")
                if small
                else ("", "")
            )
            yield Outcome(
                RULES["small-group"], balance.grouping, len(small), len(balance.counts), (), None, note
            )
        for item in self.dependences:
            figures = f"V = {item.v:.2f}, p = {item.adjusted:.2g}"
            note = (f"Cramér {figures}(已校正)", f"Cramér's {figures} (corrected)")
            yield Outcome(RULES["shortcut"], item.grouping, int(item.found), 1, (), None, note)

    def _balance(self, name: str) -> Balance:
        found = self._counts[name]
        counts = {group: found[group] for group in in_order(group for group, _ in found.most_common())}
        total = sum(counts.values())
        shares = [count / total for count in counts.values()]
        even = -sum(p * log(p) for p in shares) / log(len(shares)) if len(shares) > 1 else None
        figures = {group: proportion(count, total) for group, count in counts.items()}
        return Balance(GROUPINGS[name], figures, counts, even, self._n - total)

    def _dependences(self) -> Iterator[Dependence]:
        found = [
            (name, *result) for name, cells in self._cells.items() if (result := _cramer(cells)) is not None
        ]
        corrected = holm(np.array([p for _, _, p, _ in found])) if found else np.empty(0)
        for (name, v, p, n), q in zip(found, corrected, strict=True):
            yield Dependence(GROUPINGS[name], v, p, float(q), n)


def _cramer(cells: Counter[tuple[str, str]]) -> tuple[float, float, int] | None:
    """Bias-corrected V, p and n of a table of counts; ``None``: one row or column only, nothing to test."""
    from scipy.stats import chi2_contingency

    labels = [name for name, _ in _margin(cells, 1).most_common(MOST_LEVELS)]
    groups = [name for name, _ in _margin(cells, 0).most_common(MOST_LEVELS)]
    table = np.array([[cells[group, label] for label in labels] for group in groups], float)
    table = table[table.sum(1) > 0][:, table.sum(0) > 0] if table.size else table
    if table.size == 0 or min(table.shape) < 2:
        return None
    n = int(table.sum())
    test = chi2_contingency(table, correction=False)
    r, k = table.shape
    phi = max(0.0, float(test.statistic) / n - (k - 1) * (r - 1) / (n - 1))
    rows, columns = r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)
    smallest = min(rows - 1, columns - 1)
    return (sqrt(phi / smallest) if smallest > 0 else 0.0), float(test.pvalue), n


def _margin(cells: Counter[tuple[str, str]], side: int) -> Counter[str]:
    margin: Counter[str] = Counter()
    for cell, count in cells.items():
        margin[cell[side]] += count
    return margin
