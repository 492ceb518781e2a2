"""Bodies encrypted at rest: each subject's under a key of its own, wrapped under the archive's key.

On where ``XINGLIN_ARCHIVE_KEY`` names a key file (:mod:`xinglin.store.key_files`), off by default. AES-256-GCM (NIST SP
800-38D) with a random nonce of 96 bits for every body, bound to its record and version, so that rows cannot be
exchanged. A subject's data key is 32 random bytes that lie wrapped in its row. Erasing a subject destroys its key with
its bodies; another archive key means wrapping the data keys anew, not writing the bodies anew. A backup holds both and
stays readable until the archive key of its time is destroyed: rotate, then destroy the old key file.

A sealed body begins with ``MARK``, a plain one with ``{`` or ``x`` (see :mod:`.codec`): what was stored before the key
was set stays readable, and :func:`seal_all` seals it.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from xinglin.errors import AccessError, BusyError, ConfigurationError, MissingExtraError
from xinglin.ledger import append
from xinglin.ledger.subjects import Subject, chunks
from xinglin.store import Store
from xinglin.store.key_files import KEY_BYTES
from xinglin.store.tables import archive_key, records, subjects

MARK = b"\x01"
NONCE = 12
_PROOF = b"xinglin archive"
_NO_KEY = "the archive's bodies are encrypted: name its key file in XINGLIN_ARCHIVE_KEY"
_BATCH = 1000
Progress = Callable[[int, int], None]


class Seal:
    """What seals and opens the bodies of one transaction; without a key bodies pass as they are.

    Raises:
        AccessError: the key is not the archive's.
        MissingExtraError: ``cryptography`` is not installed.
    """

    def __init__(self, connection: Connection, key: bytes | None, *, lock: bool = False) -> None:
        self._master = None if key is None else _aes(key)
        query = select(archive_key.c.proof)
        # Whoever writes under a key holds it in force until the transaction ends: a rotation waits.
        proof = connection.execute(query.with_for_update(read=True) if lock else query).scalar()
        if self._master is not None and proof is not None:
            _opened(self._master, proof, _PROOF, "the key in XINGLIN_ARCHIVE_KEY is not the archive's")
        self.proven = proof is not None

    @property
    def on(self) -> bool:
        """Whether bodies are sealed."""
        return self._master is not None

    def prove(self, connection: Connection) -> None:
        """Note, once, which key is the archive's; call it in a write transaction, before a body is stored.

        Raises:
            ConfigurationError: the archive is encrypted and no key is given.
        """
        if self._master is None:
            if self.proven:
                raise ConfigurationError(_NO_KEY)
            return
        if not self.proven:
            row = {"id": 1, "since": _now(), "proof": _sealed(self._master, _PROOF, _PROOF)}
            append(connection, "archive.key", actor="archive", detail={"act": "first"})  # others wait here
            if connection.execute(select(archive_key.c.id)).first():
                raise BusyError("another process has just given the archive its key: start again")
            connection.execute(insert(archive_key), row)
            self.proven = True

    def new_data_key(self, subject: str) -> bytes | None:
        """Return a new data key, wrapped, for the subject under that key of the store; ``None`` without a key."""
        if self._master is None:
            return None
        return _sealed(self._master, secrets.token_bytes(KEY_BYTES), subject.encode())

    def seal(self, body: bytes, owner: Subject, record: str, version: int) -> bytes:
        """Seal a packed body.

        Args:
            body: of :func:`.codec.pack`.
            owner: whose record it is.
            record: the key under which the store finds it.
            version: of the record.
        """
        if owner.data_key is None:
            return body
        return MARK + _sealed(self._data(owner.data_key, owner.key), body, _bound(record, version))

    def open(self, kept: bytes, data_key: bytes | None, subject: str, record: str, version: int) -> bytes:
        """Return the packed body.

        Args:
            kept: as the store has it.
            data_key: of its subject, wrapped.
            subject: the key under which the store finds the subject.
            record: the key under which the store finds the record.
            version: of the record.

        Raises:
            ConfigurationError: it is sealed and no key is given.
            AccessError: the key does not fit, or the bytes were changed or exchanged.
        """
        if not kept.startswith(MARK):
            return kept
        if data_key is None:
            raise AccessError("stored record: its subject's key is gone; it cannot be read any more")
        told = "stored record: its bytes were changed, or are another record's; restore the store's backup"
        return _opened(self._data(data_key, subject), kept[1:], _bound(record, version), told)

    def _data(self, wrapped: bytes, subject: str) -> Any:
        if self._master is None:
            raise ConfigurationError(_NO_KEY)
        return _aes(
            _opened(self._master, wrapped, subject.encode(), "a subject's key was changed or exchanged")
        )

    def commitment_salt(self, subject: Subject) -> bytes:
        """Return 32 bytes that only the vault can make, for commitments to what a subject consented to.

        They come from the subject's data key: what erases or rewraps the one does so to the other.

        Raises:
            ConfigurationError: no key is given.
            AccessError: the key does not fit, or the subject has no data key any more.
        """
        if self._master is None:
            raise ConfigurationError(_NO_KEY)
        if subject.data_key is None:
            raise AccessError(
                "a subject's key is gone: nothing can be committed to, or shown, for it any more"
            )
        told = "a subject's key was changed or exchanged"
        key = _opened(self._master, subject.data_key, subject.key.encode(), told)
        return hmac.digest(key, b"xinglin commitment", "sha256")

    def rewrapped(self, wrapped: bytes, subject: str, new: Any) -> bytes:
        """Return a wrapped data key, wrapped under another cipher."""
        told = "a subject's key was changed or exchanged"
        return _sealed(new, _opened(self._master, wrapped, subject.encode(), told), subject.encode())


def seal_all(store: Store, *, actor: str, progress: Progress | None = None) -> int:
    """Seal what was stored before the archive had a key, in batches; may be stopped and called again.

    On SQLite the pages that held the plain bodies are overwritten; on PostgreSQL they are free at the next ``VACUUM``.

    Returns:
        The number of bodies sealed.

    Raises:
        ConfigurationError: no key is given.
        AccessError: the key is not the archive's.
    """
    if store.archive_key is None:
        raise ConfigurationError(
            "sealing: name a key file in XINGLIN_ARCHIVE_KEY first (xinglin records archive-key)"
        )
    put = update(records).where(records.c.id == bindparam("row")).values(body=bindparam("sealed"))
    give = update(subjects).where(subjects.c.id == bindparam("row")).values(data_key=bindparam("wrapped"))
    query = (
        select(
            records.c.id, records.c.key, records.c.version, records.c.body, records.c.subject,
            subjects.c.key.label("owner"), subjects.c.salt, subjects.c.data_key,
        )
        .join(subjects, subjects.c.id == records.c.subject)
        .order_by(records.c.id)
        .limit(_BATCH)
    )  # fmt: skip
    with store.read() as connection:
        total = int(connection.execute(select(func.count()).select_from(records)).scalar_one())
    done = seen = last = 0
    while True:
        with store.write() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA secure_delete=ON")
            seal = Seal(connection, store.archive_key, lock=True)
            seal.prove(connection)
            rows = connection.execute(query.where(records.c.id > last).with_for_update(of=records)).all()
            if not rows:
                break
            plain = [row for row in rows if not row.body.startswith(MARK)]
            owners = {row.subject: Subject(row.subject, row.owner, row.salt, row.data_key) for row in plain}
            new = []
            for number, owner in owners.items():
                if owner.data_key is None:
                    wrapped = seal.new_data_key(owner.key)
                    owners[number] = Subject(owner.id, owner.key, owner.salt, wrapped)
                    new.append({"row": number, "wrapped": wrapped})
            if new:
                connection.execute(give, new)
            if plain:
                sealed = [
                    {"row": row.id, "sealed": seal.seal(row.body, owners[row.subject], row.key, row.version)}
                    for row in plain
                ]
                connection.execute(put, sealed)
                append(connection, "archive.seal", actor=actor, detail={"bodies": len(plain)})
            done, seen, last = done + len(plain), seen + len(rows), rows[-1].id
        if progress:
            progress(seen, total)
    _checkpoint(store)
    return done


def commitment_salts(key: bytes | None) -> Callable[[Connection, Sequence[int], bool], dict[int, bytes]]:
    """Return the door to the vault that ``ledger.onchain.statements`` wants: subjects' salts by their row numbers.

    Subjects who have no data key yet get one if asked (the third argument, in a write transaction); erased ones are
    left out.

    Args:
        key: the archive's (``Store.archive_key``).

    Raises:
        ConfigurationError: no key is given: a salt in the clear would lie beside what it hides.
    """
    if key is None:
        raise ConfigurationError(
            "commitments need an encrypted vault: name the archive's key file in XINGLIN_ARCHIVE_KEY"
        )

    def salts(connection: Connection, numbers: Sequence[int], make: bool) -> dict[int, bytes]:
        seal = Seal(connection, key)
        found: dict[int, bytes] = {}
        give = update(subjects).where(subjects.c.id == bindparam("row")).values(data_key=bindparam("wrapped"))
        for part in chunks(list(numbers)):
            new = []
            query = select(subjects.c.id, subjects.c.key, subjects.c.salt, subjects.c.data_key)
            for row in connection.execute(query.where(subjects.c.id.in_(part))):
                subject = Subject(row.id, row.key, row.salt, row.data_key)
                if subject.salt is None or (subject.data_key is None and not make):
                    continue
                if subject.data_key is None:
                    subject = replace(subject, data_key=seal.new_data_key(subject.key))
                    new.append({"row": subject.id, "wrapped": subject.data_key})
                found[subject.id] = seal.commitment_salt(subject)
            if new:
                seal.prove(connection)
                connection.execute(give, new)
        return found

    return salts


def rotate(store: Store, new: bytes, *, actor: str) -> int:
    """Put another key in the place of the archive's: every data key is wrapped anew in one transaction; no body changes.

    Afterwards only the new key opens the archive. Copies of the database made before still open with the old key.

    Args:
        store: opened with the key in force.
        new: 32 bytes.
        actor: who.

    Returns:
        The number of data keys.

    Raises:
        ConfigurationError: the archive has no key yet, or none is given.
        AccessError: the key given is not the archive's.
    """
    give = update(subjects).where(subjects.c.id == bindparam("row")).values(data_key=bindparam("wrapped"))
    with store.write() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA secure_delete=ON")
        seal = Seal(connection, store.archive_key)
        if not (seal.on and seal.proven):
            raise ConfigurationError(
                "rotation: the archive has no key in force: name one in XINGLIN_ARCHIVE_KEY and take something in"
            )
        # Nothing is wrapped under the old key meanwhile: whoever adds a subject waits here.
        connection.execute(select(archive_key.c.id).with_for_update()).one()
        other = _aes(new)
        connection.execute(update(archive_key).values(since=_now(), proof=_sealed(other, _PROOF, _PROOF)))
        rows = connection.execute(
            select(subjects.c.id, subjects.c.key, subjects.c.data_key).where(subjects.c.data_key.is_not(None))
        ).all()
        if rows:
            connection.execute(
                give,
                [{"row": row.id, "wrapped": seal.rewrapped(row.data_key, row.key, other)} for row in rows],
            )
        append(connection, "archive.key", actor=actor, detail={"act": "rotate", "subjects": len(rows)})
    _checkpoint(store)
    return len(rows)


def _checkpoint(store: Store) -> None:
    """Bring the write-ahead log, which holds what was there before, into the file and empty it."""
    if store.engine.dialect.name == "sqlite":
        with store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _bound(record: str, version: int) -> bytes:
    return f"{record}:{version}".encode()


def _sealed(cipher: Any, plain: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(NONCE)
    return nonce + bytes(cipher.encrypt(nonce, plain, bound))


def _opened(cipher: Any, sealed: bytes, bound: bytes, problem: str) -> bytes:
    from cryptography.exceptions import InvalidTag

    try:
        return bytes(cipher.decrypt(sealed[:NONCE], sealed[NONCE:], bound))
    except (InvalidTag, ValueError):
        raise AccessError(problem) from None


def _aes(key: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise MissingExtraError("an encrypted archive", "records") from error
    return AESGCM(key)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
