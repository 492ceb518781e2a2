"""How long records are kept: a period by data set and purpose, what is due, and the erasure of what is due.

PIPL Art. 19 and 47: no longer than the purpose needs, and deleted when the period has ended. A data set is kept as long as
the longest period that is stated of it; where none is, nothing is ever due, and the list says so. The period runs from the
day a version of a record was taken in, since not every source dates its records. Nothing is deleted by itself: a person runs
it, and it stands in the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from xinglin.errors import InvalidInputError
from xinglin.ledger import append
from xinglin.ledger.grants import check_purpose
from xinglin.ledger.subjects import Dataset, find_dataset
from xinglin.records.archive import BODY, files_of, record_of
from xinglin.records.sealing import Seal
from xinglin.store import Store
from xinglin.store.keys import keyed_digest, new_salt
from xinglin.store.tables import datasets, intake_runs, records, subjects
from xinglin.store.tables_ledger import retention

MAX_DAYS = 36_525
"""A hundred years."""


@dataclass(frozen=True, slots=True)
class Period:
    """How long a data set is kept for a purpose."""

    purpose: str
    days: int
    basis: str
    by: str
    time: str


@dataclass(frozen=True, slots=True)
class Due:
    """What of a data set has outlived its periods."""

    dataset: str
    periods: tuple[Period, ...]
    """In force; none: nothing is ever due."""
    until: str | None
    """Versions taken in up to this moment are due, UTC."""
    records: int
    """Versions of records that are due."""
    subjects: int
    """Whose they are."""
    next: str | None
    """When the oldest version that is not due yet will be, UTC."""


def state_period(
    connection: Connection, dataset: str, *, purpose: str, days: int, basis: str, by: str
) -> None:
    """State how long the records of a data set are kept for a purpose; the newest statement holds.

    Args:
        connection: from ``Store.write()``.
        dataset: name of a data set.
        purpose: one of ``ledger.grants.PURPOSES``.
        days: from the day of intake; 0 ends the purpose.
        basis: the rule it follows; at most 400 characters.
        by: who states it.

    Raises:
        UnknownNameError: no such data set or purpose.
        InvalidInputError: no basis, or days outside 0 to 36,525.
    """
    check_purpose(purpose)
    if not basis.strip() or len(basis) > 400:
        raise InvalidInputError("basis: expected 1 to 400 characters that name the rule that is followed")
    if not 0 <= days <= MAX_DAYS:
        raise InvalidInputError(f"days: expected 0 to {MAX_DAYS}, got {days}")
    found = find_dataset(connection, dataset, lock=True)
    row = {"dataset": found.id, "purpose": purpose, "days": days, "basis": basis, "by": by, "time": _now()}
    connection.execute(insert(retention), row)
    detail = {"dataset": dataset, "purpose": purpose, "days": days, "basis": basis}
    append(connection, "retention.state", actor=by, detail=detail)


def due(connection: Connection, dataset: str, *, at: datetime | None = None) -> Due:
    """Return what of a data set has outlived its periods.

    Args:
        connection: a transaction.
        dataset: name of a data set.
        at: the moment to judge by; ``None``: now.

    Raises:
        UnknownNameError: no such data set.
    """
    found = find_dataset(connection, dataset)
    periods = _periods(connection, found)
    if not periods:
        return Due(dataset, (), None, 0, 0, None)
    longest = timedelta(days=max(period.days for period in periods))
    until = ((at or datetime.now(UTC)) - longest).isoformat(timespec="seconds")
    mine = records.join(intake_runs, intake_runs.c.id == records.c.run)
    old = (records.c.dataset == found.id, intake_runs.c.moved <= until)
    counts = select(func.count(), func.count(func.distinct(records.c.subject))).select_from(mine).where(*old)
    number, people = connection.execute(counts).one()
    query = select(func.min(intake_runs.c.moved)).select_from(mine)
    oldest = connection.execute(
        query.where(records.c.dataset == found.id, intake_runs.c.moved > until)
    ).scalar()
    coming = None
    if oldest is not None:
        coming = (datetime.fromisoformat(oldest) + longest).isoformat(timespec="seconds")
    return Due(dataset, periods, until, int(number), int(people), coming)


def all_due(connection: Connection, *, at: datetime | None = None) -> list[Due]:
    """Return :func:`due` of every data set, by name."""
    names: list[str] = list(connection.execute(select(datasets.c.name).order_by(datasets.c.name)).scalars())
    return [due(connection, name, at=at) for name in names]


def expire(store: Store, dataset: str, *, actor: str, at: datetime | None = None) -> Due:
    """Erase what is due; each subject touched is named in the ledger by its own digest.

    A subject without any record left gets a new salt: what the ledger says of it leads to nobody any more. Unlike one who
    asked to be erased, it may come in again. Labels of what is gone are erased by ``labels.campaign.erase_labels``.

    Returns:
        What was erased.

    Raises:
        UnknownNameError: no such data set.
    """
    with store.write() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA secure_delete=ON")
        found = find_dataset(connection, dataset, lock=True)
        told = due(connection, dataset, at=at)
        if told.records == 0 or told.until is None:
            return told
        runs = select(intake_runs.c.id).where(
            intake_runs.c.dataset == found.id, intake_runs.c.moved <= told.until
        )
        old = records.c.run.in_(runs)
        seal = Seal(connection, store.archive_key)
        digests, people = _touched(connection, seal, old)
        files = files_of(connection, seal, old)
        count = int(connection.execute(delete(records).where(old)).rowcount)
        left = set(
            connection.execute(
                select(records.c.subject).where(records.c.dataset == found.id).distinct()
            ).scalars()
        )
        for person in sorted(people - left):
            connection.execute(
                update(subjects).where(subjects.c.id == person).values(salt=new_salt(), data_key=None)
            )
        detail = {
            "dataset": dataset,
            "until": told.until,
            "records": count,
            "files": len(files),
            "periods": {period.purpose: period.days for period in told.periods},
        }
        append(connection, "retention.erase", actor=actor, subjects=tuple(sorted(digests)), detail=detail)
    for path in files:
        path.unlink(missing_ok=True)
    if store.engine.dialect.name == "sqlite":
        with store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return told


def _touched(connection: Connection, seal: Seal, old: ColumnElement[bool]) -> tuple[set[str], set[int]]:
    """Digests of the subjects of what is due, and their rows."""
    query = select(records.c.subject, subjects.c.salt, *BODY).join(
        subjects, subjects.c.id == records.c.subject
    )
    digests, people = set(), set()
    rows: Any = connection.execute(query.where(old))
    for row in rows:
        record = record_of(seal, row)
        people.add(row.subject)
        if row.salt is not None:
            digests.add(keyed_digest(row.salt, (record.subject or record.id).encode()))
    return digests, people


def _periods(connection: Connection, dataset: Dataset) -> tuple[Period, ...]:
    newest = (
        select(func.max(retention.c.id))
        .where(retention.c.dataset == dataset.id)
        .group_by(retention.c.purpose)
    )
    query = select(retention).where(retention.c.id.in_(newest)).order_by(retention.c.purpose)
    return tuple(
        Period(row.purpose, row.days, row.basis, row.by, row.time) for row in connection.execute(query)
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
