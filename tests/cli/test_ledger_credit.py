"""``xinglin ledger credit`` from retraining to claim, over hospitals on disk; worthless ones earn nothing."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from xinglin.cli import ledger_credit
from xinglin.errors import ConflictError, InvalidInputError, MissingDataError, NotPermittedError, XinglinError
from xinglin.federate import crediting
from xinglin.federate.coalitions import first_held
from xinglin.federate.permit import describe, permit
from xinglin.ledger import entries, verify
from xinglin.ledger.credit import settle
from xinglin.ledger.credit.evidence import contributions_of
from xinglin.store import open_store

APP = typer.Typer()
ledger_credit.register(APP)
JOB = """
[job]
name = "made"
task = "tabular"
rounds = 3
min_sites = 1
[data]
dataset = "ward"
[train]
target = "y"
positive = ["1"]
negative = ["0"]
numeric = ["a", "b"]
solver = "newton"
ridge = 0.1
"""
HONEST = ("east", "west")
PLANTED = ("copy", "flipped", "noise")
ORDER = [text for site in (*HONEST, *PLANTED) for text in ("--order", site)]
COMPUTE = ["--model", "a" * 64, "--runs", "4", "--judge", "east", "--judge", "west", *ORDER]


def write(folder: Path, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> None:
    folder.mkdir(parents=True)
    with (folder / "train.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["a", "b", "y"])
        writer.writerows([f"{a:.4f}", f"{b:.4f}", int(answer)] for (a, b), answer in zip(x, y, strict=True))
    describe(folder, folder.name, licence="made", basis="made")


@pytest.fixture
def hospitals(tmp_path: Path) -> Path:
    """Two honest hospitals whose answer follows both columns, a copy of one, turned-round answers, and noise."""
    generator = np.random.default_rng(5)
    base = tmp_path / "hospitals"
    drawn = {}
    for site in (*HONEST, "flipped"):
        x = generator.normal(size=(150, 2))
        drawn[site] = x, x @ (2.0, -2.0) + generator.logistic(size=150) > 0
    for site in HONEST:
        write(base / site, *drawn[site])
    write(base / "copy", *drawn["east"])
    write(base / "flipped", drawn["flipped"][0], ~drawn["flipped"][1])
    write(base / "noise", generator.normal(size=(150, 2)), generator.integers(0, 2, 150))
    (tmp_path / "job.toml").write_text(JOB)
    return base


def run(*arguments: str) -> Result:
    return CliRunner().invoke(APP, ["credit", *arguments])


def refused(kind: type[XinglinError], *arguments: str) -> str:
    error = run(*arguments).exception
    assert isinstance(error, kind), error
    return str(error)


def test_from_retraining_to_claim(hospitals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, out, state = (str(hospitals.parent / name) for name in ("job.toml", "evidence.json", "state"))
    compute = ("compute", job, "--data", str(hospitals), "--out", out, "--state", state, *COMPUTE)
    permit(open_store(), "ward", purpose="care", basis="board 7", by="steward")
    assert "none was given" in refused(NotPermittedError, *compute)
    permit(open_store(), "ward", purpose="training", basis="board 7", by="steward")
    done = run(*compute)
    assert done.exit_code == 0, done.exception
    assert "留一 leave-one-out" in done.output
    evidence = Path(out).read_bytes()
    content = json.loads(evidence)
    told = {one.site: one for one in contributions_of(content)[1]}
    assert content["copies"] == {"copy": 150, "east": 0, "flipped": 0, "noise": 0, "west": 0}
    assert told["copy"].shapley.value == told["copy"].shapley.high == 0.0
    assert told["flipped"].shapley.high < 0
    # Nothing is measured anew when it is run again, and the evidence is the same to the byte.
    measured = {path.name: path.stat().st_mtime_ns for path in Path(state).iterdir()}
    assert len(measured) == 4
    assert run(*compute).exit_code == 0
    assert Path(out).read_bytes() == evidence
    assert measured == {path.name: path.stat().st_mtime_ns for path in Path(state).iterdir()}
    # Under another rule on copies other rows count: what was kept is not taken for its values.
    with monkeypatch.context() as patch:
        patch.setattr(
            crediting, "first_held", lambda *given: {s: p[1:] for s, p in first_held(*given).items()}
        )
        assert "other settings" in refused(ConflictError, *compute)

    stewards = [text for site in (*HONEST, *PLANTED) for text in ("--steward", f"{site}={site}-lead")]
    assert "公示中 proposed" in run("propose", out, *stewards, "--days", "1", "--as", "lead").output
    shown = json.loads(run("show", "1", "--json").output)[0]
    points = {share["site"]: share["points"] for share in shown["shares"]}
    assert {site: points[site] for site in PLANTED} == dict.fromkeys(PLANTED, 0)
    assert points["east"] + points["west"] == 10_000
    assert min(points["east"], points["west"]) > 3_000
    assert "the same" in run("show", "1").output
    assert run("object", "1", "--reason", "少计一批", "--evidence", job, "--as", "west-lead").exit_code == 0
    assert "未答复 open" in run("show", "1").output
    refused(ConflictError, "finalise", "1")
    answered = run("answer", "1", "--verdict", "dismissed", "--text", "counted", "--as", "committee")
    assert answered.exit_code == 0
    later = settle.now() + settle.timedelta(days=2)
    monkeypatch.setattr(settle, "now", lambda: later)
    assert "已定 final" in run("finalise", "1", "--as", "anyone").output
    refused(NotPermittedError, "claim", "1", "--site", "east", "--as", "west-lead")
    refused(ConflictError, "claim", "1", "--site", "noise", "--as", "noise-lead")
    taken = run("claim", "1", "--site", "east", "--as", "east-lead").output
    assert f"{points['east']} 基点" in taken
    refused(ConflictError, "claim", "1", "--site", "east", "--as", "east-lead")
    with open_store().read() as connection:
        verify(connection)
        acts = [one.action for one in entries(connection) if one.action.startswith("credit.")]
    assert acts == [
        f"credit.{act}" for act in ("measure", "measure", "propose", "object", "answer", "finalise", "claim")
    ]


def test_what_is_wrong_is_said(hospitals: Path) -> None:
    job, out = str(hospitals.parent / "job.toml"), str(hospitals.parent / "e.json")
    permit(open_store(), "ward", purpose="training", basis="board 7", by="steward")
    bare = ("compute", job, "--data", str(hospitals), "--out", out, "--model", "a" * 64)
    assert "state the order" in refused(ConflictError, *bare)
    refused(MissingDataError, "compute", job, "--data", "nowhere", "--out", out, "--model", "a" * 64)
    assert "more than 10 sites" in refused(InvalidInputError, *bare, *ORDER, "--orders", "40")
    assert "judges" in refused(XinglinError, *bare, *ORDER, "--judge", "north")
    Path(out).write_text("[[[")
    refused(InvalidInputError, "show", out)
    refused(MissingDataError, "show", "nowhere.json")
    Path(out).write_text("{}")
    refused(InvalidInputError, "propose", out, "--steward", "east")
    refused(InvalidInputError, "propose", out, "--steward", "east=e")
    assert "尚无分配" in run("show").output
