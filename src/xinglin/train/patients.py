"""Patients drawn from the graph: who they are, what they have, what they do not have, for how long.

A case is drawn, not averaged: each finding of the disease is present with the midpoint of its frequency term,
then a register keeps as many as it would say. A patient often says less than the graph knows, so a finding may be
replaced by the more general one it implies. What is denied comes from the findings this patient happens not to
have and from what its differentials would show, so that an absence is worth something.
"""

from __future__ import annotations

import math
import random
from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate

from xinglin.graph.knowledge import COMMONNESS_LOG_PRIOR, FREQUENCY_MIDPOINTS, Disease, Knowledge
from xinglin.train.wording import Wording, Wordings

TEMPER = 0.35
"""Exponent of the prior: 1 would follow it (a very rare disease 245 times rarer), 0 ignore it. At .35 the rarest is
drawn a seventh as often as the commonest."""
RISK_PRESENT = {"strong": 0.4, "moderate": 0.22, "weak": 0.1}
VAGUER = 0.15
"""Chance that a finding is told as the more general one."""
CHILD_UNTIL = 14.0
_COURSE = {
    "acute": ((0.02, 0.2, 0.15), (0.2, 1.0, 0.2), (1, 4, 0.4), (4, 15, 0.25)),
    "subacute": ((2, 10, 0.2), (10, 45, 0.5), (45, 150, 0.3)),
    "chronic": ((5, 30, 0.15), (30, 200, 0.35), (200, 1100, 0.3), (1100, 6000, 0.2)),
    "recurrent": ((0.5, 5, 0.4), (5, 40, 0.25), (40, 400, 0.2), (400, 3600, 0.15)),
}
"""Course -> bands of days with their shares."""


@dataclass(frozen=True, slots=True)
class Likely:
    """A finding of a disease, with how it may be said."""

    said: Wordings
    frequency: float


@dataclass(frozen=True, slots=True)
class Profile:
    """A disease as narratives need it."""

    disease: Disease
    findings: tuple[Likely, ...]
    """Symptoms and signs."""
    tests: tuple[Likely, ...]
    background: tuple[Likely, ...]
    """Histories and risks with the chance that they are present."""
    absent: tuple[Wordings, ...]
    """Findings that speak for its differentials or that it excludes."""


@dataclass(frozen=True, slots=True)
class Case:
    """One patient."""

    disease: Disease
    age: float
    """Years."""
    sex: str
    findings: tuple[Wordings, ...]
    tests: tuple[Wordings, ...]
    background: tuple[Wordings, ...]
    denied: tuple[Wordings, ...]
    days: float
    """How long it has lasted."""
    worse: float | None
    """Days since it got worse, or came back, for what is chronic or recurrent."""

    @property
    def child(self) -> bool:
        """Whether a parent would speak."""
        return self.age < CHILD_UNTIL


