"""Where and when a record was made: two events that every reader writes alike.

``Record`` has no field for them, since most records need none; quality reports and splits by site do.
"""

from __future__ import annotations

from xinglin.types import Code, Event, Record

KIND = "context"
"""``Event.kind`` of what says something about the record and nothing about the patient's health."""
SITE = Code("xinglin-record", "site", "院区 site")
TIME = Code("xinglin-record", "time", "时间 time")


def context_events(*, site: str | None = None, time: str | None = None) -> tuple[Event, ...]:
    """Return the events that state a site and a time (ISO 8601); what is ``None`` is left out."""
    said = ((SITE, site), (TIME, time))
    return tuple(Event(code, value, time=time, kind=KIND) for code, value in said if value is not None)


def site_of(record: Record) -> str | None:
    """Return the site that a record states."""
    return _stated(record, SITE)


def time_of(record: Record) -> str | None:
    """Return the time that a record states, ISO 8601."""
    return _stated(record, TIME)


def _stated(record: Record, code: Code) -> str | None:
    return next((str(event.value) for event in record.events if event.code == code), None)
