"""The registry at the command line, from a folder to a released version and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tests.release.registered import checkpoint, data, metric
from xinglin.cli.main import app
from xinglin.errors import CheckpointError, GateClosedError, InvalidInputError, UnknownNameError
from xinglin.store import Store


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(app, ["model", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_the_road_of_a_version(store: Store, tmp_path: Path) -> None:
    one, two = (checkpoint(tmp_path / word, data=data(word)) for word in ("one", "two"))
    run("register", one)
    figures = write(tmp_path / "figures.json", [metric(), metric(name="ece")])
    assert (
        "2 x metric -> nodules@1.0.0"
        in run("attach", "nodules", "--kind", "metric", "--file", figures).output
    )
    old = write(tmp_path / "old.json", {str(case): case < 900 for case in range(1000)})
    told = json.loads(run("register", two, "--hits", old, "--hits", old, "--margin", 0.02, "--json").output)
    assert (told["number"], told["change"]) == ("1.1.0", "data")
    assert [item["number"] for item in json.loads(run("list", "--json").output)] == ["1.0.0", "1.1.0"]
    policy = tmp_path / "policy.toml"
    policy.write_text('name = "p"\n[error]\nname = "error"\nat_most = 0.05\n', encoding="utf-8")
    run("key", "--out", tmp_path / "m.pem")
    public = tmp_path / "m.pem.pub"
    with pytest.raises(CheckpointError, match="not signed"):
        run("promote", "nodules@1.0.0", "--policy", policy, "--folder", one, "--public-key", public)
    for folder in (one, two):
        run("sign", folder, "--key", tmp_path / "m.pem")
    assert "intact and signed" in run("check", one, "--public-key", public).output
    done = run("promote", "nodules@1.0.0", "--policy", policy, "--folder", one, "--public-key", public)
    assert "released nodules@1.0.0" in done.output
    with pytest.raises(GateClosedError, match="found missing"):
        run("promote", "nodules@1.1.0", "--policy", policy, "--folder", two, "--public-key", public)
    run("attach", "nodules@1.1.0", "--kind", "metric", "--file", figures)
    done = run("promote", "nodules@1.1.0", "--policy", policy, "--folder", two, "--public-key", public)
    assert "replaces 1.0.0" in done.output
    assert "was 1.1.0" in run("rollback", "nodules", "--reason", "worse at site B").output
    assert "data       one" in run("diff", "nodules@1.0.0", "nodules@1.1.0").output
    assert "弱标签 weak" in run("lineage", "nodules").output
    assert run("touched", "two").output.startswith("nodules@1.1.0")
    shown = run("show", "nodules@1.0.0").output
    assert "released" in shown
    assert "environment" in shown


def test_what_the_command_line_refuses(store: Store, tmp_path: Path) -> None:
    run("register", checkpoint(tmp_path / "a"))
    with pytest.raises(UnknownNameError, match=r"its versions: 1\.0\.0"):
        run("attach", "nodules@2.0.0", "--kind", "metric", "--file", write(tmp_path / "m", metric()))
    with pytest.raises(InvalidInputError, match="two files"):
        run("register", tmp_path / "a", "--hits", write(tmp_path / "h", {}))
    with pytest.raises(InvalidInputError, match="belong together"):
        run("watch", "--reference", "2026-01-01..2026-01-31")
    with pytest.raises(InvalidInputError, match="models were counted"):
        run("watch", "--reference", "2026-01-01..2026-01-31", "--current", "2026-02-01..2026-02-28")
    assert "nothing counted yet" in run("watch").output
