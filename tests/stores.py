"""The same test on SQLite and on a real PostgreSQL server."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from xinglin.store import Store, open_store

KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=KINDS)
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An open store of either kind."""
    sqlite = request.param == "sqlite"
    opened = open_store(
        f"sqlite:///{tmp_path / 'both.db'}" if sqlite else request.getfixturevalue("postgres_url")
    )
    yield opened
    opened.close()


@pytest.fixture
def name() -> str:
    """A name of a data set that no other test uses: the PostgreSQL server outlives a test."""
    return f"测试-{secrets.token_hex(4)}"
