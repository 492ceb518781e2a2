"""The gates of the shipped models, in CI: a missed threshold or absent evidence fails here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.conftest import ROOT
from xinglin.cli.main import app
from xinglin.errors import InvalidInputError
from xinglin.release.gates.shipped import FILE, judge_shipped, missed, read_standings

RESULTS = ROOT / "docs" / "results"
MODELS = (
    "assistant-tiny",
    "lung-nodules",
    "lung-words",
    "medical-open-model",
    "molecules-prior",
    "molecules-toxicity",
)


def test_every_shipped_model_is_judged() -> None:
    assert tuple(sorted(read_standings())) == MODELS


@pytest.mark.parametrize("name", MODELS)
def test_a_shipped_model_meets_its_gates(name: str) -> None:
    judged = judge_shipped(name, read_standings()[name], RESULTS)
    assert judged.verdict.passed, "\n".join(f"{one.name}: {one.found}" for one in missed(judged))
    assert judged.verdict.checks


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = FILE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "shipped.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "old", "new", "found"),
    [
        ("medical-open-model", "at_most = 0.45", "at_most = 0.30", "0.3339 [0.2977, 0.3721]"),
        ("molecules-prior", 'name = "validity"', 'name = "beauty"', "missing"),
        ("lung-nodules", "min_n = 200, weak = true", "min_n = 200", "weak labels"),
        ("lung-words", "at_least = 0.65, min_n = 80", "at_least = 0.65, min_n = 800", "n below 800"),
    ],
)
def test_what_is_missed_or_absent_closes_the_gate(
    tmp_path: Path, name: str, old: str, new: str, found: str
) -> None:
    standing = read_standings(changed(tmp_path, old, new))[name]
    (check,) = missed(judge_shipped(name, standing, RESULTS))
    assert found in check.found


def test_the_command_fails_where_a_gate_does(tmp_path: Path) -> None:
    path = changed(tmp_path, "at_most = 0.45", "at_most = 0.30")
    done = CliRunner().invoke(app, ["model", "gate", "--results", str(RESULTS), "--policy", str(path)])
    assert done.exit_code == 1
    assert done.output.count("未通过 MISSED") == 1
    assert "豁免 waived  typos: it reads images" in done.output


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('typos = "it reads images, not text"\n', "", "typos is neither asked nor waived"),
        ('typos = "it reads images, not text"', 'typos = "no"', "typos is neither asked nor waived"),
        ("[lung-words.waived]", '[lung-words.waived]\nbeauty = "not for us here"', "no section beauty"),
        (
            "[medical-open-model.waived]",
            '[medical-open-model.waived]\nece = "not this time round"',
            "asked and waived",
        ),
        ("[molecules-prior", "[molecules-former", "expected assistant-tiny"),
        ("min_n = 500 }", "min_m = 500 }", "Extra inputs"),
    ],
)
def test_a_hole_in_the_file_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = changed(tmp_path, old, new)
    if "former" in new:
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(InvalidInputError, match=message):
        read_standings(path)


def test_results_of_another_checkpoint_are_no_evidence(tmp_path: Path) -> None:
    shutil.copytree(RESULTS, tmp_path / "results", ignore=shutil.ignore_patterns("*.svg", "*.md"))
    board = tmp_path / "results" / "scoreboard.json"
    told = json.loads(board.read_text(encoding="utf-8"))
    told["mz10-text"]["model"] = "0" * 64
    board.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(InvalidInputError, match="another checkpoint"):
        judge_shipped("medical-open-model", read_standings()["medical-open-model"], tmp_path / "results")
