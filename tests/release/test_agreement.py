"""Whoever writes into the registry's tables, and mends the digests there too, is found by the chain."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.release.registered import checkpoint, data, metric
from xinglin.cli.main import app
from xinglin.errors import ChainBrokenError
from xinglin.release.gates.policy import policy_from
from xinglin.release.registry.agreement import check_registry
from xinglin.release.registry.promote import promote, rollback
from xinglin.release.registry.record import attach, canonical, register
from xinglin.store import Store
from xinglin.store.keys import digest

POLICY = policy_from({"name": "p", "signature": False, "error": {"name": "error", "at_most": 0.5}})


@pytest.fixture
def filled(store: Store, tmp_path: Path) -> Store:
    """Two versions: the first released, replaced, and gone back to."""
    for number, word in (("1.0.0", "one"), ("2.0.0", "two")):
        with store.write() as connection:
            register(connection, checkpoint(tmp_path / number, data=data(word)), actor="lead")
            attach(connection, "nodules", number, "metric", metric(), actor="tester")
        promote(store, "nodules", number, POLICY, actor="lead")
    rollback(store, "nodules", actor="lead", reason="worse")
    return store


def test_an_untouched_registry_agrees(filled: Store) -> None:
    with filled.read() as connection:
        assert check_registry(connection) == 2 + 2 + 2 + 3
    done = CliRunner().invoke(app, ["model", "audit"])
    assert done.exit_code == 0
    assert "9 entries" in done.output


BETTER = metric(value=0.001, low=0.0)
TAMPER = {
    "a figure and its digest": (
        "UPDATE model_evidence SET content = ?, digest = ? WHERE kind = 'metric' AND version = 1",
        (canonical(BETTER).decode(), digest(canonical(BETTER))),
        "1.0.0, metric",
    ),
    "evidence moved": ("UPDATE model_evidence SET version = 2 WHERE version = 1", (), "1.0.0, metric"),
    "evidence deleted": (
        "DELETE FROM model_evidence WHERE kind = 'gate' AND version = 2",
        (),
        "does not have it",
    ),
    "evidence made up": (
        "INSERT INTO model_evidence (version, kind, content, digest, seq, time, actor) "
        "SELECT version, 'approval', content, digest, 99, time, actor FROM model_evidence WHERE id = 1",
        (),
        "recorded no such thing",
    ),
    "who added it": ("UPDATE model_evidence SET actor = 'chen' WHERE id = 1", (), "1.0.0, metric"),
    "the manifest": (
        "UPDATE model_versions SET manifest = replace(manifest, 'nodules', 'modules') WHERE id = 1",
        (),
        "1.0.0: it is not",
    ),
    "the class": ("UPDATE model_versions SET \"change\" = 'none' WHERE id = 2", (), "2.0.0: it is not"),
    "the stage": (
        "UPDATE model_versions SET stage = 'candidate' WHERE id = 2",
        (),
        "by the chain it is retired",
    ),
    "what is released": ("UPDATE model_live SET version = 2", (), "last promotions"),
}


@pytest.mark.parametrize(("statement", "values", "message"), TAMPER.values(), ids=TAMPER)
def test_tampering_with_the_tables_is_named(
    filled: Store, home: Path, statement: str, values: tuple[str, ...], message: str
) -> None:
    with sqlite3.connect(home / "xinglin.db") as raw:
        assert raw.execute(statement, values).rowcount >= 1
    with filled.read() as connection, pytest.raises(ChainBrokenError, match=message):
        check_registry(connection)
