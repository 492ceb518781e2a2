"""The watch that runs by itself: one look after another, each in the ledger, an alarm closing the gate at once.

A look keeps as evidence what changed: a reading never kept before, one that became an alarm, one that is over. What stays
as it was is only counted in the look's own entry, so that an hourly watch does not bury a version under its own evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from xinglin.ledger import append
from xinglin.release.monitoring.watch import Limits, Reading, look
from xinglin.release.registry.promote import retired_versions
from xinglin.release.registry.record import attach, find
from xinglin.store import Store


@dataclass(frozen=True, slots=True)
class Watch:
    """What is watched."""

    model: str
    """As the model names itself in its answers."""
    name: str
    """Of the registered model whose gate an alarm closes."""
    number: str
    reference: tuple[str, str]
    """First and last day for which it was found good."""
    window: int
    """Days looked at, to today."""
    limits: Limits


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look found."""

    readings: tuple[Reading, ...]
    kept: tuple[Reading, ...]
    """Those that changed, and are evidence now."""
    back: str | None
    """Version that a rollback would go back to; ``None``: there is none."""

    @property
    def alarms(self) -> tuple[Reading, ...]:
        """The readings beyond their limit."""
        return tuple(one for one in self.readings if one.breached)


def look_once(store: Store, watch: Watch, *, actor: str, today: date | None = None) -> Looked:
    """Look at the last days and keep what changed.

    Args:
        store: where.
        watch: what is watched.
        actor: who set the watch.
        today: last day of the window, UTC; ``None``: the present one.

    Raises:
        InvalidInputError: no answers were counted in one of the spans.
        UnknownNameError: there is no such version.
    """
    last = today or datetime.now(UTC).date()
    span = ((last - timedelta(days=watch.window - 1)).isoformat(), last.isoformat())
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with store.write() as connection:
        version = find(connection, watch.name, watch.number)
        readings = look(connection, watch.model, reference=watch.reference, current=span, limits=watch.limits)
        before = {item.content["name"]: item.content["breached"] for item in version.of_kind("monitoring")}
        kept = [one for one in readings if before.get(one.name) != one.breached]
        for one in kept:
            attach(connection, watch.name, watch.number, "monitoring", one.as_evidence(now), actor=actor)
        alarms = [one.name for one in readings if one.breached]
        said = {
            "model": watch.name,
            "number": watch.number,
            "days": list(span),
            "looked": len(readings),
            "alarms": alarms,
        }
        append(connection, "model.watch", actor=actor, subjects=(version.checkpoint,), detail=said)
        earlier = retired_versions(connection, watch.name) if version.stage == "released" else []
    return Looked(tuple(readings), tuple(kept), earlier[0] if earlier and alarms else None)
