"""One pass over a data set: every rule sees every record once; the report is what they found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from xinglin import __version__
from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.records.quality.balance import Balance, Balances, Dependence
from xinglin.records.quality.completeness import Completeness
from xinglin.records.quality.conformance import Conformance
from xinglin.records.quality.drift import Drift, SiteDrift
from xinglin.records.quality.drift_text import TextDrift
from xinglin.records.quality.duplicates import Duplicates
from xinglin.records.quality.options import QualityOptions
from xinglin.records.quality.plausibility import Plausibility
from xinglin.records.quality.row import Row, Unreadable, case_of
from xinglin.records.quality.rules import RULES
from xinglin.records.quality.tally import Check, Outcome, Status
from xinglin.records.quality.times import Times
from xinglin.types import DISCLAIMER


@dataclass(frozen=True, slots=True)
class QualityReport:
    """What was found of a data set."""

    name: str
    made: str
    """UTC, ISO 8601."""
    counts: Mapping[str, int]
    """Records, unreadable items, subjects, events, measured values, characters, sites, labels."""
    outcomes: tuple[Outcome, ...]
    """In the order of the rules."""
    drifts: tuple[Drift, ...]
    balances: tuple[Balance, ...]
    dependences: tuple[Dependence, ...]
    options: QualityOptions

    def by_status(self) -> dict[Status, int]:
        """Return how many rules have failed, are told, have passed, had nothing to check: by their worst item."""
        order: tuple[Status, ...] = ("fail", "note", "pass", "none")
        worst: dict[str, Status] = {}
        for outcome in self.outcomes:
            before = worst.get(outcome.rule.id, "none")
            worst[outcome.rule.id] = min(before, outcome.status, key=order.index)
        counted = Counter(worst.values())
        return {status: counted[status] for status in order}

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "format": "xinglin-quality/1",
            "name": self.name,
            "made": self.made,
            "package": __version__,
            "counts": dict(self.counts),
            "statuses": self.by_status(),
            "rules": {
                rule.id: {
                    "category": rule.category,
                    "subcategory": rule.subcategory,
                    "context": rule.context,
                    "name": list(rule.name),
                    "unit": list(rule.unit),
                }
                for rule in RULES.values()
            },
            "outcomes": [outcome.as_json() for outcome in self.outcomes],
            "drift": [drift.as_json() for drift in self.drifts],
            "balance": [balance.as_json() for balance in self.balances],
            "dependence": [item.as_json() for item in self.dependences],
            "options": {
                "today": str(self.options.today) if self.options.today else None,
                "tolerances": dict(self.options.tolerances),
                "near_duplicates": self.options.near_duplicates,
                "near_threshold": self.options.near_threshold,
                "read_texts": self.options.read_texts,
                "site_sample": self.options.site_sample,
                "alpha": self.options.alpha,
                "least_drift": self.options.least_drift,
                "least_group": self.options.least_group,
                "seed": self.options.seed,
            },
            "disclaimer": DISCLAIMER,
        }


def assess(
    rows: Iterable[Row | Unreadable], *, name: str, options: QualityOptions | None = None
) -> QualityReport:
    """Examine a data set in one pass.

    Memory grows with the records only by their ids, a digest of each content, a signature of each distinct text and
    the sex and ages of each subject: about 1.9 kB a record (measured, 100,000 records with a text each).

    Args:
        rows: the records, in any order, and what could not be read as one; gone over once.
        name: what the set is called in the report.

    Raises:
        UnknownNameError: a tolerance for a rule that does not exist.
        InvalidInputError: there is no record.
        MissingExtraError: near-duplicates are asked for and ``datasketch`` is not installed.
    """
    chosen = options or QualityOptions()
    unknown = sorted(set(chosen.tolerances) - set(RULES))
    if unknown:
        raise UnknownNameError(f"there is no rule {unknown[0]!r}; known: {', '.join(RULES)}")
    drift, text, balance = SiteDrift(chosen), TextDrift(chosen), Balances(chosen)
    checks: tuple[Check, ...] = (
        *(Completeness(chosen), Conformance(chosen), Duplicates(chosen), Plausibility(chosen)),
        *(drift, text, balance, Times(chosen)),
    )
    counts: Counter[str] = Counter()
    seen: dict[str, set[str]] = {"subjects": set(), "sites": set(), "labels": set()}
    unreadable: list[str] = []
    for row in rows:
        if isinstance(row, Unreadable):
            counts["unreadable"] += 1
            unreadable += [row.place] if len(unreadable) < chosen.examples else []
            continue
        case = case_of(row)
        for check in checks:
            check.see(case)
        counts.update(
            records=1, events=len(case.events), values=len(case.measures), characters=len(row.record.text)
        )
        for kind, value in (("subjects", row.record.subject), ("sites", case.site), ("labels", row.label)):
            if value is not None:
                seen[kind].add(value)
    if not counts["records"]:
        raise InvalidInputError(f"{name}: expected records, there is none")
    found = [outcome for check in checks for outcome in check.outcomes()]
    bad, items = counts["unreadable"], counts["records"] + counts["unreadable"]
    found.append(Outcome(RULES["unreadable"], ("", ""), bad, items, tuple(unreadable), 0.0))
    order = list(RULES)
    found.sort(key=lambda outcome: order.index(outcome.rule.id))
    told = [
        replace(outcome, tolerance=chosen.tolerances.get(outcome.rule.id, outcome.tolerance))
        for outcome in found
    ]
    return QualityReport(
        name=name,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        counts={**counts, **{kind: len(values) for kind, values in seen.items()}},
        outcomes=tuple(told),
        drifts=(*drift.found, *text.found),
        balances=balance.balances,
        dependences=balance.dependences,
        options=chosen,
    )
