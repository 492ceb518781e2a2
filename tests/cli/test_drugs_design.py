"""The verb design: from a target's folder to a library, and what it refuses before it starts."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from tests.apps.drugs.small_prior import small_corpus, small_options
from tests.apps.drugs.small_target import small_target
from tests.apps.drugs.structures import abl1
from xinglin.cli import drugs_design, drugs_dock
from xinglin.errors import ConfigurationError
from xinglin.ledger.chain import entries
from xinglin.store import Store
from xinglin.train.molecules.prior_ship import train_prior

RUN = CliRunner()


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    made = typer.Typer()
    drugs_design.register(made)
    drugs_dock.register(made)
    return made


def test_a_search_is_neither_overwritten_nor_resumed_by_accident(
    app: typer.Typer, data: Path, tmp_path: Path
) -> None:
    small_target(data).save(tmp_path / "t")
    command = ["design", "--target", str(tmp_path / "t"), "--out", str(tmp_path / "o"), "--calls", "8"]
    refused = RUN.invoke(app, [*command, "--resume"])
    assert isinstance(refused.exception, ConfigurationError)
    assert "no search to resume" in str(refused.exception)
    (tmp_path / "o" / "state").mkdir(parents=True)
    refused = RUN.invoke(app, command)
    assert isinstance(refused.exception, ConfigurationError)
    assert "--resume" in str(refused.exception)
    (tmp_path / "o" / "state").rmdir()
    refused = RUN.invoke(app, [*command, "--reference", "STI"])
    assert isinstance(refused.exception, ConfigurationError)
    assert "leave out --reference" in str(refused.exception)


def test_a_log_gets_a_line_seldom_and_at_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(drugs_design.time, "monotonic", lambda: now)
    report = drugs_design._lines(500)
    for calls in range(50, 501, 50):
        report(SimpleNamespace(calls=calls, best=0.5, top10=0.25, failed=1))
        now += 25.0
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[2] for line in lines] == ["50/500", "200/500", "350/500", "500/500"]
    assert "最好 best 0.500" in lines[0]


@pytest.mark.slow
def test_design_writes_a_library_and_notes_it(
    app: typer.Typer, data: Path, tmp_path: Path, store: Store
) -> None:
    train_prior(small_corpus(tmp_path), tmp_path / "prior", small_options(), samples=100)
    small_target(data).save(tmp_path / "t")
    known = tmp_path / "known.csv"
    known.write_text("smiles,active\n" + "Oc1ccccc1,1\n" + "".join(f"C1CC{n},0\n" for n in range(9)))
    out = tmp_path / "o"
    command = ["design", "--target", str(tmp_path / "t"), "--prior", str(tmp_path / "prior"), "--out", str(out),
               "--calls", "8", "--batch", "8", "--workers", "1", "--check", str(known)]  # fmt: skip
    said = RUN.invoke(app, command)
    assert said.exit_code == 0, said.output
    assert "too few known molecules" in said.output
    assert "设计 design 8/8" in said.output
    rows = list(csv.DictReader((out / "molecules.csv").open()))
    assert rows
    assert {"rank", "reward", "docking", "qed", "sa", "similarity"} <= rows[0].keys()
    assert (out / "target" / "receptor.pdbqt").is_file()
    assert json.loads((out / "design.json").read_text())["check"]["warnings"]
    with store.read() as connection:
        assert "drugs.design" in [entry.action for entry in entries(connection)]
    again = RUN.invoke(app, [*command, "--resume"])
    assert again.exit_code == 0, again.output
    assert list(csv.DictReader((out / "molecules.csv").open())) == rows


@pytest.mark.slow
def test_a_structure_and_its_ligand_make_the_target(app: typer.Typer, data: Path, tmp_path: Path) -> None:
    from xinglin.cli.drugs_design import _target

    made, start = _target(abl1(data) / "1iep_receptorH.pdb", str(abl1(data) / "1iep_ligand.sdf"))
    assert made.box.origin == "ligand 1iep_ligand.sdf"
    assert start == ["Cc1ccc(NC(=O)c2ccc(CN3CCN(C)CC3)cc2)cc1Nc1nccc(-c2cccnc2)n1"]
