"""``xinglin drugs screen``."""

from __future__ import annotations

import json
from pathlib import Path

import typer
from typer.testing import CliRunner

from xinglin.cli.drugs_safety import register
from xinglin.ledger import entries
from xinglin.store import open_store

FILE = "smiles,name\nCCO,a\nCN1CCC23C4Oc5c2c(CC1C3C=CC4O)ccc5O,b\nCC(C)=O,c\nC(,d\nO=S(Cl)Cl,e\n"


def asked(tmp_path: Path, *more: str) -> str:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    path = tmp_path / "some.csv"
    path.write_text(FILE, encoding="utf-8")
    done = CliRunner().invoke(app, ["screen", str(path), *more])
    assert done.exit_code == 0, done.output
    return done.output


def test_rows_are_named_with_the_schedule_and_the_ledger_remembers(tmp_path: Path) -> None:
    body = json.loads(asked(tmp_path, "--json"))
    assert body["molecules"] == 5
    assert {place: found["category"] for place, found in body["refused"].items()} == {
        "line 3": "narcotic",
        "line 6": "cwc-3",
    }
    assert list(body["declare"]) == ["line 4"]
    assert list(body["unread"]) == ["line 5"]
    with open_store().read() as connection:
        kept = [entry for entry in entries(connection) if entry.action == "drugs.refuse"]
    assert [entry.detail["where"] for entry in kept] == ["screen"]


def test_a_person_reads_chinese_first_and_no_structure(tmp_path: Path) -> None:
    told = asked(tmp_path, "--reagent")
    assert "拒绝 refused 1" in told
    assert "须申报 to declare 2" in told
    assert "CN1CCC" not in told
    assert "不是医疗器械" in told
