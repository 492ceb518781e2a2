"""``xinglin federate budget``: what a person states, sees and checks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from xinglin.cli.federate_budget import app
from xinglin.errors import InvalidInputError, MissingDataError, XinglinError
from xinglin.federate.privacy.accountant import Step
from xinglin.federate.privacy.budget import reserve
from xinglin.federate.privacy.lineage import Patients, enrol
from xinglin.ledger import entries
from xinglin.ledger.signature import new_key
from xinglin.store import open_store
from xinglin.types import DISCLAIMER


def run(*arguments: str) -> str:
    """Run a command; one of our own errors is raised as it is."""
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "160"})
    if isinstance(result.exception, XinglinError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_a_budget_is_stated_spent_shown_reported_and_verified(tmp_path: Path) -> None:
    assert "尚无数据集" in run("show")
    assert "ε ≤ 3" in run("limit", "--epsilon", "3", "--delta", "1e-5")
    assert "不限" in run("limit", "--epsilon", "none", "--delta", "1e-3", "--holder", "hospital")
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("P1\t假名1\n\nP2\t假名2\n", encoding="utf-8")
    assert "newly linked: 2" in run("link", str(pairs))
    with open_store().write() as connection:
        cohort = enrol(connection, Patients.of(["假名1", *(f"Q{n}" for n in range(500))]))
        reserve(connection, cohort, job="j", round=1, unit="example", step=Step(0.008, 1.0, 125), delta=1e-5)
        other = enrol(connection, Patients.of(["P1"]))
    shown = run("show")
    for part in ("501", "1.123", "1.877", DISCLAIMER["zh"], "每位患者"):
        assert part in shown.replace("\n", "")
    state = json.loads(run("show", "--json"))
    assert [row["patients"] for row in state["cohorts"]] == [501, 1]
    assert state["cohorts"][0]["epsilon"] == state["cohorts"][1]["epsilon"], "the pseudonym's patient paid"
    assert other.patients == 1
    public = new_key(tmp_path / "key")
    out = tmp_path / "report.json"
    assert "已签名" in run("report", "--key", str(tmp_path / "key"), "--node", "杏林医院", "--out", str(out))
    for trusted in (public, str(tmp_path / "key.pub")):
        assert "签名有效" in run("verify", str(out), "--key", trusted)
    assert "账本中有此条" in run("verify", str(out), "--key", public, "--ledger")
    with open_store().read() as connection:
        actions = [entry.action for entry in entries(connection)]
    assert [name for name in actions if name.startswith("privacy.")] == [
        *(
            "privacy.limit",
            "privacy.limit",
            "privacy.link",
            "privacy.enrol",
            "privacy.reserve",
            "privacy.enrol",
        ),
        "privacy.report",
    ]


def test_bad_arguments_are_named(tmp_path: Path) -> None:
    for arguments, reason in (
        (["limit", "--epsilon", "much", "--delta", "1e-5"], "number or none"),
        (["limit", "--epsilon", "-1", "--delta", "1e-5"], "0 or more"),
        (["limit", "--epsilon", "nan", "--delta", "1e-5"], "0 or more"),
        (["limit", "--epsilon", "1", "--delta", "2"], "delta"),
        (["limit", "--epsilon", "1", "--delta", "1e-5", "--holder", "all"], "patient or hospital"),
        (["show", "--accountant", "guess"], "rdp or prv"),
    ):
        with pytest.raises(InvalidInputError, match=reason):
            run(*arguments)
    for content in (b"a\tb\tc\n", b"\xff\xfe", b"a\n", b"a\t \n"):
        (tmp_path / "pairs").write_bytes(content)
        with pytest.raises(InvalidInputError):
            run("link", str(tmp_path / "pairs"))
    with pytest.raises(MissingDataError):
        run("link", str(tmp_path / "absent"))
    with pytest.raises(MissingDataError):
        run("verify", str(tmp_path / "absent"), "--key", "0" * 64)
    (tmp_path / "report").write_text("{", encoding="utf-8")
    with pytest.raises(InvalidInputError):
        run("verify", str(tmp_path / "report"), "--key", "0" * 64)
    with pytest.raises(MissingDataError, match="key file"):
        run("report", "--key", str(tmp_path / "none"), "--node", "a", "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    with open_store().read() as connection:
        assert list(entries(connection)) == []
