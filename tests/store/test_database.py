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


def test_an_upgrade_keeps_the_decisions_and_items_of_a_round(tmp_path: Path) -> None:
    """0006 rebuilds two tables on SQLite: nothing in them may be lost, nor their indices and what must be unique."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, inspect, text

    url = f"sqlite:///{tmp_path / 'old.db'}"
    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(Path(module.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        connection.execute(
            text(
                "INSERT INTO annotation_items VALUES "
                "(7, 'c', 'r1', 'k', 1, 's', 0, 0, 'settled', 'icd10-who', 'J00', 'cold')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO annotation_decisions VALUES "
                "(9, 'c', 3, 'an', 'label', 'icd10-who', 'J00', '感冒', 0.5, '[[0, 2]]', NULL, 1.5, 't')"
            )
        )
        before = [list(connection.execute(text(f"SELECT * FROM {name}"))) for name in ROUND]
    engine.dispose()
    store = open_store(url)
    with store.read() as connection:
        assert [list(connection.execute(text(f"SELECT * FROM {name}"))) for name in ROUND] == before
    found = inspect(store.engine)
    assert {index["name"] for index in found.get_indexes("annotation_items")} >= {"annotation_items_by_state"}
    assert [unique["name"] for unique in found.get_unique_constraints("annotation_items")] == [
        "annotation_items_once"
    ]


ROUND = ("annotation_items", "annotation_decisions")
