"""The one place from which a pseudonym leads back to a person: an encrypted store of its own.

A separate SQLite file, never the main database (PIPL Art. 73: what is needed to identify is kept apart). Every entry is
sealed with AES-256-GCM under a key that is in no file of the store: derived from a passphrase by scrypt (RFC 7914,
N = 2^17, r = 8, p = 1) or read from a key file that only its owner may read. Tags that must be searched are HMACs.

Each subject has 32 random bytes of its own, from which its pseudonyms, date shift and surrogates come. Forgetting a
subject overwrites and removes them: the pseudonym then leads nowhere, and not even the key and the name together give
it again. A subject that comes once more is a new one. Copies of the file made before are beyond reach: destroy them too.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from xinglin.errors import (
    AccessError,
    ConfigurationError,
    MissingDataError,
    MissingExtraError,
    StoreError,
    UnknownNameError,
)
from xinglin.ledger.chain import append
from xinglin.store.database import Store
from xinglin.store.key_files import KEY_BYTES, read_key_file
from xinglin.store.keys import keyed_digest

MIN_PASSPHRASE = 12
MIN_REASON = 8
_SCHEMA = """
CREATE TABLE IF NOT EXISTS header (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS subjects (tag BLOB PRIMARY KEY, sealed BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS pseudonyms (pseudonym TEXT PRIMARY KEY, tag BLOB NOT NULL, sealed BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS pseudonyms_by_subject ON pseudonyms (tag);
"""


class Vault:
    """An open vault. Use :meth:`open`; close it, or use it in a ``with`` block."""

    def __init__(self, path: Path, connection: sqlite3.Connection, key: bytes) -> None:
        self.path = path
        self._connection = connection
        self._index = hmac.new(key, b"index", hashlib.sha256).digest()
        self._cipher = _aes(hmac.new(key, b"seal", hashlib.sha256).digest())

    @staticmethod
    def open(
        path: Path, *, passphrase: str | None = None, key_file: Path | None = None, create: bool = True
    ) -> Vault:
        """Open a vault, or make one.

        Args:
            path: the vault's file; made with mode 0600.
            passphrase: at least 12 characters; give this or a key file.
            key_file: 32 bytes (see :mod:`xinglin.store.key_files`), readable by its owner alone.
            create: whether a vault that is not there is made.

        Raises:
            AccessError: the key does not fit the vault.
            ConfigurationError: no key, two keys, a short passphrase, or a key file that others may read.
            MissingDataError: there is no such vault or key file.
            StoreError: the file is no vault or is damaged.
            MissingExtraError: ``cryptography`` is not installed.
        """
        if (passphrase is None) == (key_file is None):
            raise ConfigurationError("vault: expected a passphrase or a key file, one of the two")
        secret = read_key_file(key_file) if key_file is not None else None
        if secret is None and len(passphrase or "") < MIN_PASSPHRASE:
            raise ConfigurationError(f"vault: expected a passphrase of at least {MIN_PASSPHRASE} characters")
        fresh = not path.exists()
        if fresh and not create:
            raise MissingDataError(f"there is no vault at {path}")
        if fresh:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            for pragma in (
                "secure_delete=ON",
                "journal_mode=TRUNCATE",
                "synchronous=FULL",
                "busy_timeout=15000",
            ):
                connection.execute(f"PRAGMA {pragma}")
            connection.executescript(_SCHEMA)
            header = dict(connection.execute("SELECT name, value FROM header"))
            salt = header.get("salt") or secrets.token_bytes(16)
            key = secret if secret is not None else _scrypt(passphrase or "", salt)
            vault = Vault(path, connection, key)
            if "check" in header:
                vault._unseal(header["check"], b"check")
            else:
                connection.execute("INSERT INTO header VALUES ('salt', ?)", (salt,))
                connection.execute(
                    "INSERT INTO header VALUES ('check', ?)", (vault._seal(b"xinglin", b"check"),)
                )
        except sqlite3.DatabaseError as error:
            connection.close()
            raise StoreError(f"{path.name} is no vault, or damaged: {str(error)[:100]}") from None
        except BaseException:
            connection.close()
            raise
        return vault

    def subject_key(self, subject: str) -> bytes:
        """Return the subject's 32 secret bytes, drawn on first sight."""
        tag = self._tag(subject)
        row = self._connection.execute("SELECT sealed FROM subjects WHERE tag = ?", (tag,)).fetchone()
        if row is None:
            sealed = self._seal(secrets.token_bytes(KEY_BYTES), tag)
            self._connection.execute("INSERT OR IGNORE INTO subjects VALUES (?, ?)", (tag, sealed))
            row = self._connection.execute("SELECT sealed FROM subjects WHERE tag = ?", (tag,)).fetchone()
        return self._unseal(row[0], tag)

    def remember(self, subject: str, originals: Mapping[str, str]) -> None:
        """Keep the way back from pseudonyms to their originals, all of one subject."""
        tag = self._tag(subject)
        known = {
            row[0]
            for row in self._connection.execute("SELECT pseudonym FROM pseudonyms WHERE tag = ?", (tag,))
        }
        rows = [
            (name, tag, self._seal(json.dumps(original).encode(), name.encode()))
            for name, original in originals.items()
            if name not in known
        ]
        if rows:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT OR IGNORE INTO pseudonyms VALUES (?, ?, ?)", rows)
            self._connection.execute("COMMIT")

    def reidentify(self, pseudonym: str, *, reason: str, actor: str, store: Store) -> str:
        """Return the original of a pseudonym. The ledger entry is written first; without it nothing is told.

        Args:
            pseudonym: ``S-…`` or ``R-…``.
            reason: why, at least 8 characters; it is kept in the ledger and must name no patient.
            actor: who asks.
            store: the store whose ledger remembers it.

        Raises:
            ConfigurationError: no reason, or one that holds an identifier.
            UnknownNameError: the vault does not know the pseudonym, or has forgotten it.
        """
        from xinglin.records.deidentify.analyzer import find_identifiers

        stated = " ".join(reason.split())
        if len(stated) < MIN_REASON:
            raise ConfigurationError(f"reason: expected at least {MIN_REASON} characters that say why")
        if any(span.entity != "DATE" for span in find_identifiers(stated)):
            raise ConfigurationError(
                "reason: it is kept in the ledger: state it without a name or number of anyone"
            )
        row = self._row(pseudonym)
        with store.write() as connection:
            append(
                connection,
                "vault.reidentify",
                actor=actor,
                subjects=(self._digest(pseudonym, row[0]),),
                detail={"reason": stated},
            )
        return str(json.loads(self._unseal(row[1], pseudonym.encode())))

    def forget(self, pseudonym: str, *, actor: str, store: Store) -> int:
        """Erase the subject of a pseudonym: its secret and every pseudonym of it, overwritten in the file.

        Returns:
            How many pseudonyms were erased.

        Raises:
            UnknownNameError: the vault does not know the pseudonym, or has forgotten it.
        """
        row = self._row(pseudonym)
        digest = self._digest(pseudonym, row[0])
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            count = self._connection.execute("DELETE FROM pseudonyms WHERE tag = ?", (row[0],)).rowcount
            self._connection.execute("DELETE FROM subjects WHERE tag = ?", (row[0],))
            with store.write() as connection:
                append(
                    connection, "vault.forget", actor=actor, subjects=(digest,), detail={"pseudonyms": count}
                )
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        self._connection.execute("VACUUM")  # pages that once held the rows go as well
        return count

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def __enter__(self) -> Vault:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _row(self, pseudonym: str) -> tuple[bytes, bytes]:
        row: tuple[bytes, bytes] | None = self._connection.execute(
            "SELECT tag, sealed FROM pseudonyms WHERE pseudonym = ?", (pseudonym,)
        ).fetchone()
        if row is None:
            raise UnknownNameError(
                "the vault knows no such pseudonym: it never did, or its subject was forgotten"
            )
        return row

    def _digest(self, pseudonym: str, tag: bytes) -> str:
        """A digest for the ledger that means nothing once the subject's secret is erased."""
        sealed = self._connection.execute("SELECT sealed FROM subjects WHERE tag = ?", (tag,)).fetchone()
        return keyed_digest(self._unseal(sealed[0], tag).hex(), pseudonym.encode())

    def _tag(self, subject: str) -> bytes:
        return hmac.new(self._index, subject.encode(), hashlib.sha256).digest()

    def _seal(self, plain: bytes, bound: bytes) -> bytes:
        nonce = secrets.token_bytes(12)
        sealed: bytes = self._cipher.encrypt(nonce, plain, bound)
        return nonce + sealed

    def _unseal(self, sealed: bytes, bound: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag

        try:
            plain: bytes = self._cipher.decrypt(sealed[:12], sealed[12:], bound)
        except (InvalidTag, ValueError):
            raise AccessError("the key does not fit this vault, or an entry was changed") from None
        return plain


def _scrypt(passphrase: str, salt: bytes) -> bytes:
    try:
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
    except ImportError as error:
        raise MissingExtraError("the vault", "records") from error
    derived: bytes = Scrypt(salt=salt, length=KEY_BYTES, n=2**17, r=8, p=1).derive(passphrase.encode())
    return derived


def _aes(key: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise MissingExtraError("the vault", "records") from error
    return AESGCM(key)
