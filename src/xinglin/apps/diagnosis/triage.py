"""Red flags and triage: a deterministic layer over findings that no probability overrides.

The level is the highest of every rule that holds; rules only raise. A probability may raise the level
(a lethal candidate that is likely) but never lower it, and neither may an unknown vital sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from xinglin.apps.diagnosis.expression import Expression, Facts, clues, matched, names, parse
from xinglin.errors import VocabularyError
from xinglin.graph.knowledge import TRIAGE, DangerSign, Knowledge, RedFlag
from xinglin.types import State

LEVEL_NAMES = {
    "call_120": ("呼叫120", "call an ambulance (120)"),
    "emergency_now": ("立即转急诊", "to an emergency department now"),
    "within_24h": ("24小时内就诊", "see a doctor within 24 hours"),
    "outpatient": ("门诊", "outpatient visit"),
    "home": ("居家观察", "watch at home"),
}
HEADER_FACTS = ("男", "女", "妊娠", "哺乳", "产后", "新生儿", "婴儿", "儿童", "老年", "年龄未述",
                "文中点名急危病")  # fmt: skip
HEADER_VALUES = ("年龄", "孕周")


@dataclass(frozen=True, slots=True)
class RaisedFlag:
    """A rule that holds, with the facts that made it."""

    flag: RedFlag
    facts: tuple[str, ...]


@dataclass(frozen=True)
class TriageRules:
    """The rules, parsed and checked once."""

    flags: tuple[tuple[RedFlag, Expression], ...]
    danger_signs: tuple[DangerSign, ...]

    @staticmethod
    def build(knowledge: Knowledge, quantities: set[str]) -> TriageRules:
        """Parse every rule and check its names.

        Raises:
            VocabularyError: a rule does not parse or names an unknown fact or quantity.
        """
        known = set(knowledge.finding_codes) | set(HEADER_FACTS)
        parsed = []
        for flag in knowledge.red_flags:
            expression = parse(flag.expression)
            facts, values = names(expression)
            unknown = sorted((facts - known) | (values - quantities - set(HEADER_VALUES)))
            if unknown:
                raise VocabularyError(f"red flag {flag.id}: unknown names {', '.join(unknown)}")
            parsed.append((flag, expression))
        return TriageRules(tuple(parsed), knowledge.danger_signs)

    @cached_property
    def by_clue(self) -> dict[str, list[int]]:
        """Places in ``flags`` of the rules that can only hold when a fact or quantity is known."""
        grouped: dict[str, list[int]] = {}
        for place, (_, expression) in enumerate(self.flags):
            for name in clues(expression, (*HEADER_FACTS, *HEADER_VALUES)):
                grouped.setdefault(name, []).append(place)
        return grouped

    @cached_property
    def by_complaint(self) -> dict[str, list[DangerSign]]:
        """Danger signs of each complaint."""
        grouped: dict[str, list[DangerSign]] = {}
        for sign in self.danger_signs:
            grouped.setdefault(sign.complaint, []).append(sign)
        return grouped


def raised(rules: TriageRules, facts: Facts) -> tuple[RaisedFlag, ...]:
    """Return every rule that holds, highest level first, file order within a level.

    A rule has no negation, so one without any of its clues cannot hold and is not looked at.
    """
    touched = {place for name in (*facts.holds, *facts.values) for place in rules.by_clue.get(name, ())}
    hits = [
        RaisedFlag(flag, hit)
        for flag, expression in (rules.flags[place] for place in sorted(touched))
        if (hit := matched(expression, facts)) is not None
    ]
    return tuple(sorted(hits, key=lambda hit: -TRIAGE.index(hit.flag.level)))


def not_excluded(rules: TriageRules, states: Mapping[str, State]) -> tuple[DangerSign, ...]:
    """Return the danger signs of the present complaints that are neither present nor denied."""
    open_signs: dict[str, DangerSign] = {}
    for complaint, state in states.items():
        if state == "present":
            for sign in rules.by_complaint.get(complaint, ()):
                if states.get(sign.danger, "unknown") == "unknown":
                    open_signs.setdefault(sign.danger, sign)
    return tuple(open_signs.values())


def highest(*levels: str) -> str:
    """Return the highest of some triage levels."""
    return max(levels, key=TRIAGE.index)
