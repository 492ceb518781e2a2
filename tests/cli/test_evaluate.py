"""``xinglin evaluate``: options of the text sets, plots, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_cli import good, refused


def test_help_names_every_set() -> None:
    from xinglin.apps.diagnosis.evaluate import SETS

    said = "".join(good("evaluate", "--help").replace("│", "").split())  # lines are broken at hyphens
    assert all(name in said for name in SETS)
    assert "--model" in said


def test_a_text_set_needs_a_training_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"ask": "咳嗽", "department": "呼吸科"}), encoding="utf-8")
    assert "give --train FILE" in refused("evaluate", "toyhom-department", "--data", str(path))
    told = refused("evaluate", "toyhom-disease", "--data", str(path), "--train", str(path))
    assert "a.jsonl:1: expected the input of toyhom-disease" in told


def test_plots_and_predictions_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XINGLIN_DATA", str(tmp_path))  # no imported graph: it takes long to compile
    case = {
        "id": "DxBench_1",
        "explicit": [{"name": "胸痛", "present": True}],
        "implicit": [],
        "candidates": ["急性心肌梗死", "足癣", "湿疹"],
        "disease": "急性心肌梗死",
    }
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(case, ensure_ascii=False), encoding="utf-8")
    out = {name: tmp_path / name for name in ("plot", "risk", "predictions")}
    options = [item for name, file in out.items() for item in (f"--{name}", str(file))]
    rows = json.loads(
        good("evaluate", "dxbench", "--data", str(path), "--train", str(path), "--json", *options)
    )
    assert {row["arm"] for row in rows} >= {"starter", "most frequent"}
    assert "AURC" in out["risk"].read_text(encoding="utf-8")
    assert out["plot"].read_text(encoding="utf-8").startswith("<svg")
    assert json.loads(out["predictions"].read_text(encoding="utf-8").splitlines()[0])["truth"] == [
        "急性心肌梗死"
    ]
