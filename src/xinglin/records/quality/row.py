"""What the rules are told of one record: the record, what stands beside it, its measured values and days."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache

from xinglin.records.context import KIND, site_of, time_of
from xinglin.terms.characters import normalise
from xinglin.terms.codes import LOINC, XINGLIN_ANALYTE
from xinglin.terms.ucum import plain_unit
from xinglin.terms.units import to_canonical
from xinglin.terms.vocabulary import Analyte, starter_vocabulary
from xinglin.types import Code, Event, Record

_ISO = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ]\d\d:?\d\d(?::?\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?)?)?"
)
CACHED = 65_536
"""Codes and units remembered: what comes from the data must not grow without a bound."""
_WITHOUT_DIMENSION = frozenset({"分", "比值", "pH单位"})


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a data set and where it belongs."""

    record: Record
    site: str | None = None
    """``None``: what the record itself states, if it does."""
    label: str | None = None
    part: str | None = None
    """Part of the split."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An item of the source that is no record."""

    place: str
    """File and line, or what the source has instead."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of a known analyte."""

    analyte: Analyte
    event: Event
    value: float
    """As stated."""
    canonical: float | None
    """In ``analyte.unit``; ``None``: the unit is missing or not one of the analyte's."""


@dataclass(frozen=True, slots=True)
class Case:
    """A row with what several rules need of it."""

    row: Row
    events: tuple[Event, ...]
    """Of the patient; what only says where and when the record was made is left out."""
    measures: tuple[Measure, ...]
    days: tuple[date | None, ...]
    """Of each event; ``None``: no time, or none that can be read."""
    day: date | None
    """Of the record: as it states, else its newest event's."""

    @property
    def id(self) -> str:
        """The record's id."""
        return self.row.record.id

    @property
    def site(self) -> str | None:
        """Where the record was made."""
        return self.row.site


def case_of(row: Row) -> Case:
    """Return what the rules are told of a row."""
    record = row.record
    if row.site is None and (site := site_of(record)) is not None:
        row = Row(record, site, row.label, row.part)
    events = tuple(event for event in record.events if event.kind != KIND)
    days = tuple(day_of(event.time) if event.time is not None else None for event in events)
    stated = time_of(record)
    own = day_of(stated) if stated is not None else None
    newest = max((day for day in days if day is not None), default=None)
    return Case(row, events, tuple(_measures(events)), days, own or newest)


def together(case: Case) -> dict[str | None, dict[str, float]]:
    """Canonical values by their time, the first of each analyte."""
    found: dict[str | None, dict[str, float]] = {}
    for measure in case.measures:
        if measure.canonical is not None:
            found.setdefault(measure.event.time, {}).setdefault(measure.analyte.name, measure.canonical)
    return found


def day_of(text: str) -> date | None:
    """Return the day of an ISO 8601 date or date and time; of a year or month the first; ``None``: it is none."""
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    year, month, day = match.groups()
    try:
        return date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return None


@lru_cache(CACHED)
def analyte_of(code: Code) -> Analyte | None:
    """Return the analyte of the vocabulary that a code stands for: by its own id, by LOINC, else by name."""
    by_code, by_loinc = _analytes()
    if code.system == XINGLIN_ANALYTE:
        return by_code.get(code.value)
    if code.system == LOINC:
        return by_loinc.get(code.value)
    if code.system != "text":
        return None
    return starter_vocabulary().analyte_names.get(normalise(code.display or code.value))


@cache
def _analytes() -> tuple[dict[str, Analyte], dict[str, Analyte]]:
    analytes = starter_vocabulary().analytes.values()
    return {a.code.value: a for a in analytes}, {a.loinc: a for a in analytes if a.loinc}


@lru_cache(CACHED)
def fitting_unit(analyte: Analyte, unit: str) -> str | None:
    """Return a unit, printed or in UCUM, as the analyte knows it; empty: it has no dimension; ``None``: not its unit."""
    if to_canonical(analyte, 1.0, unit) is not None:
        return unit
    printed = plain_unit(unit)
    if not printed:
        return "" if analyte.unit in _WITHOUT_DIMENSION else None
    return printed if to_canonical(analyte, 1.0, printed) is not None else None


def _canonical(analyte: Analyte, value: float, unit: str) -> float | None:
    """A value in the analyte's canonical unit; ``None``: the unit is not one of the analyte's."""
    known = fitting_unit(analyte, unit)
    return value if known == "" else None if known is None else to_canonical(analyte, value, known)


def _measures(events: tuple[Event, ...]) -> Iterator[Measure]:
    for event in events:
        value = event.value
        if isinstance(value, int | float) and not isinstance(value, bool):
            analyte = analyte_of(event.code)
            if analyte is not None:
                canonical = _canonical(analyte, float(value), event.unit) if event.unit else None
                yield Measure(analyte, event, float(value), canonical)