class Patients:
    """Cases of a graph's diseases.

    Args:
        knowledge: the graph.
        wording: how its findings are said.
    """

    def __init__(self, knowledge: Knowledge, wording: Wording) -> None:
        self._knowledge = knowledge
        self._wording = wording
        self._profiles: dict[str, Profile] = {}
        self._stated = {
            name: {
                row.target for row in rows if row.relation == "has_finding" and row.qualifier != "excluded"
            }
            for name, rows in knowledge.by_disease.items()
        }
        self.diseases = tuple(knowledge.diseases)
        weights = (math.exp(TEMPER * COMMONNESS_LOG_PRIOR[d.commonness]) for d in knowledge.diseases.values())
        self._cumulated = list(accumulate(weights))

    def disease(self, dice: random.Random) -> str:
        """Draw a disease, rare ones less often but never hardly ever."""
        return self.diseases[bisect(self._cumulated, dice.random() * self._cumulated[-1])]

    def case(self, disease: str, dice: random.Random, *, most: int, tests: int) -> Case:
        """Draw a patient of a disease.

        Args:
            most: findings that are told, at least one if there is any to tell.
            tests: examination results that are told at most.
        """
        profile = self.profile(disease)
        age, sex = _age(profile.disease, dice), profile.disease.sex
        if sex == "any":
            sex = "male" if dice.random() < 0.5 else "female"
        present = [item for item in profile.findings if dice.random() < item.frequency]
        if not present and profile.findings:
            present = [max(profile.findings, key=lambda item: item.frequency * dice.random())]
        results = [item for item in profile.tests if tests and dice.random() < item.frequency]
        if not present and not results and profile.tests:
            results, tests = [dice.choice(profile.tests)], max(tests, 1)
        told = [self._vaguer(item.said, disease, dice) for item in _first(present, most, dice)]
        told = _without_ancestors(told, dice)
        background = [item.said for item in profile.background if dice.random() < item.frequency]
        dice.shuffle(background)
        have = {item.said.term.name for item in present} | {said.term.name for said in told}
        denied = self._denied(profile, have, dice)
        days, worse = _lasting(profile.disease.course, age, dice)
        return Case(
            profile.disease,
            age,
            sex,
            tuple(told),
            tuple(item.said for item in _first(results, tests, dice)),
            tuple(background[:3]),
            tuple(denied),
            days,
            worse,
        )

    def profile(self, disease: str) -> Profile:
        """The disease's findings with wordings that do not name it."""
        known = self._profiles.get(disease)
        if known is None:
            known = self._profiles[disease] = self._build(disease)
        return known

    def _build(self, disease: str) -> Profile:
        findings: list[Likely] = []
        tests: list[Likely] = []
        background: list[Likely] = []
        absent: dict[str, Wordings] = {}
        for row in self._knowledge.by_disease[disease]:
            if row.relation == "differential":
                absent |= self._others(row.target, disease)
            if row.relation not in ("has_finding", "risk_factor"):
                continue
            said = self._wording.fit(row.target, disease)
            if said is None:
                continue
            if row.qualifier == "excluded":
                absent[row.target] = said
            elif row.relation == "risk_factor":
                background.append(Likely(said, RISK_PRESENT[row.qualifier or "weak"]))
            else:
                item = Likely(said, FREQUENCY_MIDPOINTS[row.qualifier or "occasional"])
                group = {"test": tests, "background": background}.get(said.group, findings)
                group.append(item)
        return Profile(
            self._knowledge.diseases[disease],
            tuple(findings),
            tuple(tests),
            tuple(background),
            tuple(absent.values()),
        )

    def _others(self, other: str, disease: str) -> dict[str, Wordings]:
        """Symptoms and signs of another disease that this one does not have."""
        found = {}
        mine = self._stated[disease]
        implied = {parent for name in mine for parent in self._wording.ancestors(name)}
        for name in sorted(self._stated[other] - mine - implied):
            said = self._wording.fit(name, disease)
            if said is not None and said.group in ("symptom", "sign"):
                found[name] = said
        return found

    def _vaguer(self, said: Wordings, disease: str, dice: random.Random) -> Wordings:
        if said.term.parents and dice.random() < VAGUER:
            return self._wording.fit(dice.choice(said.term.parents), disease) or said
        return said

    def _denied(self, profile: Profile, have: set[str], dice: random.Random) -> list[Wordings]:
        implied = {parent for name in have for parent in self._wording.ancestors(name)} | have
        missing = [
            item.said
            for item in profile.findings
            if item.said.term.name not in implied and dice.random() < (1 - item.frequency) * 0.35
        ]
        found = missing[:2]
        if profile.absent:
            found += dice.sample(profile.absent, min(5, len(profile.absent)))
        dice.shuffle(found)
        unique = {said.term.name: said for said in found if said.term.name not in implied}
        return list(unique.values())


def _first(items: list[Likely], most: int, dice: random.Random) -> list[Likely]:
    """As many as are told: the frequent ones first, but not always."""
    if len(items) <= most:
        dice.shuffle(items)
        return items
    return sorted(items, key=lambda item: dice.random() ** (1 / (item.frequency + 0.25)), reverse=True)[:most]


def _without_ancestors(told: list[Wordings], dice: random.Random) -> list[Wordings]:
    """Mostly without findings that another told one implies, and never the same twice."""
    parents: set[str] = set()
    for said in told:
        parents |= set(said.term.parents)
    kept: dict[str, Wordings] = {}
    for said in told:
        if said.term.name not in parents or dice.random() < 0.2:
            kept[said.term.name] = said
    return list(kept.values()) or told[:1]


def _age(disease: Disease, dice: random.Random) -> float:
    low, high = disease.age_min, disease.age_max
    peak = disease.age_peak
    if peak is None and low is None and high is None:
        if disease.department in ("儿科", "小儿外科", "新生儿科"):
            low, high = 0.1, CHILD_UNTIL
        else:
            return round(dice.uniform(1, 14) if dice.random() < 0.12 else dice.uniform(15, 82), 2)
    bottom = low if low is not None else 0.3 if peak is None else min(peak[0], 1.0)
    top = high if high is not None else 88.0
    if peak is not None and dice.random() < 0.8:
        bottom, top = max(bottom, peak[0]), min(top, peak[1])
    top = max(bottom, top * 0.999)
    if top <= CHILD_UNTIL and bottom < 1:  # small children: as many in the first year as in the rest
        return round(bottom + (top - bottom) * dice.random() ** 2, 4)
    return round(dice.uniform(bottom, top), 4)


def _lasting(course: str, age: float, dice: random.Random) -> tuple[float, float | None]:
    bands = _COURSE[course]
    pick, days = dice.random(), 1.0
    for low, high, share in bands:
        days = math.exp(dice.uniform(math.log(low), math.log(high)))
        pick -= share
        if pick < 0:
            break
    days = min(days, max(age * 365 * 0.6, 0.3))
    worse = None
    if course in ("chronic", "recurrent") and days > 20 and dice.random() < 0.5:
        worse = math.exp(dice.uniform(math.log(0.3), math.log(min(days * 0.3, 30))))
    return days, worse


def usable(profile: Profile) -> bool:
    """Whether anything can be told of the disease without naming it."""
    return bool(profile.findings or profile.tests)
