from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from xinglin.cli.train_graph import graph
from xinglin.errors import UnknownNameError
from xinglin.ledger import entries, verify
from xinglin.store import open_store
from xinglin.train.embed import read_embeddings

app = typer.Typer()
app.command()(graph)


def test_it_writes_prints_and_remembers(tmp_path: Path) -> None:
    out = tmp_path / "graph"
    done = CliRunner().invoke(
        app, ["--out", str(out), "--model", "transe", "--dim", "2", "--epochs", "1", "--seed", "3", "--json"]
    )
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    found = read_embeddings(out)
    assert printed["sha256"] == found.description["sha256"]
    assert printed["metrics"]["n"] > 1500
    assert printed["seed"] == 3
    assert "keys" not in printed
    assert found.entity.shape[1] == 2
    with open_store().write() as connection:
        assert verify(connection) == 1
        entry = next(iter(entries(connection)))
    assert entry.subjects == (found.description["sha256"],)


def test_an_unknown_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="rotate"):
        CliRunner().invoke(app, ["--out", str(tmp_path / "x"), "--model", "rotat"], catch_exceptions=False)
    assert not (tmp_path / "x").exists()
