"""Engine and transactions: SQLite by default, PostgreSQL by ``XINGLIN_DATABASE_URL``.

SQLite runs in write-ahead-log mode with ``synchronous=NORMAL``: a killed process loses nothing that
was acknowledged; a power cut may lose the last transactions but never breaks the file.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from xinglin.errors import MissingExtraError, StoreError
from xinglin.store.home import home_folder
from xinglin.store.key_files import read_key_file

HEAD = "0012"
"""Newest revision in ``migrations/versions``; a test keeps it true."""
_COMPACT = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Store:
    """An open database at the newest schema. Pass it as an argument; there is no global one."""

    engine: Engine
    archive_key: bytes | None = field(default=None, compare=False, repr=False)
    """32 bytes under which the archive's bodies are encrypted (``records.sealing``); ``None``: they are not."""
    turn: threading.RLock = field(default_factory=threading.RLock, compare=False, repr=False)
    """SQLite has one writer: threads wait here for their turn, since its own waiting polls in long sleeps."""

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a write transaction; commits at the end, rolls back on any error.

        Raises:
            StoreError: the database is locked, full or unreachable.
        """
        sqlite = self.engine.dialect.name == "sqlite"
        try:
            with self.turn if sqlite else nullcontext(), self.engine.connect() as connection:
                if sqlite:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
                connection.commit()
        except DBAPIError as error:
            raise StoreError(_explain(self.engine, error)) from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read transaction.

        Raises:
            StoreError: the database is unreachable.
        """
        try:
            with self.engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise StoreError(_explain(self.engine, error)) from error

    def close(self) -> None:
        """Release all connections."""
        self.engine.dispose()


def open_store(url: str | None = None) -> Store:
    """Open the store and bring its schema to the newest revision.

    Args:
        url: SQLAlchemy URL; ``None`` reads ``XINGLIN_DATABASE_URL``, else ``XINGLIN_HOME/xinglin.db``.
            The archive's key is that of the file that ``XINGLIN_ARCHIVE_KEY`` names, if it names one.

    Raises:
        StoreError: the URL cannot be used, or the database is newer than this package.
        ConfigurationError: the archive's key file holds no key, or others may read it.
        MissingDataError: there is no such key file.
        MissingExtraError: PostgreSQL is asked for and its driver is not installed.
    """
    named = os.environ.get("XINGLIN_ARCHIVE_KEY")
    key = read_key_file(Path(named)) if named else None
    address = url or os.environ.get("XINGLIN_DATABASE_URL") or f"sqlite:///{home_folder() / 'xinglin.db'}"
    if address.startswith(("postgres://", "postgresql://")):
        address = "postgresql+psycopg://" + address.split("://", 1)[1]
    try:
        engine = create_engine(
            address, pool_pre_ping=address.startswith("postgresql"), json_serializer=_COMPACT.encode
        )
        if engine.dialect.name == "sqlite":
            _set_up_sqlite(engine)
        revision = _revision(engine)
        if revision != HEAD:
            _upgrade(engine, revision)
    except ModuleNotFoundError as error:
        raise MissingExtraError("PostgreSQL", "postgres") from error
    except (ArgumentError, SQLAlchemyError) as error:
        shown = _shown(address)
        raise StoreError(f"cannot open the store at {shown}: {_first_line(error)}") from error
    return Store(engine, key)


def _shown(address: str) -> str:
    try:
        return make_url(address).render_as_string(hide_password=True)
    except ArgumentError:
        return "the given URL"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:300]


def _explain(engine: Engine, error: DBAPIError) -> str:
    where = engine.url.render_as_string(hide_password=True)
    return f"the store at {where} refused: {_first_line(error)}. Check that it is reachable and has space."


def _set_up_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: object, _record: object) -> None:
        # Autocommit mode of the driver: BEGIN IMMEDIATE is ours, so that writers queue, not fail.
        connection.isolation_level = None  # type: ignore[attr-defined]
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in (
            *("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=15000"),
            "cache_size=-65536",  # KiB: the indices of a million triples fit, so that saving does not thrash
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not engine.dialect.has_table(connection, "alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(engine: Engine, revision: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        if engine.dialect.name == "postgresql":
            # Two processes may start at once; one migrates, the other waits.
            connection.execute(text("SELECT pg_advisory_lock(7381)"))
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            command.upgrade(config, "head")
            connection.commit()
        except CommandError as error:
            raise StoreError(
                f"the store is at schema {revision}, this package knows {HEAD}: "
                "use a newer xinglin or another XINGLIN_HOME"
            ) from error
        finally:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_unlock(7381)"))
                connection.commit()
