"""Every benchmark runs, quickly, and prints lines of one shape."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks._kept import Kept

ROOT = Path(__file__).resolve().parents[1]
NAMES = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py") if not path.stem.startswith("_"))
SLOW = (
    *(
        "architecture",
        "credit",
        "docking_check",
        "edge",
        "edge_browser",
        "experts",
        "fed_diagnosis",
        "fed_heart",
        "knowledge",
        "nodules",
        "novel_hits",
        "redock",
    ),
    *("data_quality", "deidentify", "diagnose_speed", "intake", "quantised_networks", "train_speed"),
    *("explanation", "graph_embeddings", "http_speed", "model_speed", "realtime", "scoreboard"),
    *(
        "activity",
        "activity_transformer",
        "align",
        "assays",
        "molecule_prior",
        "pmo",
        "quantised_networks",
        "retro",
        "trace",
    ),
)
"""Those that train several models, dock, or take more than about ten seconds otherwise, even in a quick run."""
KEYS = {
    *("name", "figure", "value", "unit", "low", "high", "n"),
    *("reference", "reference_name", "ratio", "note"),
}


def benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ)


def number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def test_there_are_benchmarks() -> None:
    assert len(NAMES) >= 6
    assert set(SLOW) < set(NAMES)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in NAMES]
)
def test_a_quick_run_prints_lines_of_the_documented_shape(name: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    done = benchmarks(name, "--quick", "--json", "--markdown", str(page))
    assert done.returncode == 0, done.stderr
    lines = json.loads(done.stdout)
    assert lines
    for line in lines:
        assert set(line) == KEYS
        assert line["name"]
        assert line["figure"]
        assert line["n"] >= 0
        if line["value"] is None:
            assert line["note"], "a figure that is not there says why"
        else:
            assert number(line["value"])
        for key in ("low", "high", "reference", "ratio"):
            assert line[key] is None or number(line[key])
        if line["low"] is not None and line["high"] is not None:
            assert line["low"] <= line["high"]
        if line["reference"] is not None:
            assert line["reference_name"]
        if line["ratio"] is not None:
            assert line["ratio"] == pytest.approx(line["value"] / line["reference"])
    shown = page.read_text(encoding="utf-8")
    assert f"## {name}" in shown
    assert shown.count("\n| ") == len(lines) + 2
    if name == "http_speed":
        by_figure = {line["figure"]: line for line in lines}
        assert by_figure["errors"]["value"] == 0
        assert by_figure["ledger entries"]["ratio"] == 1
        assert by_figure["ledger entries"]["note"] == "chain verified"


def test_an_unknown_name_lists_the_known_ones() -> None:
    done = benchmarks("diagnose_sped")
    assert done.returncode == 2
    assert "did you mean diagnose_speed?" in done.stderr
    assert all(name in done.stderr for name in NAMES)


@pytest.mark.parametrize("named", [True, False])
def test_kept_runs_are_made_once_and_stay_where_they_were_asked_to(
    named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("XINGLIN_BENCH_STATE", str(tmp_path / "state") if named else "")
    kept = Kept("some", [1])
    made = [kept.get("one, 0", lambda: {"value": 1}), kept.get("one, 0", lambda: {"value": 2})]
    assert made == [{"value": 1}] * 2
    assert Kept("some", [2]).get("one, 0", lambda: {"value": 3}) == {"value": 3}
    folder = next(path.parent for path in tmp_path.rglob("one_0.json") if "1" in path.read_text())
    kept.done()
    assert folder.is_dir() is named
