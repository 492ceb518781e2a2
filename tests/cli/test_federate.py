"""``xinglin federate``: what it prints, what it refuses; the processes themselves are in tests/federate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.federate.hospitals import JOB, a_job
from xinglin.cli.federate import app
from xinglin.cli.federate_shown import show_job, show_status
from xinglin.errors import ConfigurationError, InvalidInputError, MissingDataError
from xinglin.federate.history import Answer, end_job, open_job, record_round, register_node
from xinglin.federate.overview import Budget, job_history, overview
from xinglin.ledger.grants import check
from xinglin.store import Store, open_store

RUN = CliRunner()


def test_a_hospitals_key_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "node"
    done = RUN.invoke(app, ["key", str(path)])
    assert done.exit_code == 0
    assert (tmp_path / "node.pub").read_text(encoding="ascii").strip() in done.output
    assert path.stat().st_mode & 0o777 == 0o600
    again = RUN.invoke(app, ["key", str(path)])
    assert isinstance(again.exception, ConfigurationError)


def test_a_steward_permits_in_one_act() -> None:
    assert RUN.invoke(app, ["permit", "heart", "--basis", "board 7"]).exit_code == 0
    with open_store().read() as connection:
        assert check(connection, "heart", grantee="federation", purpose="training").by_default


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["up"], InvalidInputError),
        (["up", "--sites", "2", "--data", "."], InvalidInputError),
        (["up", "--data", "nowhere"], MissingDataError),
        (["up", "--sites", "2", "--consent", "x"], InvalidInputError),
        (["run", "nowhere.toml"], MissingDataError),
        (["down"], MissingDataError),
        (["join", "beijing-1", "nowhere.pub"], MissingDataError),
        (
            ["node", "--site", "a", "--superlink", "127.0.0.1:1", "--certificate", "c", "--key", "k"],
            MissingDataError,
        ),
    ],
)
def test_what_is_wrong_is_said(
    arguments: list[str], error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(RUN.invoke(app, arguments).exception, error)


def test_a_job_without_a_running_federation_is_not_lost_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "JOB.toml"
    path.write_text(JOB.format(rounds=1, timeout=1), encoding="utf-8")
    assert isinstance(RUN.invoke(app, ["run", str(path)]).exception, MissingDataError)


def test_a_job_and_the_federation_are_shown_by_round_and_site(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    register_node(store, "beijing-1", "KEY", "7", actor="cli")
    open_job(store, a_job(), "j1", "federation", actor="c")
    record_round(store, "j1", 0, {"beijing-1": Answer("ok", examples=303)}, seconds=1, model=None, actor="c")
    answers = {
        "beijing-1": Answer(
            "ok",
            examples=303,
            evaluate={"auc": 0.91, "n": 60.0},
            budget=Budget("beijing-1", "example", 1.25, 8, 1e-5),
        ),
        "shanghai-2": Answer("refused", "privacy budget exceeded: [spent] 7.9"),
    }
    record_round(store, "j1", 1, answers, seconds=2, model="f" * 64, actor="c")
    end_job(
        store, "j1", "stopped", reason="round 1: the job needs 2 hospitals, 1 are left", model=None, actor="c"
    )
    last = job_history(store, "j1")
    assert last is not None
    assert show_job([last]) == last
    told = capsys.readouterr().out
    for words in (
        "第 1/2 轮",
        "303",
        "auc 0.910",
        "1.25/8",
        "[spent] 7.9",
        "停止 stopped",
        "1 are left",
        "研究",
    ):
        assert words in told, words
    show_status(overview(store), ["beijing-1"])
    told = capsys.readouterr().out
    for words in ("beijing-1", "✓", "1/2", "6.750", "医疗器械"):
        assert words in told, words
    shown = RUN.invoke(app, ["status", "--json"])
    assert json.loads(shown.output)["jobs"][0]["rounds"][1]["sites"][1]["state"] == "refused"
