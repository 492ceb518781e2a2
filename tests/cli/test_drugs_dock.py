"""The verbs target and dock, from structure to table, in one folder and by their messages."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tests.apps.drugs.small_target import small_target
from tests.apps.drugs.structures import abl1
from xinglin.cli import drugs_dock, drugs_target
from xinglin.errors import ConfigurationError, InvalidInputError
from xinglin.ledger.chain import entries
from xinglin.store import Store

RUN = CliRunner()


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    made = typer.Typer()
    drugs_target.register(made)
    drugs_dock.register(made)
    return made


def test_target_writes_receptor_box_and_reports(
    app: typer.Typer, data: Path, tmp_path: Path, store: Store
) -> None:
    out = tmp_path / "t"
    ready = str(abl1(data) / "dockstring_ABL1_target.pdbqt")
    said = RUN.invoke(app, ["target", ready, "--residues", "91,92", "--out", str(out)])
    assert said.exit_code == 0, said.output
    assert {path.name for path in out.iterdir()} == {
        "receptor.pdbqt",
        "box.json",
        "report.json",
        "report.txt",
        "report.html",
    }
    assert "盒子 box" in said.output
    assert "不是医疗器械" in said.output
    page = (out / "report.html").read_text()
    assert "<canvas" in page
    assert "不是医疗器械" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    body = json.loads((out / "report.json").read_text())
    with store.read() as connection:
        found = [entry for entry in entries(connection) if entry.action == "drugs.target"]
    assert found[0].detail["target"] == body["digest"]
    boxed = RUN.invoke(
        app, ["target", ready, "--box", "15,14,4,20,20,20", "--out", str(tmp_path / "u"), "--json"]
    )
    assert json.loads(boxed.output)["box"]["center"] == [15, 14, 4]
    refused = RUN.invoke(app, ["target", str(abl1(data) / "1iep_ligand.sdf"), "--detect", "--out", str(out)])
    assert isinstance(refused.exception, InvalidInputError)
    refused = RUN.invoke(app, ["target", ready, "--box", "1,2", "--out", str(out)])
    assert isinstance(refused.exception, InvalidInputError)


def test_dock_writes_a_table_with_errors_and_goes_on(
    app: typer.Typer, data: Path, tmp_path: Path, store: Store
) -> None:
    small_target(data).save(tmp_path / "t")
    ligands = tmp_path / "l.csv"
    ligands.write_text("name,smiles\nphenol,Oc1ccccc1\nbad,C1CC\nborane,OB(O)c1ccccc1\n")
    command = ["dock", "--target", str(tmp_path / "t"), "--ligands", str(ligands), "--out", str(tmp_path / "o.csv"),
               "--sdf", str(tmp_path / "p.sdf"), "--exhaustiveness", "1", "--workers", "1"]  # fmt: skip
    said = RUN.invoke(app, command)
    assert said.exit_code == 0, said.output
    assert "有分数 scored 1" in said.output
    rows = list(csv.DictReader((tmp_path / "o.csv").open()))
    assert [row["name"] for row in rows] == ["phenol", "bad", "borane"]
    assert [bool(row["score_kcal_mol"]) for row in rows] == [True, False, False]
    assert (tmp_path / "p.sdf").read_text().count("$$$$") == 1
    again = RUN.invoke(app, [*command, "--json"])
    assert json.loads(again.output)["kept"] == 1
    with store.read() as connection:
        assert [entry.action for entry in entries(connection)] == ["drugs.dock", "drugs.dock"]


def test_check_says_when_there_is_too_little(app: typer.Typer, data: Path, tmp_path: Path) -> None:
    small_target(data).save(tmp_path / "t")
    known = tmp_path / "known.csv"
    known.write_text("smiles,active\n" + "".join(f"C1CC{n},1\n" for n in range(10)))
    said = RUN.invoke(app, ["dock", "--target", str(tmp_path / "t"), "--check", str(known), "--workers", "1"])
    assert said.exit_code == 0, said.output
    assert "too few known molecules" in said.output
    for arguments in (["--check", str(known), "--ligands", str(known)], [], ["--ligands", str(known)]):
        refused = RUN.invoke(app, ["dock", "--target", str(tmp_path / "t"), *arguments])
        assert isinstance(refused.exception, ConfigurationError)


@pytest.mark.slow
def test_ray_actors_give_the_same_scores(app: typer.Typer, data: Path, tmp_path: Path) -> None:
    small_target(data).save(tmp_path / "t")
    ligands = tmp_path / "l.csv"
    ligands.write_text("name,smiles\nphenol,Oc1ccccc1\npyridine,c1ccncc1\nbad,C1CC\nborane,OB(O)c1ccccc1\n")
    scores = []
    for name, more in (("local", ["--workers", "1"]), ("ray", ["--ray", "local", "--workers", "2"])):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XINGLIN_HOME", str(tmp_path / name))
            out = tmp_path / f"{name}.csv"
            said = RUN.invoke(app, ["dock", "--target", str(tmp_path / "t"), "--ligands", str(ligands), "--out", str(out),
                                    "--exhaustiveness", "1", *more])  # fmt: skip
            assert said.exit_code == 0, said.output
        scores.append([row["score_kcal_mol"] for row in csv.DictReader(out.open())])
    assert scores[0] == scores[1]
    assert [bool(score) for score in scores[0]] == [True, True, False, False]
