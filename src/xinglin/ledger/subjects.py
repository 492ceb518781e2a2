"""Whose data it is: a data set's subjects by keyed digest, each with a salt that can be destroyed.

The identifier of a subject stands in no table and in no ledger entry. The store finds it by an HMAC under
the data set's salt; the ledger names it by an HMAC under the subject's own salt, so that erasing one
subject makes the entries about that one meaningless and leaves all others as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from xinglin.errors import UnknownNameError
from xinglin.store.keys import keyed_digest, new_salt
from xinglin.store.tables import datasets, subjects

CHUNK = 500
"""Keys in one query; SQLite builds before 3.32 bind 999 at most."""
_INSERT = insert(subjects)
_SUBJECT = (subjects.c.id, subjects.c.key, subjects.c.salt, subjects.c.data_key)
_GIVE = update(subjects).where(subjects.c.id == bindparam("row")).values(data_key=bindparam("wrapped"))
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set of the store."""

    id: int
    name: str
    salt: str
    """Hex; keys the digests by which records and subjects are found."""

    def subject_key(self, subject: str) -> str:
        """Return the digest under which a subject is found."""
        return keyed_digest(self.salt, b"subject\0" + subject.encode())

    def record_key(self, record: str) -> str:
        """Return the digest under which a record is found."""
        return keyed_digest(self.salt, b"record\0" + record.encode())


@dataclass(frozen=True, slots=True)
class Subject:
    """One subject of a data set."""

    id: int
    key: str
    """The digest under which the store finds it."""
    salt: str | None
    """Hex; ``None`` once the subject has been erased."""
    data_key: bytes | None = None
    """Key of its bodies, wrapped; ``None`` where they are not encrypted, or once it has been erased."""


def find_dataset(connection: Connection, name: str, *, lock: bool = False) -> Dataset:
    """Return a data set by name.

    Args:
        connection: a transaction.
        name: as it was created.
        lock: hold the row until the transaction ends, so that two writers of one data set take turns.

    Raises:
        UnknownNameError: there is none; the message lists the nearest names.
    """
    query = select(datasets.c.id, datasets.c.name, datasets.c.salt).where(datasets.c.name == name)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        names = [
            found.name for found in connection.execute(select(datasets.c.name).order_by(datasets.c.name))
        ]
        near = get_close_matches(name, names, n=3, cutoff=0.4) or names[:5]
        raise UnknownNameError(
            f"there is no data set {name!r}; "
            + (
                f"nearest: {', '.join(near)}"
                if near
                else "none exists yet: start with `xinglin records intake`"
            )
        )
    return Dataset(row.id, row.name, row.salt)


def find_subject(connection: Connection, dataset: Dataset, subject: str) -> Subject | None:
    """Return a subject of a data set, erased ones too; ``None`` if it never had one of that name."""
    row = connection.execute(
        select(*_SUBJECT).where(
            subjects.c.dataset == dataset.id, subjects.c.key == dataset.subject_key(subject)
        )
    ).first()
    return None if row is None else _subject(row)


def enrol(
    connection: Connection,
    dataset: Dataset,
    keys: Collection[str],
    data_key: Callable[[str], bytes | None] | None = None,
) -> dict[str, Subject]:
    """Return the subjects under these keys; those that are new get a row and a salt of their own.

    Args:
        connection: a write transaction that holds the data set's row.
        dataset: whose subjects.
        keys: from ``Dataset.subject_key``.
        data_key: gives a subject that has none, and is not erased, a key for its bodies.
    """
    wanted = sorted(set(keys))
    found = _under(connection, dataset, wanted)
    new = [key for key in wanted if key not in found]
    if new:
        connection.execute(_INSERT, [{"dataset": dataset.id, "key": key, "salt": new_salt()} for key in new])
        found |= _under(connection, dataset, new)
    if data_key is not None:
        _give_keys(connection, found, data_key)
    return found


def _give_keys(
    connection: Connection, found: dict[str, Subject], data_key: Callable[[str], bytes | None]
) -> None:
    given = []
    for key, subject in found.items():
        if subject.data_key is None and subject.salt is not None and (wrapped := data_key(key)) is not None:
            found[key] = replace(subject, data_key=wrapped)
            given.append({"row": subject.id, "wrapped": wrapped})
    if given:
        connection.execute(_GIVE, given)


def readmit(connection: Connection, subject: Subject) -> Subject:
    """Give an erased subject a new salt, because it consented anew; others are returned as they are."""
    if subject.salt is not None:
        return subject
    salt = new_salt()
    connection.execute(update(subjects).where(subjects.c.id == subject.id).values(salt=salt))
    return replace(subject, salt=salt)


def _under(connection: Connection, dataset: Dataset, keys: Sequence[str]) -> dict[str, Subject]:
    found = {}
    for part in chunks(keys):
        query = select(*_SUBJECT).where(subjects.c.dataset == dataset.id, subjects.c.key.in_(part))
        for row in connection.execute(query):
            found[row.key] = _subject(row)
    return found


def _subject(row: Row[Any]) -> Subject:
    return Subject(row.id, row.key, row.salt, row.data_key)


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield the items in parts that one query can bind."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
