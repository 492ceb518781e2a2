"""A view or a query of another database: read-only, streamed, never told with its password."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.stores import name
from xinglin.errors import InvalidInputError, StoreError
from xinglin.records.mapping import mapping_from
from xinglin.records.readers.protocol import Item
from xinglin.records.readers.sql import SqlQuery
from xinglin.records.run import intake
from xinglin.store import Store

__all__ = ["name"]

MAPPING = mapping_from({"id": "visit", "text": ["note"], "age": "age", "time": "day"})
CREATE = (
    "CREATE TABLE visits (visit TEXT, note TEXT, age INTEGER, day TEXT)",
    "INSERT INTO visits VALUES ('v1', '胸痛', 58, '2024-05-31 12:30'), ('v2', '咳嗽', 400, NULL), ('v3', NULL, NULL, NULL)",
    "CREATE VIEW latest AS SELECT * FROM visits WHERE visit <> 'v3'",
)


@pytest.fixture
def hospital(tmp_path: Path) -> str:
    path = tmp_path / "his.db"
    with sqlite3.connect(path) as connection:
        for statement in CREATE:
            connection.execute(statement)
    return f"sqlite:///{path}"


def items(url: str, query: str) -> list[Item]:
    reader = SqlQuery(url, query, MAPPING)
    (unit,) = reader.units()
    return list(reader.items(unit, 0))


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("visits", ["v1", "row 2", "v3"]),
        ("latest", ["v1", "row 2"]),
        ("main.latest", ["v1", "row 2"]),
        ("SELECT * FROM visits WHERE day = '2024-05-31 12:30';", ["v1"]),
        ("with x as (select * from visits) select visit, note, age, day from x where age > 100", ["row 1"]),
    ],
)
def test_views_and_queries(hospital: str, query: str, places: list[str]) -> None:
    assert [item.record.id if item.record else item.place for item in items(hospital, query)] == places


def write_tries(hospital: str) -> list[str]:
    return [
        "DELETE FROM visits",
        "SELECT 1; DELETE FROM visits",
        "WITH x AS (SELECT 1) DELETE FROM visits RETURNING visit, note, age, day",
        "WITH x AS (SELECT 1) INSERT INTO visits VALUES ('x', '', 1, '') RETURNING visit, note, age, day",
    ]


@pytest.mark.parametrize("number", range(4))
def test_nothing_is_written(hospital: str, number: int) -> None:
    with pytest.raises((InvalidInputError, StoreError)):
        items(hospital, write_tries(hospital)[number])
    assert len(items(hospital, "visits")) == 3


@pytest.mark.postgres
def test_on_postgres_too(postgres_url: str, store: Store, name: str) -> None:
    url = postgres_url.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url)
    schema = "his"
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
        connection.execute(text(f"SET search_path = {schema}"))
        for statement in CREATE:
            connection.execute(text(statement.replace(":30", "\\:30")))
        connection.execute(
            text(
                "INSERT INTO visits SELECT 'x' || i, '文', 1, '2024-01-01' FROM generate_series(1, 5000) AS s(i)"
            )
        )
    assert len(items(url, "his.latest")) == 5002
    with pytest.raises(StoreError):
        items(url, "WITH x AS (DELETE FROM his.visits RETURNING *) SELECT * FROM x")
    assert len(items(url, "his.visits")) == 5003
    done = intake(store, SqlQuery(url, "his.latest", MAPPING), dataset=name, form="sql", actor="test")
    assert (done.stored, done.quarantined) == (5001, 1)
    again = intake(store, SqlQuery(url, "his.latest", MAPPING), dataset=name, form="sql", actor="test")
    assert (again.stored, again.known) == (0, 5001)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA his CASCADE"))


@pytest.mark.parametrize(
    ("url", "query", "message"),
    [
        ("nonsense", "visits", "SQLAlchemy URL"),
        ("nosuch://host/x", "visits", "SQLAlchemy URL"),
        ("sqlite:////nowhere/at/all/x.db", "visits", "refused"),
        ("postgresql+psycopg://nobody:geheim@127.0.0.1:9/none", "visits", "refused"),
    ],
)
def test_a_wrong_source_is_told_without_its_password(url: str, query: str, message: str) -> None:
    with pytest.raises((InvalidInputError, StoreError), match=message) as caught:
        items(url, query)
    assert "geheim" not in str(caught.value)
    assert "geheim" not in SqlQuery(url, query, MAPPING).source


def test_a_column_that_is_absent_is_named(hospital: str) -> None:
    with pytest.raises(InvalidInputError, match="the column 'age'"):
        items(hospital, "SELECT visit, note, day FROM visits")
    with pytest.raises(StoreError):
        items(hospital, "nosuchview")


def test_rows_need_an_id(hospital: str) -> None:
    reader = SqlQuery(hospital, "visits", mapping_from({"text": "note"}))
    (unit,) = reader.units()
    found = list(reader.items(unit, 0))
    assert len(found) == 3
    assert all("name the column of the id" in str(item.problem) for item in found)
