"""The stored records of a data set: kept once, read for a purpose, erased with their subject.

Bodies lie in the database as canonical JSON, deflated where it pays, encrypted where the store has a key
(:mod:`.sealing`); volumes are files and stand in the body by path. Identifiers of records and subjects stand in the body
only: the store finds both by HMACs under the data set's salt, and the ledger names a subject by an HMAC under a salt of
its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from xinglin.errors import InvalidInputError, NotPermittedError, UnknownNameError
from xinglin.ledger import append
from xinglin.ledger.grants import Permission, check, covered, newest_statements, withheld
from xinglin.ledger.subjects import Dataset, chunks, enrol, find_dataset, find_subject
from xinglin.records.codec import encode, pack, unpack
from xinglin.records.sealing import Seal
from xinglin.store import Store
from xinglin.store.keys import digest as digest_of
from xinglin.store.keys import keyed_digest, new_salt
from xinglin.store.tables import consents, datasets, intake_runs, records, subjects
from xinglin.store.tables_ledger import subject_accounts
from xinglin.types import Record

PAGE = 500
"""Records in memory at once while reading; grant and consent are checked anew for every page."""
_INSERT = insert(records)
_KNOWN = (records.c.key, records.c.id, records.c.version, records.c.digest, records.c.run)
BODY = (
    *(records.c.key, records.c.version, records.c.body),
    *(subjects.c.key.label("owner"), subjects.c.data_key),
)
"""What it takes to read a body; joined with its subject."""
_SUPERSEDE = update(records).where(records.c.id == bindparam("old")).values(latest=False)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A record on its way into the archive."""

    id: str
    subject: str
    """A record that names no subject stands for itself: its own id."""
    body: bytes
    """Canonical JSON."""

    @staticmethod
    def of(record: Record) -> Encoded:
        """Encode a record.

        Raises:
            InvalidInputError: no id, a number that is not finite, or a text that is not Unicode.
            InputTooLargeError: a body of more than 64 MiB.
        """
        if not record.id:
            raise InvalidInputError("record: expected an id, it is empty")
        return Encoded(record.id, record.subject or record.id, encode(record))


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a batch."""

    stored: int
    """New records."""
    changed: int
    """New versions of records that were there with other content."""
    repeated: int
    """Of the changed, those that replaced a record of the same run: two records under one id."""
    known: int
    """Records that were there with the same content."""
    erased: int
    """Records left out because their subject had been erased."""
    digest: str
    """For the ledger: SHA-256 over an HMAC of each body that was stored, under its subject's salt."""


def create_dataset(connection: Connection, name: str, *, by: str) -> Dataset:
    """Create an empty data set; nobody may read it until a grant and a consent are stated.

    Args:
        connection: from ``Store.write()``.
        name: 1 to 100 letters (of any script), digits, ``-``, ``_`` and ``.``, the first a letter or digit.
        by: who creates it.

    Raises:
        InvalidInputError: the name is taken or not of this form.
    """
    if not 1 <= len(name) <= 100 or not name[0].isalnum() or not all(c.isalnum() or c in "-_." for c in name):
        raise InvalidInputError(
            "data set name: expected 1 to 100 letters, digits, '-', '_' or '.', beginning with a letter or digit"
        )
    if connection.execute(select(datasets.c.id).where(datasets.c.name == name)).first():
        raise InvalidInputError(f"the data set {name!r} exists already: choose another name")
    row = {"name": name, "created": now(), "created_by": by, "salt": new_salt()}
    connection.execute(insert(datasets), row)
    append(connection, "dataset.create", actor=by, detail={"dataset": name})
    return find_dataset(connection, name, lock=True)


