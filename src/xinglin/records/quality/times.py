"""Temporal plausibility: dates that can be, in an order that can be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import pairwise

from xinglin.records.quality.options import QualityOptions
from xinglin.records.quality.row import Case
from xinglin.records.quality.tally import Check, Outcome, Tallies
from xinglin.types import Code

EARLIEST = 1900
"""Before this year nothing of a living patient is recorded: it is what an empty date becomes (1753, 1899, 0001)."""
DEATH = frozenset({Code("loinc", "69453-9")})
"""Cause of death on a certificate (synthea_fhir_r4/code_inventory): the patient is dead on its day."""
YEAR = 365.25
BIRTH_SLACK = 1.0
"""Years: an age in whole years leaves the birthday open by so much."""
AGE_SLACK = 1.5
"""Years by which two ages of one subject may differ from the time between them: both are rounded."""
KEPT = 16
"""Records of a subject compared with each other."""
_DURATION = re.compile(
    r"P(?:(\d+(?:\.\d+)?)Y)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?(?:T.*)?"
)


class Times(Check):
    """The future, the time before birth and after death, ages that fall, durations beyond the age."""

    def __init__(self, options: QualityOptions) -> None:
        self._tallies = Tallies(options.examples)
        self._today = options.today or datetime.now(UTC).date()
        self._ages: dict[str, list[tuple[date, float, str]]] = {}

    def see(self, case: Case) -> None:
        """Take the next case."""
        record, name, count = case.row.record, case.id, self._tallies.count
        age = record.patient.age
        past = [day for day in case.days if day is not None and day <= self._today]
        reference = case.day if case.day is not None and case.day <= self._today else max(past, default=None)
        died = [
            day
            for event, day in zip(case.events, case.days, strict=True)
            if event.code in DEATH and day is not None
        ]
        for event, day in zip(case.events, case.days, strict=True):
            if day is None:
                continue
            count("future", day > self._today, name)
            before = day.year < EARLIEST
            if age is not None and reference is not None:
                before = before or (reference - day).days / YEAR > age + BIRTH_SLACK
            count("before-birth", before, name)
            # The certificate is written, and the last results come in, within days.
            if died and event.code not in DEATH:
                count("after-death", (day - min(died)).days > 7, name)
        if age is not None and record.subject is not None and reference is not None:
            kept = self._ages.setdefault(record.subject, [])
            if len(kept) < KEPT:
                kept.append((reference, age, name))
        if age is not None:
            lasting = [
                years for item in record.findings if item.time and (years := _years(item.time)) is not None
            ]
            if lasting:
                count("duration", max(lasting) > age + BIRTH_SLACK, name)

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what was found."""
        for kept in self._ages.values():
            if len(kept) > 1:
                kept.sort()
                broken = [
                    later[2]
                    for earlier, later in pairwise(kept)
                    if abs(later[1] - earlier[1] - (later[0] - earlier[0]).days / YEAR) > AGE_SLACK
                ]
                self._tallies.count("age-and-dates", bool(broken), broken[0] if broken else "")
        yield from self._tallies.outcomes(
            ("future", "before-birth", "after-death", "age-and-dates", "duration")
        )


def _years(text: str) -> float | None:
    """Years of an ISO 8601 duration; ``None``: it is none."""
    match = _DURATION.fullmatch(text)
    if match is None or text in ("P", "PT"):
        return None
    years, months, weeks, days = (float(part or 0) for part in match.groups())
    return years + months / 12 + (7 * weeks + days) / YEAR
