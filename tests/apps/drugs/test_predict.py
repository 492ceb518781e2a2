"""drugs predict end to end: known layouts, bad structures of every kind, repeated and contradictory rows."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from xinglin.apps.drugs.evaluate import evaluate_table
from xinglin.apps.drugs.predict import COLUMNS
from xinglin.apps.drugs.predict import predict as run
from xinglin.cli.drugs_predict import register
from xinglin.errors import InvalidInputError, MissingDataError
from xinglin.ledger import entries
from xinglin.measure.localisation import auroc
from xinglin.store import open_store
from xinglin.train.molecules.activity import ActivityOptions
from xinglin.train.molecules.tables import read_training

FAST = ActivityOptions(trees=0)
BAD = {
    "invalid": ("C1CC", "unclosed ring"),
    "empty": ("", "empty"),
    "long": ("C" * 5000, "4,000 characters"),
}
CHANGED = {
    "salt": ("CN1CCC[C@H]1c1cccnc1.Cl", "salt or solvent removed: Cl"),
    "sodium": ("[Na]OC(=O)c1ccccc1", "[Na+]"),
    "isotope": ("[2H]C([2H])([2H])Oc1ccccc1", "isotope label removed: 2H"),
    "macrocycle": ("O=C1CCCCCCCCCCCCCCO1", "macrocycle: ring of 16 atoms"),
}
DOUBTED = {
    "metal": ("N[Pt](N)(Cl)Cl", "Pt: metal complexes"),
    "mixture": ("c1ccccc1CCCCCCCCCCN.CCCCCCCCCCCCCCCCO", "mixture"),
    "query": ("*CC(=O)O", "unspecified atom"),
}


def _rows(data: Path, name: str, count: int, **wanted: str) -> list[dict[str, str]]:
    with gzip.open(data / "molecules" / name, "rt") as file:
        rows = [row for row in csv.DictReader(file) if all(row[key] == one for key, one in wanted.items())]
    assert len(rows) >= count
    return rows[:count]


def _write(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _read(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    with path.open() as file:
        return {(row["row_id"], row["task"]): row for row in csv.DictReader(file)}


def test_tdc_with_bad_input(data: Path, tmp_path: Path, home: Path) -> None:
    rows = _rows(data, "tdc-admet/train_valid.csv.gz", 200, task="dili")
    train = _write(tmp_path / "train.csv", [*rows[:160], rows[0] | {"smiles": "C1CC"}])
    odd = {name: smiles for name, (smiles, _) in (BAD | CHANGED | DOUBTED).items()}
    asked = [
        {"row_id": f"r{at}", "task": "dili", "smiles": row["smiles"]} for at, row in enumerate(rows[160:])
    ]
    asked += [{"row_id": name, "task": "dili", "smiles": smiles} for name, smiles in odd.items()]
    # A chemical weapon (sarin) and an approved, controlled medicine (morphine).
    asked.append({"row_id": "weapon", "task": "dili", "smiles": "CC(C)OP(C)(=O)F"})
    asked.append(
        {
            "row_id": "opioid",
            "task": "dili",
            "smiles": "CN1CC[C@]23[C@@H]4[C@H]1CC5=C2C(=C(C=C5)O)O[C@H]3[C@H](C=C4)O",
        }
    )
    asked.append({"row_id": "known", "task": "dili", "smiles": rows[0]["smiles"]})
    inputs = _write(tmp_path / "inputs.csv", asked)
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    out = tmp_path / "out.csv"
    done = CliRunner().invoke(
        app, ["predict", "--train", str(train), "--inputs", str(inputs), "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert "弃用 left out 1" in done.output
    assert "line 162: expected a valid SMILES" in done.output
    assert "不是医疗器械" in done.output
    assert out.read_text().splitlines()[0] == ",".join(COLUMNS)
    found = _read(out)
    assert [key[0] for key in found] == [row["row_id"] for row in asked]
    truth = np.array([int(float(row["Y"])) for row in rows[160:]])
    scores = np.array([float(found[f"r{at}", "dili"]["prediction"]) for at in range(40)])
    assert auroc(truth, scores) > 0.6
    assert ((scores >= 0) & (scores <= 1)).all()
    for name, (_, reason) in BAD.items():
        row = found[name, "dili"]
        assert (row["prediction"], row["lower"], row["upper"], row["in_domain"]) == ("", "", "", "false")
        assert reason in row["note"]
    for name, (_, note) in CHANGED.items():
        assert note in found[name, "dili"]["note"]
        assert found[name, "dili"]["prediction"]
    for name, (_, note) in DOUBTED.items():
        assert note in found[name, "dili"]["note"]
        assert found[name, "dili"]["in_domain"] == "false"
        assert found[name, "dili"]["prediction"]
    assert found["weapon", "dili"]["prediction"] == ""
    assert "管制" in found["weapon", "dili"]["note"]
    assert found["opioid", "dili"]["prediction"]
    assert "controlled" in found["opioid", "dili"]["note"]
    with open_store().read() as connection:
        refused = [entry for entry in entries(connection) if entry.action == "drugs.refuse"]
    assert len(refused) == 1
    assert "CC(C)" not in str(refused[0])
    measured = f"measured in the training table: {float(rows[0]['Y']):.0f}"
    assert measured in found["known", "dili"]["note"]


def test_wide_tables_and_missing_labels(data: Path, tmp_path: Path) -> None:
    rows = _rows(data, "moleculenet/tox21_train_valid.csv.gz", 150)
    training = read_training(_write(tmp_path / "tox21_train_valid.csv", rows))
    table = training.tables[0]
    assert table.name == "tox21"
    assert len(table.labels) == 12
    assert training.split == "scaffold"
    missing = sum(row["NR-AhR"] == "" for row in rows)
    assert missing > 5
    assert int(np.isnan(table.labels["NR-AhR"]).sum()) >= missing - training.merged
    inputs = _write(tmp_path / "inputs.csv", [{"row_id": "a", "smiles": "Oc1ccc2ccccc2c1"}])
    done = run(tmp_path / "tox21_train_valid.csv", inputs, FAST)
    answers = {answer.task: answer for answer in done.answers}
    assert set(answers) == set(table.labels)
    assert 0 < len(done.unfitted) < 12
    assert all(answers[task].value is None for task in done.unfitted)
    assert "too few labels" in answers[done.unfitted[0]].note
    with pytest.raises(InvalidInputError, match="NR-AhX"):
        run(tmp_path / "tox21_train_valid.csv", inputs, FAST, targets=["NR-AhX"])


def test_moleculeace_layout(data: Path, tmp_path: Path) -> None:
    rows = _rows(data, "moleculeace/train.csv.gz", 60, dataset="CHEMBL2047_EC50")
    rows += _rows(data, "moleculeace/train.csv.gz", 40, dataset="CHEMBL1862_Ki")
    train = _write(tmp_path / "train.csv", rows)
    training = read_training(train)
    assert training.split == "random"
    assert [table.name for table in training.tables] == ["CHEMBL2047_EC50", "CHEMBL1862_Ki"]
    assert training.tables[0].strata is not None
    inputs = _write(
        tmp_path / "inputs.csv",
        [
            {"row_id": f"x{at}", "dataset": row["dataset"], "smiles": row["smiles"]}
            for at, row in enumerate(rows)
        ],
    )
    done = run(train, inputs, FAST)
    assert [answer.task for answer in done.answers] == [row["dataset"] for row in rows]
    # These were trained on: near their labels, nearly all in the domain.
    values = np.array([answer.value for answer in done.answers], float)
    truth = np.array([float(row["y"]) for row in rows])
    assert np.corrcoef(values, truth)[0, 1] > 0.9
    assert sum(answer.in_domain for answer in done.answers) > 85
    strange = _write(tmp_path / "strange.csv", [{"row_id": "a", "dataset": "CHEMBL1", "smiles": "CCO"}])
    with pytest.raises(InvalidInputError, match="CHEMBL1"):
        run(train, strange, FAST)
    scored = evaluate_table(train, FAST, only=["CHEMBL2047_EC50"])
    assert [one.task for one in scored] == ["CHEMBL2047_EC50"]
    with pytest.raises(InvalidInputError, match="no task"):
        evaluate_table(train, FAST, only=["none"])


def test_repeated_and_contradictory_rows(tmp_path: Path) -> None:
    rows = [{"smiles": "C" * (at + 1), "active": str(at % 2), "pKi": str(at)} for at in range(10)]
    rows += [{"smiles": "OCC", "active": "1", "pKi": "4"}, {"smiles": "CCO.Cl", "active": "0", "pKi": "6"}]
    rows += [{"smiles": "[2H]CCO", "active": "", "pKi": ""}]
    training = read_training(_write(tmp_path / "assay.csv", rows))
    table = training.tables[0]
    assert set(table.labels) == {"active", "pKi"}
    assert (len(table.smiles), training.merged, training.contradictory) == (11, 2, 1)
    assert np.isnan(table.labels["active"][10])
    assert table.labels["pKi"][10] == 5.0


def test_tables_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError):
        read_training(tmp_path / "none.csv")
    for name, text, expected in (
        ("a.csv", "smiles,name\nCCO,ethanol\n", "column of labels"),
        ("b.csv", "smiles,y\nC1CC,1\n", "none of 1 rows"),
        ("c.csv", "name,y\nCCO,1\n", "column 'smiles'"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(InvalidInputError, match=expected):
            read_training(tmp_path / name)
    (tmp_path / "d.csv").write_text("smiles,task,Y\nCCO,a,high\n")
    with pytest.raises(InvalidInputError, match="line 2"):
        read_training(tmp_path / "d.csv")
