"""Triples in the store (SQLite or PostgreSQL), one named graph at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select

from xinglin.errors import UnknownNameError
from xinglin.graph.index import TripleIndex
from xinglin.ledger import append
from xinglin.store import Store
from xinglin.store.tables import graphs, reports, triples
from xinglin.types import Code, Triple

BATCH = 5000


def save_graph(store: Store, name: str, rows: Iterable[Triple], *, source: str, actor: str) -> int:
    """Replace a named graph by these triples, in one transaction with its ledger entry.

    Returns:
        The number of triples saved.
    """
    digest, size = hashlib.sha256(), 0
    iterator = iter(rows)
    with store.write() as connection:
        connection.execute(delete(triples).where(triples.c.graph == name))
        connection.execute(delete(graphs).where(graphs.c.name == name))
        while batch := list(islice(iterator, BATCH)):
            values = [_row(name, row) for row in batch]
            for value in values:
                digest.update(repr(sorted(value.items())).encode())
            connection.execute(insert(triples), values)
            size += len(values)
        connection.execute(
            insert(graphs).values(
                name=name,
                time=datetime.now(UTC).isoformat(timespec="seconds"),
                digest=digest.hexdigest(),
                source=source,
                size=size,
            )
        )
        append(
            connection,
            "graph.save",
            actor=actor,
            subjects=(digest.hexdigest(),),
            detail={"graph": name, "triples": size},
        )
    return size


def _row(name: str, triple: Triple) -> dict[str, Any]:
    return {
        "graph": name,
        "head_system": triple.head.system,
        "head": triple.head.value,
        "head_display": triple.head.display,
        "relation": triple.relation,
        "tail_system": triple.tail.system,
        "tail": triple.tail.value,
        "tail_display": triple.tail.display,
        "qualifier": triple.qualifier,
        "weight": None,
        "source": triple.source,
        "verified": triple.verified,
        "reviewed_by": triple.reviewed_by,
    }


def _saved(connection: Connection, name: str) -> None:
    saved: list[str] = list(connection.execute(select(graphs.c.name).order_by(graphs.c.name)).scalars())
    if name not in saved:
        raise UnknownNameError(f"no graph {name!r} in the store; saved: {', '.join(saved) or 'none'}")


def load_graph(store: Store, name: str) -> Iterator[Triple]:
    """Yield the triples of a named graph.

    Raises:
        UnknownNameError: there is no graph of that name; the message lists those saved.
    """
    with store.read() as connection:
        _saved(connection, name)
        statement = select(triples).where(triples.c.graph == name).order_by(triples.c.id)
        for row in connection.execution_options(yield_per=BATCH).execute(statement):
            yield Triple(
                Code(row.head_system, row.head, row.head_display),
                row.relation,
                Code(row.tail_system, row.tail, row.tail_display),
                row.source,
                row.qualifier,
                row.verified,
                row.reviewed_by,
            )


def index_graph(store: Store, name: str) -> TripleIndex:
    """Return the in-memory index of a named graph by displays, reading only what it needs.

    Raises:
        UnknownNameError: there is no graph of that name; the message lists those saved.
    """
    with store.read() as connection:
        _saved(connection, name)
        statement = (
            select(triples.c.head_display, triples.c.relation, triples.c.tail_display)
            .where(triples.c.graph == name)
            .order_by(triples.c.id)
        )
        result = connection.execution_options(yield_per=50_000).execute(statement)
        return TripleIndex.build((row[0], row[1], row[2]) for row in result)


def neighbours(store: Store, name: str, node: str) -> list[Triple]:
    """Return every triple of a graph that touches a node, by its id or display, straight from SQL."""
    with store.read() as connection:
        _saved(connection, name)
        touches = or_(
            triples.c.head == node,
            triples.c.tail == node,
            triples.c.head_display == node,
            triples.c.tail_display == node,
        )
        rows = connection.execute(select(triples).where(triples.c.graph == name, touches)).all()
    return [
        Triple(
            Code(row.head_system, row.head, row.head_display),
            row.relation,
            Code(row.tail_system, row.tail, row.tail_display),
            row.source,
            row.qualifier,
            row.verified,
            row.reviewed_by,
        )
        for row in rows
    ]


def report_error(store: Store, *, subject: str, message: str, actor: str) -> None:
    """Keep a reader's report about a row of the graph, with its ledger entry."""
    with store.write() as connection:
        connection.execute(
            insert(reports).values(
                time=datetime.now(UTC).isoformat(timespec="seconds"),
                actor=actor,
                subject=subject[:2000],
                message=message[:5000],
                open=True,
            )
        )
        append(connection, "graph.report", actor=actor, detail={"subject": subject[:200]})


def open_reports(store: Store) -> list[dict[str, Any]]:
    """Return the open reports, newest first."""
    with store.read() as connection:
        rows = connection.execute(select(reports).where(reports.c.open).order_by(reports.c.id.desc())).all()
    return [dict(row._mapping) for row in rows]