def keep(
    connection: Connection, dataset: Dataset, run: int, batch: Sequence[Encoded], key: bytes | None = None
) -> Kept:
    """Store a batch: what is new, and a new version of what changed; what is there already is left alone.

    Args:
        connection: from ``Store.write()``, holding the data set's row (``find_dataset(..., lock=True)``).
        dataset: where.
        run: row number of the intake run.
        batch: in order; of two records with one id the later is the newer version.
        key: the store's, under which bodies are encrypted; ``None``: they are not.

    Raises:
        AccessError: the key is not the archive's.
        ConfigurationError: the archive is encrypted and no key is given.
    """
    seal = Seal(connection, key, lock=True)
    seal.prove(connection)
    keys = [dataset.record_key(item.id) for item in batch]
    subject_keys = [dataset.subject_key(item.subject) for item in batch]
    owners = enrol(connection, dataset, subject_keys, seal.new_data_key if seal.on else None)
    newest = _newest(connection, dataset, keys)
    rows: list[dict[str, Any]] = []
    stored = changed = repeated = known = erased = 0
    superseded, digests = [], []
    for item, record, subject_key in zip(batch, keys, subject_keys, strict=True):
        owner = owners[subject_key]
        if owner.salt is None:
            erased += 1
            continue
        digest = keyed_digest(dataset.salt, item.body)
        old = newest.get(record)
        if old is not None and old["digest"] == digest:
            known += 1
            continue
        if old is None:
            stored += 1
        else:
            changed += 1
            repeated += old["run"] == run
            old["latest"] = False
            if "id" in old:
                superseded.append({"old": old["id"]})
        version = old["version"] + 1 if old else 1
        row = {
            **{"dataset": dataset.id, "key": record, "version": version, "latest": True},
            **{"subject": owner.id, "run": run, "digest": digest},
            "body": seal.seal(pack(item.body), owner, record, version),
        }
        newest[record] = row
        rows.append(row)
        digests.append(keyed_digest(owner.salt, item.body))
    if superseded:
        connection.execute(_SUPERSEDE, superseded)
    if rows:
        connection.execute(_INSERT, rows)
    return Kept(stored, changed, repeated, known, erased, digest_of("".join(digests).encode()))


