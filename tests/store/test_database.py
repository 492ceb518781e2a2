from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from xinglin.errors import StoreError
from xinglin.store import Store, home_folder, open_store
from xinglin.store import database as module
from xinglin.store.keys import keyed_digest, new_salt
from xinglin.store.metadata import metadata


def test_home_is_private_and_where_the_variable_says(home: Path) -> None:
    assert home_folder() == home
    assert home.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_migrations_and_tables_agree(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    files = sorted(Path(module.__file__).parent.glob("tables*.py"))
    assert len(files) >= 2
    for file in files:
        import_module(f"xinglin.store.{file.stem}")
    opened = open_store(url)
    with opened.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    scripts = ScriptDirectory(str(Path(module.__file__).parent / "migrations"))
    assert scripts.get_current_head() == module.HEAD


def test_reopening_keeps_and_a_newer_schema_is_refused(store: Store) -> None:
    open_store().close()
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer xinglin"):
        open_store()


def test_an_erased_salt_makes_a_digest_meaningless() -> None:
    salt = new_salt()
    assert keyed_digest(salt, b"x") == keyed_digest(salt, b"x") != keyed_digest(new_salt(), b"x")
