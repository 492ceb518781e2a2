"""Counting what breaks a rule: the count, the share with its interval, some record ids, and never any content."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from xinglin.measure import Figure, proportion
from xinglin.records.quality.row import Case
from xinglin.records.quality.rules import GROUPS, RULES, TESTS, Rule

Status = Literal["pass", "note", "fail", "none"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rule found of one item."""

    rule: Rule
    item: tuple[str, str]
    """Which field, analyte or test, in Chinese and English; empty when the rule knows no items."""
    failed: int
    checked: int
    """``0``: nothing in the set to which the rule applies."""
    examples: tuple[str, ...] = ()
    tolerance: float | None = None
    note: tuple[str, str] = ("", "")

    @property
    def share(self) -> Figure | None:
        """Failed of checked with its 95 % Wilson interval; ``None``: nothing was checked, or what is counted (tests,
        groups) is no sample of anything.
        """
        sample = self.checked > 0 and self.rule.unit not in (TESTS, GROUPS)
        return proportion(self.failed, self.checked) if sample else None

    @property
    def status(self) -> Status:
        """``fail``: even the lower end of the interval lies above the tolerance; ``note``: found, and told."""
        if not self.checked:
            return "none"
        if not self.failed:
            return "pass"
        least = self.share.low if self.share else self.failed / self.checked
        return "fail" if self.tolerance is not None and least > self.tolerance else "note"

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as JSON values."""
        return {
            "rule": self.rule.id,
            "item": list(self.item) if any(self.item) else None,
            "status": self.status,
            "failed": self.failed,
            "checked": self.checked,
            "share": self.share.as_json() if self.share else None,
            "tolerance": self.tolerance,
            "examples": list(self.examples),
            "note": list(self.note) if any(self.note) else None,
        }


class Tally:
    """Counts of one rule and one item; keeps the first ids that broke it, each once."""

    __slots__ = ("checked", "examples", "failed")

    def __init__(self) -> None:
        self.checked = self.failed = 0
        self.examples: list[str] = []

    def count(self, broken: bool, record_id: str, most: int) -> None:
        """Count one more."""
        self.checked += 1
        if broken:
            self.failed += 1
            if len(self.examples) < most and record_id not in self.examples:
                self.examples.append(record_id)


class Tallies:
    """The tallies of several rules by item."""

    def __init__(self, examples: int) -> None:
        self._most = examples
        self._kept: dict[str, dict[tuple[str, str], Tally]] = {}

    def count(self, rule: str, broken: bool, record_id: str, item: tuple[str, str] = ("", "")) -> None:
        """Count one more of a rule's item."""
        items = self._kept.setdefault(rule, {})
        tally = items.get(item)
        if tally is None:
            tally = items[item] = Tally()
        tally.count(broken, record_id, self._most)

    def outcomes(
        self, rules: Iterable[str], notes: dict[str, tuple[str, str]] | None = None
    ) -> Iterator[Outcome]:
        """Yield the outcomes of some rules, the most broken items first; a rule never counted checked nothing."""
        for name in rules:
            rule, note = RULES[name], (notes or {}).get(name, ("", ""))
            items = self._kept.get(name)
            if not items:
                yield Outcome(rule, ("", ""), 0, 0, (), rule.tolerance, note)
                continue
            for item, tally in sorted(
                items.items(), key=lambda pair: (-pair[1].failed, -pair[1].checked, pair[0])
            ):
                yield Outcome(
                    rule, item, tally.failed, tally.checked, tuple(tally.examples), rule.tolerance, note
                )


class Check(ABC):
    """A family of rules: is shown every case once, then tells what it found."""

    @abstractmethod
    def see(self, case: Case) -> None:
        """Take the next case."""

    @abstractmethod
    def outcomes(self) -> Iterator[Outcome]:
        """Yield what was found; called once, after the last case."""
