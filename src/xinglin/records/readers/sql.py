"""A view or a query of the hospital's own database, by a mapping file; read-only and streamed.

Read-only by the database where it can be asked for (SQLite ``query_only``; PostgreSQL, MySQL, Oracle a READ ONLY
transaction), and in any case: one SELECT, and a rollback at the end. Give the connection an account that may only
read. The order of rows is not certain, so a run that was stopped reads the query again; what it had is known.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import Connection, Engine, column, create_engine, select, table, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from xinglin.errors import InvalidInputError, StoreError, XinglinError
from xinglin.records.mapping import Mapping
from xinglin.records.readers.protocol import Item, Unit
from xinglin.records.rows import record_from_row
from xinglin.records.table import positions

AT_ONCE = 1000
_NAME = re.compile(r"\w+(?:\.\w+)?")
_SELECT = re.compile(r"\s*(?:select|with)\b", re.I)
_READ_ONLY = {
    "sqlite": "PRAGMA query_only=ON",
    "postgresql": "SET TRANSACTION READ ONLY",
    "mysql": "SET TRANSACTION READ ONLY",
    "mariadb": "SET TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
}


@dataclass(frozen=True, slots=True)
class SqlQuery:
    """The rows of one view or query."""

    url: str
    """SQLAlchemy URL."""
    query: str
    """Name of a view or table (``schema.name``), or a SELECT."""
    mapping: Mapping
    resumes: ClassVar[bool] = False

    @property
    def settings(self) -> str:
        """Digest of the query and of the mapping."""
        return hashlib.sha256(f"{self.query}\0{self.mapping.digest()}".encode()).hexdigest()

    @property
    def source(self) -> str:
        """The URL without its password, and the query."""
        return f"{self._shown()} {self.query}"

    def units(self) -> Iterator[Unit]:
        """Yield the query."""
        yield Unit(self.query[:200], Path())

    def items(self, unit: Unit, start: int) -> Iterator[Item]:
        """Yield the rows.

        Raises:
            StoreError: the database cannot be reached or refuses.
            InvalidInputError: a wrong URL, or a query that is not one SELECT.
        """
        engine = self._engine()
        try:
            with engine.connect() as connection:
                if statement := _READ_ONLY.get(engine.dialect.name):
                    connection.execute(text(statement))
                yield from self._rows(connection)
                connection.rollback()
        except SQLAlchemyError as error:
            # The driver's message may hold data of a row: only its kind is told.
            raise StoreError(
                f"the source database refused ({type(error).__name__}): check the URL, the account's rights and the query"
            ) from None
        finally:
            engine.dispose()

    def _rows(self, connection: Connection) -> Iterator[Item]:
        streamed = connection.execution_options(
            stream_results=True, max_row_buffer=AT_ONCE, yield_per=AT_ONCE
        )
        result = streamed.execute(self._statement())
        at = positions(list(result.keys()), self.mapping.columns())
        for number, row in enumerate(result, start=1):
            place = f"row {number}"
            try:
                record = self._record(row, at, number)
            except XinglinError as error:
                yield Item(place, problem=str(error))
            else:
                yield Item(place, record)

    def _record(self, row: Any, at: dict[str, int], number: int) -> Any:
        if self.mapping.id is None:
            raise InvalidInputError(
                "rows of a database have no place of their own: name the column of the id"
            )
        return record_from_row(self.mapping, lambda name: row[at[name]], unnamed=f"row {number}")

    def _statement(self) -> Any:
        if _NAME.fullmatch(self.query):
            *schema, name = self.query.split(".")
            view = table(name, *map(column, self.mapping.columns()), schema=schema[0] if schema else None)
            return select(view)
        if not _SELECT.match(self.query) or ";" in self.query.rstrip("; \n\t"):
            raise InvalidInputError("query: expected the name of a view, or one SELECT")
        # A colon is no parameter here: times such as '12:30' hold one.
        return text(self.query.rstrip("; \n\t").replace(":", "\\:"))

    def _engine(self) -> Engine:
        try:
            return create_engine(self.url)
        except (ArgumentError, NoSuchModuleError):
            raise InvalidInputError(
                "source: expected a SQLAlchemy URL such as postgresql+psycopg://..."
            ) from None
        except ModuleNotFoundError as error:
            raise InvalidInputError(
                f"source: the database's driver {error.name} is not installed: pip install it beside xinglin"
            ) from None

    def _shown(self) -> str:
        try:
            return make_url(self.url).render_as_string(hide_password=True)
        except ArgumentError:
            return "a database"
