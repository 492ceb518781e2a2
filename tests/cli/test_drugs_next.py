"""``xinglin drugs next`` as a laboratory would call it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

pytest.importorskip("rdkit")

from xinglin.cli import drugs_next
from xinglin.errors import InvalidInputError

ROWS = [
    ("CC(=O)Oc1ccccc1C(=O)O", "120"),
    ("Cc1ccccc1C(=O)O", "300"),
    ("OC(=O)c1ccccc1O", "80"),
    ("CC(=O)Nc1ccc(O)cc1", ">10000"),
    ("CCCCc1ccccc1", ">10000"),
    ("COc1ccccc1C(=O)O", "200"),
    ("OC(=O)c1ccc(Cl)cc1", "90"),
    ("OC(=O)c1ccc(F)cc1", "60"),
    ("OC(=O)c1ccc(Br)cc1", "40"),
    ("CCOC(=O)c1ccccc1", "5000"),
    ("CCN", "9000"),
    ("C1CC", "7"),
    ("OC(=O)c1ccc(F)cc1", "70000"),
]
POOL = ["OC(=O)c1ccc(I)cc1", "OC(=O)c1ccccc1", "CCCCCC", "COCCOC", "NC(=O)c1ccccc1"]


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.setenv("XINGLIN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XINGLIN_DATABASE_URL", f"sqlite:///{tmp_path / 'store.db'}")
    made = typer.Typer()
    drugs_next.register(made)
    made.callback()(lambda: None)
    return made


def _results(tmp_path: Path, pool: list[str]) -> Path:
    path = tmp_path / "results.csv"
    lines = [
        "smiles,IC50 (nM)",
        *(f"{smiles},{value}" for smiles, value in ROWS),
        *(f"{one}," for one in pool),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_plate_from_the_unmeasured_rows(app: typer.Typer, tmp_path: Path) -> None:
    out = tmp_path / "plate.csv"
    asked = ["next", "--assays", str(_results(tmp_path, POOL)), "--plate", "2", "--out", str(out)]
    done = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert done.exit_code == 0
    assert "line 13" in done.output
    assert "unclosed ring" in done.output
    assert "line 9, line 14" in done.output
    assert "bounds 2" in done.output
    assert "Not registered" in done.output
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert [row["well"] for row in rows] == ["A1", "A2"]
    assert "O=C(O)c1ccc(I)cc1" in {row["smiles"] for row in rows}
    for row in rows:
        assert float(row["low"]) < float(row["predicted"]) < float(row["high"])
        assert 0 < float(row["similarity"]) <= 1


def test_a_pool_of_its_own_and_json(app: typer.Typer, tmp_path: Path) -> None:
    pool = tmp_path / "pool.csv"
    pool.write_text("smiles\n" + "\n".join([*POOL, "[Cu]"]) + "\n", encoding="utf-8")
    out = tmp_path / "plate.csv"
    asked = [
        "next",
        "--assays",
        str(_results(tmp_path, [])),
        "--pool",
        str(pool),
        "--out",
        str(out),
        "--json",
    ]
    done = CliRunner().invoke(app, asked, catch_exceptions=False)
    said = json.loads(done.output)
    assert (said["wells"], said["measured"], said["bounds"], said["pool"]) == (5, 11, 2, 5)
    assert set(said["left_out_rows"]) == {"results.csv line 13", "pool.csv line 7"}
    assert said["disagreements"][0]["places"] == ["line 9", "line 14"]


def test_the_act_and_a_refusal_are_in_the_ledger(app: typer.Typer, tmp_path: Path) -> None:
    """Sarin's structure among the candidates: not in the plate, counted, remembered without the structure."""
    from xinglin.ledger import entries
    from xinglin.store import open_store

    pool = tmp_path / "pool.csv"
    pool.write_text("smiles\nCC(C)OP(C)(=O)F\n" + "\n".join(POOL) + "\n", encoding="utf-8")
    out = tmp_path / "plate.csv"
    asked = ["next", "--assays", str(_results(tmp_path, [])), "--pool", str(pool), "--out", str(out)]
    done = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert "controlled structures, not listed: 1" in done.output
    assert "OP(C)" not in out.read_text(encoding="utf-8")
    with open_store().read() as connection:
        actions = [entry.action for entry in entries(connection)]
    assert sorted(actions) == ["drugs.refuse", "next-plate"]


def test_a_table_without_a_unit_asks_for_it(app: typer.Typer, tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("smiles,activity\nCCO,3\n", encoding="utf-8")
    with pytest.raises(InvalidInputError, match="--unit"):
        CliRunner().invoke(
            app, ["next", "--assays", str(path), "--out", str(tmp_path / "x.csv")], catch_exceptions=False
        )
