"""An intake: from a source to the archive, batch by batch, so that it may be stopped at any moment.

Every batch is one transaction: its records, its quarantine, the run's counts and position, and one ledger
entry. A process that is killed loses the batch that it had not committed, and the next one reads on behind the last
that it had. The same source taken in again finds its records known by their content.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, select, update

from xinglin.errors import BusyError, UnknownNameError, XinglinError
from xinglin.ledger import append
from xinglin.ledger.subjects import find_dataset
from xinglin.records.archive import Encoded, create_dataset, keep, now
from xinglin.records.readers.protocol import Item, Reader, Unit
from xinglin.store import Store
from xinglin.store.tables import datasets, intake_runs, quarantine
from xinglin.types import Record

BATCH = 1000
"""Items of one transaction."""
BATCH_BYTES = 8 * 1024 * 1024
BATCH_SECONDS = 5.0
"""A slow source is committed this often, so that little is lost and progress shows."""
MAX_REASON = 500
COUNTS = ("stored", "changed", "repeated", "known", "erased", "quarantined")


@dataclass(slots=True)
class Run:
    """An intake run and how far it has come."""

    id: int
    dataset: str
    form: str
    resumed: bool
    """Whether it goes on where an earlier process stopped."""
    unit: str | None = None
    """The unit that is being read."""
    taken: int = 0
    """How many of its items are done."""
    stored: int = 0
    changed: int = 0
    repeated: int = 0
    """Of the changed, those that replaced a record of this very run."""
    known: int = 0
    erased: int = 0
    """Left out because their subject had been erased."""
    quarantined: int = 0
    encodings: dict[str, int] = field(default_factory=dict)
    """Units by the encoding that was detected in them."""

    @property
    def items(self) -> int:
        """How many items it has read."""
        return self.stored + self.changed + self.known + self.erased + self.quarantined


Progress = Callable[[Run], None]


def intake(
    store: Store,
    reader: Reader,
    *,
    dataset: str,
    form: str,
    actor: str,
    transform: Callable[[Record], Record] | None = None,
    transformation: str = "",
    progress: Progress | None = None,
) -> Run:
    """Take a source in; create the data set if there is none; go on where a run of the same source stopped.

    Args:
        store: where.
        reader: the opened source.
        dataset: name of the data set.
        form: name of the format.
        actor: who takes it in.
        transform: applied to every record before anything of it is stored, e.g. de-identification. An error of
            ours that it raises puts the record into quarantine; any other stops the run.
        transformation: what ``transform`` does, with its version, for the ledger; another text is another run.
        progress: called after every batch that was committed.

    Returns:
        The finished run.

    Raises:
        MissingDataError: there is no such source.
        BusyError: another process works on the same run.
        StoreError: the store refuses.
    """
    settings = _settings(reader, form, transformation)
    with store.write() as connection:
        run = _open(connection, reader, dataset, form, settings, transformation, actor)
    batch = _Batch(store, run, actor)
    for unit in _units_left(reader, run):
        start = run.taken if unit.name == run.unit and reader.resumes else 0
        batch.begin(unit, start)
        try:
            for item in reader.items(unit, start):
                batch.add(item, transform)
                if batch.full:
                    batch.commit(progress)
        except XinglinError as error:
            rest = f"after item {batch.taken}" if batch.taken else ""
            batch.add(Item(rest, problem=str(error)), None)
        except OSError as error:
            batch.add(
                Item("", problem=f"the file cannot be read: {error.strerror or type(error).__name__}"), None
            )
    batch.commit(progress)
    with store.write() as connection:
        found = find_dataset(connection, dataset, lock=True)
        moved = update(intake_runs).where(intake_runs.c.id == run.id).values(state="finished", moved=now())
        connection.execute(moved)
        counts = {name: getattr(run, name) for name in COUNTS}
        detail = {"dataset": found.name, "run": run.id, **counts, "encodings": dict(run.encodings)}
        append(connection, "intake.finish", actor=actor, detail=detail)
    return run


def _settings(reader: Reader, form: str, transformation: str) -> str:
    """Digest of all that decides what the items are, the listing of the source included."""
    told = hashlib.sha256(f"{form}\0{reader.settings}\0{transformation}".encode())
    for unit in reader.units():
        told.update(f"\0{unit.name}\0{unit.stamp}".encode())
    return told.hexdigest()


def _open(
    connection: Connection,
    reader: Reader,
    dataset: str,
    form: str,
    settings: str,
    transformation: str,
    actor: str,
) -> Run:
    if connection.execute(select(datasets.c.id).where(datasets.c.name == dataset)).first() is None:
        create_dataset(connection, dataset, by=actor)
    found = find_dataset(connection, dataset, lock=True)
    same = (
        intake_runs.c.dataset == found.id,
        intake_runs.c.source == reader.source,
        intake_runs.c.state == "open",
    )
    for row in connection.execute(select(intake_runs).where(*same).order_by(intake_runs.c.id)).all():
        if row.settings == settings:
            counts = {name: getattr(row, name) for name in COUNTS}
            detail = {"dataset": dataset, "run": row.id, "items": row.taken}
            append(connection, "intake.resume", actor=actor, detail=detail)
            return Run(
                row.id, dataset, form, True, row.unit, row.taken, **counts, encodings=dict(row.encodings)
            )
        stale = update(intake_runs).where(intake_runs.c.id == row.id)
        connection.execute(stale.values(state="replaced", moved=now()))
    at = now()
    values = {
        **{"dataset": found.id, "source": reader.source, "form": form, "settings": settings, "actor": actor},
        **{"state": "open", "started": at, "moved": at, "unit": None, "taken": 0, "encodings": {}},
        **dict.fromkeys(COUNTS, 0),
    }
    number = connection.execute(insert(intake_runs).values(values)).inserted_primary_key
    run = Run(int(number[0]) if number else 0, dataset, form, False)
    # The source's path may name a patient: the ledger gets the settings' digest, the store the path.
    detail = {
        "dataset": dataset,
        "run": run.id,
        "form": form,
        "settings": settings,
        "transformation": transformation,
    }
    append(connection, "intake.start", actor=actor, detail=detail)
    return run


def _units_left(reader: Reader, run: Run) -> Iterator[Unit]:
    """The units from the one that the run stopped in: the listing is the same, or it would be another run."""
    waiting = run.unit is not None
    for unit in reader.units():
        if waiting and unit.name != run.unit:
            continue
        waiting = False
        yield unit


class _Batch:
    """Items that wait for the next transaction."""

    def __init__(self, store: Store, run: Run, actor: str) -> None:
        self.store, self.run, self.actor = store, run, actor
        self.position = (run.unit, run.taken)
        """As the store has it."""
        self.unit, self.taken = run.unit or "", run.taken
        self.encoded: list[Encoded] = []
        self.problems: list[dict[str, Any]] = []
        self.encodings: dict[str, int] = {}
        self.bytes = self.items = 0
        self.since = time.monotonic()

    def begin(self, unit: Unit, start: int) -> None:
        self.unit, self.taken = unit.name, start

    @property
    def full(self) -> bool:
        return (
            self.items >= BATCH or self.bytes >= BATCH_BYTES or time.monotonic() - self.since >= BATCH_SECONDS
        )

    def add(self, item: Item, transform: Callable[[Record], Record] | None) -> None:
        if item.encoding and self.taken == 0:
            self.encodings[item.encoding] = self.encodings.get(item.encoding, 0) + 1
        self.taken += 1
        self.items += 1
        if item.record is not None:
            try:
                record = transform(item.record) if transform else item.record
                encoded = Encoded.of(record)
            except XinglinError as error:
                self._problem(item.place, str(error))
                return
            self.encoded.append(encoded)
            self.bytes += len(encoded.body)
        else:
            self._problem(item.place, item.problem or "")

    def _problem(self, place: str, reason: str) -> None:
        reason = reason.replace("\0", "").encode(errors="replace").decode()
        self.problems.append(
            {"run": self.run.id, "unit": self.unit, "place": place[:200], "reason": reason[:MAX_REASON]}
        )

    def commit(self, progress: Progress | None) -> None:
        """Commit what waits, with the position behind it."""
        if not self.items:
            return
        run = self.run
        with self.store.write() as connection:
            dataset = find_dataset(connection, run.dataset, lock=True)
            self._still_ours(connection)
            kept = keep(connection, dataset, run.id, self.encoded, self.store.archive_key)
            if self.problems:
                connection.execute(insert(quarantine), self.problems)
            counts = {name: getattr(run, name) + getattr(kept, name, 0) for name in COUNTS}
            counts["quarantined"] += len(self.problems)
            encodings = {
                name: run.encodings.get(name, 0) + self.encodings.get(name, 0)
                for name in {*run.encodings, *self.encodings}
            }
            connection.execute(
                update(intake_runs)
                .where(intake_runs.c.id == run.id)
                .values(unit=self.unit, taken=self.taken, moved=now(), encodings=encodings, **counts)
            )
            detail = {
                **{"dataset": run.dataset, "run": run.id, "items": self.items, "stored": kept.stored},
                **{"changed": kept.changed, "known": kept.known, "quarantined": len(self.problems)},
            }
            append(connection, "intake.batch", actor=self.actor, subjects=(kept.digest,), detail=detail)
        run.unit, run.taken, run.encodings = self.unit, self.taken, encodings
        for name, count in counts.items():
            setattr(run, name, count)
        self.position = (self.unit, self.taken)
        self.encoded, self.problems, self.encodings = [], [], {}
        self.bytes = self.items = 0
        self.since = time.monotonic()
        if progress:
            progress(run)

    def _still_ours(self, connection: Connection) -> None:
        row = connection.execute(
            select(intake_runs.c.unit, intake_runs.c.taken, intake_runs.c.state).where(
                intake_runs.c.id == self.run.id
            )
        ).one()
        if (row.unit, row.taken) != self.position or row.state != "open":
            raise BusyError(
                f"another process works on this intake (run {self.run.id}): let it finish, or stop it and start again"
            )


def list_runs(store: Store, dataset: str) -> list[dict[str, Any]]:
    """Return the runs of a data set, newest first.

    Raises:
        UnknownNameError: no such data set.
    """
    with store.read() as connection:
        found = find_dataset(connection, dataset)
        rows = connection.execute(
            select(intake_runs).where(intake_runs.c.dataset == found.id).order_by(intake_runs.c.id.desc())
        ).all()
    return [dict(row._mapping) for row in rows]


def list_quarantine(store: Store, dataset: str, *, run: int | None = None) -> list[dict[str, Any]]:
    """Return what could not be read: ``run``, ``unit``, ``place``, ``reason``.

    Args:
        store: where.
        dataset: name of a data set.
        run: number of a run; ``None`` takes the newest that was not replaced.

    Raises:
        UnknownNameError: no such data set, or no such run of it.
    """
    runs = [row for row in list_runs(store, dataset) if row["state"] != "replaced" or row["id"] == run]
    if run is not None and run not in {row["id"] for row in runs}:
        raise UnknownNameError(
            f"{dataset} has no run {run}; runs: {', '.join(str(row['id']) for row in runs[:9])}"
        )
    if not runs:
        return []
    wanted = run if run is not None else runs[0]["id"]
    with store.read() as connection:
        rows = connection.execute(
            select(quarantine).where(quarantine.c.run == wanted).order_by(quarantine.c.id)
        ).all()
    return [{"run": row.run, "unit": row.unit, "place": row.place, "reason": row.reason} for row in rows]
