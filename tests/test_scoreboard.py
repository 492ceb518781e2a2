"""The scoreboard: what is kept of a run that stops, and the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import _scoreboard_page, scoreboard
from benchmarks._render import scoreboard as table

from xinglin.apps.diagnosis.evaluate.row import CaseResult, Evaluation, ResultRow, rate

ROWS = [True, True, False, True]


def evaluation(name: str, arm: str = "xinglin") -> Evaluation:
    metrics = {"accuracy": rate(ROWS), "nll": rate(ROWS), "floor": rate([True, False, False, True])}
    cases = [
        CaseResult(str(i), "question", arm, [("甲", 0.8), ("乙", 0.2)], ["甲" if hit else "乙"])
        for i, hit in enumerate(ROWS)
    ]
    row = ResultRow(name, "question", arm, 4, metrics, "headline arm")
    return Evaluation([row], cases, [f"{name}: one | remark"])


def test_every_part_has_a_file_and_a_split() -> None:
    parts = scoreboard.parts()
    assert tuple(parts) == scoreboard.PARTS
    assert len(parts) == 10
    case = {"ask": "问", "text": "问", "self_report": "问", "id": "1", "name": "病", "patient_id": 1}
    for name, part in parts.items():
        assert part.path.endswith(".jsonl.gz"), name
        assert part.learns == (name not in ("ai-hospital", "dxbench")), name
        if part.held is not None:
            assert part.held(case) in (True, False)
    # The same question lies on the same side in both sets that hold it: one is derived from the other.
    held = [parts[name].held for name in ("toyhom-department", "toyhom-disease")]
    for number in range(50):
        question = {"ask": f"问{number}", "text": f"问{number}"}
        assert held[0] is not None
        assert held[1] is not None
        assert held[0](question) == held[1](question)


def test_the_page_holds_figures_floors_plots_and_remarks(tmp_path: Path) -> None:
    name = "toyhom-department"
    scoreboard._keep(name, evaluation(name), tmp_path, 3.0)
    _scoreboard_page.write_page(tmp_path, scoreboard.PARTS)
    page = (tmp_path / "scoreboard.md").read_text(encoding="utf-8")
    assert f"| {name} | question | xinglin | 4 | accuracy | 0.750 [" in table(tmp_path)
    assert "| 0.500 [" in table(tmp_path), "the floor of the same run"
    for expected in (
        f"## {name}",
        f"({name}-reliability.svg)",
        f"({name}-risk.svg)",
        f"- {name}: one | remark",
    ):
        assert expected in page
    assert "Aim: accuracy > .975." in page
    assert page.count("Not scored yet.") == len(scoreboard.PARTS) - 1
    assert (tmp_path / f"{name}-risk.svg").is_file()
    about = json.loads((tmp_path / "scoreboard.json").read_text(encoding="utf-8"))
    assert set(about[name]) == {"remarks", "seconds", "seed", "code", "model", "machine", "plots"}


def test_an_interrupted_run_goes_on_and_a_finished_one_starts_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The evaluation itself is exchanged: what is tested here is which sets it is asked for."""
    asked: list[str] = []
    stops = ["mz10"]

    def evaluated(name: str, data: Path, quick: bool) -> Evaluation:
        asked.append(name)
        if name in stops:
            stops.clear()
            raise KeyboardInterrupt
        if name == "dxy-text":
            raise ValueError("a set that fails")
        return evaluation(name)

    monkeypatch.setattr(scoreboard, "_evaluated", evaluated)
    monkeypatch.setattr(scoreboard, "RESULTS", tmp_path)
    with pytest.raises(KeyboardInterrupt):
        scoreboard.run(False)
    assert asked == ["dxy", "mz4", "mz10"]
    asked.clear()
    lines = scoreboard.run(False)
    assert asked == list(scoreboard.PARTS[2:])
    assert "going on after: dxy, mz4" in capsys.readouterr().err
    assert {line.name.split(",")[0] for line in lines} == set(scoreboard.PARTS)
    failed = next(line for line in lines if line.name == "dxy-text")
    assert failed.value is None
    assert "ValueError: a set that fails" in failed.note
    asked.clear()
    scoreboard.run(False)
    assert asked == list(scoreboard.PARTS), "that run was over, its failure reported"
    asked.clear()
    scoreboard.run(False, ["dxbench"])
    assert asked == ["dxbench"]


def test_a_state_of_other_code_is_not_gone_on_with(tmp_path: Path) -> None:
    state = scoreboard._State.open(tmp_path)
    assert state.done == []
    state.add("dxy")
    assert scoreboard._State.open(tmp_path).done == ["dxy"]
    state.path.write_text(json.dumps({"key": "other", "done": ["dxy"]}), encoding="utf-8")
    assert scoreboard._State.open(tmp_path).done == []
    state.path.write_text("{", encoding="utf-8")
    assert scoreboard._State.open(tmp_path).done == []
