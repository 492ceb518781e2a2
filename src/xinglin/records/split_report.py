"""How well a split is balanced, and that nothing crosses it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xinglin.errors import InvalidInputError
from xinglin.measure import Figure, proportion
from xinglin.records.split import Member, Split, crossing


@dataclass(frozen=True, slots=True)
class PartReport:
    """One part."""

    records: int
    components: int
    subjects: int
    asked: float
    """Share of the records asked for."""
    share: Figure
    """Share reached; the interval is that of a sample of so many components, which is what chance draws."""
    sites: Mapping[str, int]
    labels: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class SplitReport:
    """A split as a whole."""

    parts: Mapping[str, PartReport]
    label_gap: float | None
    """Largest difference between a label's share in a part and in all records; ``None`` without labels."""
    label_p: float | None
    """Chi-square test of label against part (Pearson 1900), over components: small means worse than chance would do."""
    largest_component: int
    """Records of the largest component: no part can be filled more finely than that."""
    crossing_subjects: int
    crossing_components: int
    crossing_sites: int
    moved: int

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "parts": {
                name: {
                    "records": part.records,
                    "components": part.components,
                    "subjects": part.subjects,
                    "asked": part.asked,
                    "share": part.share.as_json(),
                    "sites": dict(part.sites),
                    "labels": dict(part.labels),
                }
                for name, part in self.parts.items()
            },
            "label_gap": self.label_gap,
            "label_p": self.label_p,
            "largest_component": self.largest_component,
            "crossing": {
                "subjects": self.crossing_subjects,
                "components": self.crossing_components,
                "sites": self.crossing_sites,
            },
            "moved": self.moved,
        }


def report(members: Sequence[Member], made: Split) -> SplitReport:
    """Describe a split; the crossings are counted anew from the assignment, not taken from how it was made.

    Raises:
        InvalidInputError: there is no record, or one that the split does not know.
    """
    lacking = sum(member.id not in made.part for member in members)
    if lacking or not members:
        raise InvalidInputError(
            f"expected records that the split knows; {lacking} of {len(members)} are unknown"
        )
    parts = {name: _part(name, share, members, made) for name, share in made.parts.items()}
    total = Counter(member.label for member in members if member.label is not None)
    gap = p = None
    if total:
        n = total.total()
        gap = max(
            (abs(part.labels.get(label, 0) / count - total[label] / n)
            for part in parts.values() if (count := sum(part.labels.values())) for label in total),
            default=None,
        )  # fmt: skip
        p = _independence(members, made)
    size = Counter(made.components[member.id] for member in members)
    return SplitReport(
        parts,
        gap,
        p,
        max(size.values()),
        _crossing((member.subject, made.part[member.id]) for member in members),
        _crossing((made.components[member.id], made.part[member.id]) for member in members),
        _crossing((member.site, made.part[member.id]) for member in members),
        len(made.moved),
    )


def _crossing(pairs: Iterable[tuple[str | None, str]]) -> int:
    return sum(1 for _ in crossing((key, part) for key, part in pairs if key is not None))


def _part(name: str, asked: float, members: Sequence[Member], made: Split) -> PartReport:
    here = [member for member in members if made.part[member.id] == name]
    components = {made.components[member.id] for member in here}
    everywhere = len(set(made.components.values()))
    spread = proportion(round(len(here) / len(members) * everywhere), everywhere)
    share = Figure(len(here) / len(members), spread.low, spread.high, len(members))
    return PartReport(
        records=len(here),
        components=len(components),
        subjects=len({member.subject for member in here if member.subject is not None}),
        asked=asked,
        share=share,
        sites=dict(Counter(member.site for member in here if member.site is not None).most_common()),
        labels=dict(Counter(member.label for member in here if member.label is not None).most_common()),
    )


def _independence(members: Sequence[Member], made: Split) -> float | None:
    """p-value of label against part, one vote a component (its most frequent label); ``None``: nothing to test."""
    from scipy.stats import chi2_contingency

    votes: dict[str, Counter[str]] = {}
    where: dict[str, str] = {}
    for member in members:
        if member.label is not None:
            component = made.components[member.id]
            votes.setdefault(component, Counter())[member.label] += 1
            where[component] = made.part[member.id]
    label = {name: min(count, key=lambda item: (-count[item], item)) for name, count in votes.items()}
    rows, columns = sorted(set(label.values())), sorted(set(where.values()))
    table = np.zeros((len(rows), len(columns)), np.int64)
    for name, value in label.items():
        table[rows.index(value), columns.index(where[name])] += 1
    if min(table.shape) < 2:
        return None
    return float(chi2_contingency(table, correction=False).pvalue)