def _newest(connection: Connection, dataset: Dataset, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The newest version of each record that is there.

    Asked for by key alone: with ``latest`` in the condition SQLite would walk through the whole data set.
    """
    found: dict[str, dict[str, Any]] = {}
    for part in chunks(sorted(set(keys))):
        query = select(*_KNOWN).where(records.c.dataset == dataset.id, records.c.key.in_(part))
        for row in connection.execute(query.order_by(records.c.key, records.c.version)):
            found[row.key] = {"id": row.id, "version": row.version, "digest": row.digest, "run": row.run}
    return found


class Reading(Iterator[Record]):
    """Records being read for a purpose, in the order in which they were stored."""

    def __init__(self, records: int, withheld: int, source: Iterator[Record]) -> None:
        self.records = records
        """How many were readable when the reading began."""
        self.withheld = withheld
        """How many were left out because no consent in force covers them."""
        self._source = source

    def __next__(self) -> Record:
        return next(self._source)


def read(
    store: Store,
    dataset: str,
    *,
    purpose: str,
    actor: str,
    after: str | None = None,
    limit: int | None = None,
) -> Reading:
    """Read the latest version of every record for a purpose; one ledger entry, written before the first record.

    Args:
        store: where.
        dataset: name of a data set.
        purpose: one of ``ledger.grants.PURPOSES``.
        actor: who reads; needs a grant for the purpose.
        after: id of a record; begin behind its latest version (a record that changes moves to the end).
        limit: how many at most.

    Returns:
        The records, and how many were withheld. Grant and consent are checked again for every 500 records.

    Raises:
        NotPermittedError: no grant or no consent is in force, at the start or later on.
        UnknownNameError: no such data set, purpose or record.
    """
    if limit is not None and limit < 0:
        raise InvalidInputError(f"limit: expected 0 or more, got {limit}")
    with store.write() as connection:
        permission = check(connection, dataset, grantee=actor, purpose=purpose)
        start = 0 if after is None else _row(connection, permission.dataset, after, None).id
        covered_, total = _count(connection, permission, start)
        readable = covered_ if limit is None else min(covered_, limit)
        detail = {"dataset": dataset, "purpose": purpose, "records": readable, "withheld": total - covered_}
        append(connection, "records.read", actor=actor, detail=detail)
    return Reading(readable, total - covered_, _pages(store, permission, start, limit))


def _pages(store: Store, permission: Permission, start: int, limit: int | None) -> Iterator[Record]:
    left = limit
    while left is None or left > 0:
        with store.read() as connection:
            permission = check(
                connection, permission.dataset.name, grantee=permission.grantee, purpose=permission.purpose
            )
            seal = Seal(connection, store.archive_key)
            rows = connection.execute(
                select(records.c.id, records.c.subject, *BODY)
                .join(subjects, subjects.c.id == records.c.subject)
                .where(
                    records.c.dataset == permission.dataset.id,
                    records.c.latest.is_(True),
                    records.c.id > start,
                )
                .order_by(records.c.id)
                .limit(PAGE)
            ).all()
            hidden = withheld(connection, permission, {row.subject for row in rows})
        for row in rows:
            if row.subject in hidden:
                continue
            yield record_of(seal, row)
            if left is not None:
                left -= 1
                if left == 0:
                    return
        if len(rows) < PAGE:
            return
        start = rows[-1].id


def _count(connection: Connection, permission: Permission, start: int) -> tuple[int, int]:
    """How many of the latest records behind a row are covered, and how many there are."""
    own = newest_statements(permission)
    there = (records.c.dataset == permission.dataset.id, records.c.latest.is_(True), records.c.id > start)
    total = connection.execute(select(func.count()).select_from(records).where(*there)).scalar_one()
    joined = records.outerjoin(own, own.c.subject == records.c.subject)
    query = select(func.count()).select_from(joined).where(*there, covered(permission, own))
    return connection.execute(query).scalar_one(), total


def read_one(
    store: Store, dataset: str, record_id: str, *, purpose: str, actor: str, version: int | None = None
) -> Record:
    """Read one record for a purpose; one ledger entry.

    Args:
        store: where.
        dataset: name of a data set.
        record_id: as the source named it.
        purpose: one of ``ledger.grants.PURPOSES``.
        actor: who reads; needs a grant for the purpose.
        version: 1 is the first that was stored; ``None`` the latest.

    Raises:
        NotPermittedError: no grant, or no consent that covers this subject, is in force.
        UnknownNameError: no such data set, purpose, record or version.
    """
    with store.write() as connection:
        permission = check(connection, dataset, grantee=actor, purpose=purpose)
        row = _row(connection, permission.dataset, record_id, version)
        if withheld(connection, permission, {row.subject}):
            raise NotPermittedError(f"the subject of this record did not consent to {purpose}, or withdrew")
        record = record_of(Seal(connection, store.archive_key), row)
        digest = keyed_digest(row.salt, (record.subject or record.id).encode())
        append(
            connection,
            "records.read",
            actor=actor,
            subjects=(digest,),
            detail={"dataset": dataset, "purpose": purpose, "records": 1, "withheld": 0},
        )
    return record


def _row(connection: Connection, dataset: Dataset, record_id: str, version: int | None) -> Any:
    query = (
        select(records.c.id, records.c.subject, subjects.c.salt, *BODY)
        .join(subjects, subjects.c.id == records.c.subject)
        .where(records.c.dataset == dataset.id, records.c.key == dataset.record_key(record_id))
        .order_by(records.c.version.desc())
        .limit(1)
    )
    row = connection.execute(query if version is None else query.where(records.c.version == version)).first()
    if row is None:
        what = "no such record" if version is None else f"no version {version} of such a record"
        raise UnknownNameError(f"{dataset.name}: {what} is kept; ids are compared exactly, case included")
    return row


def erase(store: Store, dataset: str, *, subject: str, actor: str) -> int:
    """Erase a subject: every version of every record, the statements, the salt, and the files of its volumes.

    What is left is a row that says *a subject under this keyed digest was erased*, so that the next intake of
    the same export does not bring the person back; a new consent of that subject lifts it. Ledger entries
    about the subject stay, under digests that no longer lead to anyone. Pages of the database file that held
    the data are overwritten (SQLite); PostgreSQL frees them at its next ``VACUUM``. Backups are the site's own.

    Returns:
        How many rows of records (versions counted) were deleted.

    Raises:
        UnknownNameError: no such data set, or no such subject in it.
    """
    with store.write() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA secure_delete=ON")
        found = find_dataset(connection, dataset, lock=True)
        person = find_subject(connection, found, subject)
        if person is None or person.salt is None:
            raise UnknownNameError(
                f"{dataset}: no such subject is kept; a record without a subject is its own, under its record id"
            )
        own = records.c.subject == person.id
        files = files_of(connection, Seal(connection, store.archive_key), own)
        orphaned = connection.execute(
            select(records.c.key).where(own, records.c.latest.is_(True), records.c.version > 1)
        ).scalars()
        keys = list(orphaned)
        count = int(connection.execute(delete(records).where(own)).rowcount)
        for key in keys:
            _promote(connection, found, key)
        connection.execute(delete(consents).where(consents.c.subject == person.id))
        connection.execute(delete(subject_accounts).where(subject_accounts.c.subject == person.id))
        connection.execute(
            update(subjects).where(subjects.c.id == person.id).values(salt=None, data_key=None)
        )
        digest = keyed_digest(person.salt, subject.encode())
        append(
            connection,
            "subject.erase",
            actor=actor,
            subjects=(digest,),
            # What made the digests in this chain, and the commitments on another one, is gone with this entry.
            detail={
                "dataset": dataset,
                "records": count,
                "files": len(files),
                "destroyed": ["salt"] if person.data_key is None else ["salt", "data key"],
            },
        )
    for path in files:
        path.unlink(missing_ok=True)
    if store.engine.dialect.name == "sqlite":
        with store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return count


def _promote(connection: Connection, dataset: Dataset, key: str) -> None:
    """Let the newest version that another subject still has be the latest: a record may change hands."""
    newest = connection.execute(
        select(func.max(records.c.version)).where(records.c.dataset == dataset.id, records.c.key == key)
    ).scalar()
    if newest is not None:
        connection.execute(
            update(records)
            .where(records.c.dataset == dataset.id, records.c.key == key, records.c.version == newest)
            .values(latest=True)
        )


def files_of(connection: Connection, seal: Seal, own: Any) -> list[Path]:
    """Files of these records' volumes and pictures that an intake made: those in a folder of ours, never the hospital's."""
    from xinglin.store import home_folder

    folder = (home_folder() / "volumes").resolve()
    found = set()
    query = select(*BODY).join(subjects, subjects.c.id == records.c.subject).where(own)
    for row in connection.execute(query):
        record = record_of(seal, row)
        for name in (*(one.path for one in record.volumes), *(one.path for one in record.pictures)):
            path = Path(name).resolve()
            if path.is_relative_to(folder):
                found.add(path)
    return sorted(found)


def record_of(seal: Seal, row: Any) -> Record:
    """Return the record of a row with ``BODY``."""
    return unpack(seal.open(row.body, row.data_key, row.owner, row.key, row.version))


def list_datasets(store: Store) -> list[dict[str, Any]]:
    """Return every data set by name: created, records, subjects, runs, all in numbers; no content."""
    listed = []
    with store.read() as connection:
        for row in connection.execute(select(datasets).order_by(datasets.c.name)).all():
            latest = (records.c.dataset == row.id, records.c.latest.is_(True))
            counts = {
                "records": select(func.count()).select_from(records).where(*latest),
                "subjects": select(func.count(func.distinct(records.c.subject))).where(*latest),
                "runs": select(func.count()).select_from(intake_runs).where(intake_runs.c.dataset == row.id),
            }
            numbers = {name: connection.execute(query).scalar_one() for name, query in counts.items()}
            listed.append({"name": row.name, "created": row.created, "created_by": row.created_by, **numbers})
    return listed


def now() -> str:
    """Return the time, UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
