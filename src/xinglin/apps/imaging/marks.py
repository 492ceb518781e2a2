"""Places in a scan that somebody or something points at, and what a reader decided about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, insert, select

from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.ledger import append
from xinglin.store import Store
from xinglin.store.keys import keyed_digest, new_salt
from xinglin.store.tables_imaging import imaging_decisions
from xinglin.store.tables_ledger import salts
from xinglin.terms.codes import XINGLIN
from xinglin.types import Code, Label, Point, State

NODULE = Code(XINGLIN, "lung-nodule", "肺结节 Lung nodule")
SAME = 0.5
"""Millimetres within which two decisions are about the same place."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One place, with what is known of it."""

    point: Point
    score: float | None = None
    """The detector's score, higher is likelier, no probability; ``None`` for a place that a reader marked."""
    diameter: float | None = None
    """Millimetres, ``None`` if it was not measured."""
    code: Code = NODULE


@dataclass(frozen=True, slots=True)
class Decision:
    """A reader's word on one mark."""

    mark: Mark
    state: State
    actor: str
    time: str


def decide(store: Store, series: str, mark: Mark, state: State, *, actor: str) -> None:
    """Keep what a reader decided about a place; a later decision of the same reader on the same place takes its turn.

    Args:
        store: where it is kept; the ledger gets a digest of the series, the state and whether a detector pointed there.
        series: Series Instance UID, or the scan's frame for a file that names none.
        mark: the place.
        state: ``present`` to accept, ``absent`` to reject, ``unknown`` to take a decision back.
        actor: the reader.

    Raises:
        InvalidInputError: no name of a series.
    """
    if not series or len(series) > 200:
        raise InvalidInputError("a decision needs the series that it is about")
    with store.write() as connection:
        query = select(imaging_decisions.c.subject).where(imaging_decisions.c.series == series).limit(1)
        subject = connection.execute(query).scalar()
        if subject is None:
            salt = new_salt()
            subject = keyed_digest(salt, series.encode())
            connection.execute(insert(salts).values(subject=subject, salt=salt))
        place = {"x": mark.point.x, "y": mark.point.y, "z": mark.point.z, "frame": mark.point.frame}
        connection.execute(
            insert(imaging_decisions).values(
                time=datetime.now(UTC).isoformat(timespec="seconds"),
                actor=actor,
                series=series,
                diameter=mark.diameter,
                score=mark.score,
                system=mark.code.system,
                value=mark.code.value,
                state=state,
                subject=subject,
                **place,
            )
        )
        detail = {"code": mark.code.value, "state": state, "detector": mark.score is not None}
        append(connection, "imaging.decide", actor=actor, subjects=(subject,), detail=detail)


def decisions(store: Store, series: str) -> list[Decision]:
    """Return the last decision of each reader on each place of a series, in the order in which places were first seen."""
    with store.read() as connection:
        query = select(imaging_decisions).where(imaging_decisions.c.series == series)
        rows = connection.execute(query.order_by(imaging_decisions.c.id)).all()
    found: list[Decision] = []
    for row in rows:
        point = Point(row.x, row.y, row.z, row.frame)
        mark = Mark(point, row.score, row.diameter, Code(row.system, row.value))
        made = Decision(mark, row.state, row.actor, row.time)
        same = [at for at, old in enumerate(found) if old.actor == row.actor and is_same(old.mark, mark)]
        if same:
            found[same[0]] = made
        else:
            found.append(made)
    return [one for one in found if one.state != "unknown"]


def as_labels(found: Sequence[Decision], series: str) -> tuple[Label, ...]:
    """Return decisions as the labels of a record named by its series."""
    return tuple(Label(series, one.mark.code, one.state, one.actor) for one in found)


def erase_decisions(store: Store, series: str, *, actor: str) -> int:
    """Erase all decisions on a series and the salt of its digest; returns how many there were.

    Raises:
        UnknownNameError: there are none.
    """
    with store.write() as connection:
        own = imaging_decisions.c.series == series
        subject = connection.execute(select(imaging_decisions.c.subject).where(own).limit(1)).scalar()
        if subject is None:
            raise UnknownNameError("no decisions on such a series are kept")
        count = int(connection.execute(delete(imaging_decisions).where(own)).rowcount)
        connection.execute(delete(salts).where(salts.c.subject == subject))
        append(connection, "imaging.erase", actor=actor, subjects=(subject,), detail={"decisions": count})
    return count


def is_same(one: Mark, other: Mark) -> bool:
    """Whether two marks mean one place and one thing."""
    if one.point.frame != other.point.frame or one.code != other.code:
        return False
    away = (one.point.x - other.point.x, one.point.y - other.point.y, one.point.z - other.point.z)
    return sum(part * part for part in away) <= SAME**2
