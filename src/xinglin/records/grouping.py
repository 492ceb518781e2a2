"""Rows of many files brought together by patient, outside of memory.

The rows lie in a nameless SQLite database: it spills to a file that the system removes as soon as it is opened, so
that a killed process leaves no patient's data behind.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager

Row = tuple[str, str, bytes]
"""(patient, kind, content)."""


class Groups:
    """Rows by patient, in the order of patients, each patient's rows in the order in which they came."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute("PRAGMA cache_size=-32768")
        connection.execute("CREATE TABLE rows (key TEXT, kind TEXT, content BLOB)")

    def add(self, rows: Iterable[Row]) -> None:
        """Take rows in."""
        self._connection.executemany("INSERT INTO rows VALUES (?, ?, ?)", rows)

    def seal(self) -> None:
        """Sort; nothing may be added after."""
        self._connection.execute("CREATE INDEX by_key ON rows (key)")

    def keys(self, start: int = 0) -> Iterator[str]:
        """Yield every patient once, in order, behind the first ``start``."""
        query = "SELECT DISTINCT key FROM rows ORDER BY key LIMIT -1 OFFSET ?"
        for (key,) in self._connection.execute(query, (start,)):
            yield key

    def of(self, key: str) -> Iterator[tuple[str, bytes]]:
        """Yield a patient's rows: kind and content."""
        yield from self._connection.execute(
            "SELECT kind, content FROM rows WHERE key = ? ORDER BY rowid", (key,)
        )


@contextmanager
def grouping() -> Iterator[Groups]:
    """Open empty groups; they are gone at the end."""
    with closing(sqlite3.connect("")) as connection:
        yield Groups(connection)
