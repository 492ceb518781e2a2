"""The verbs about molecules: evaluation on a held-back fifth, the recipe of the toxicity models and their door."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from xinglin.apps.drugs.toxicity import HARMS, NAMES, toxicity
from xinglin.cli.evaluate_molecules import FIGURES, evaluate_molecules
from xinglin.cli.train_toxicity import toxicity as train
from xinglin.errors import CheckpointError, InvalidInputError
from xinglin.ledger import entries
from xinglin.store import open_store
from xinglin.train.molecules import toxicity as recipe

SMALL = {
    "tdc-admet/train_valid.csv.gz": ("Y", ("herg", "dili")),
    "moleculenet/clintox_train_valid.csv.gz": ("CT_TOX", ("",)),
}
EACH = 40


@pytest.fixture(scope="module")
def small(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of the recipe, cut to 40 molecules of each class."""
    folder = tmp_path_factory.mktemp("molecules")
    for file, (label, tasks) in SMALL.items():
        with gzip.open(data / "molecules" / file, "rt") as stream:
            rows = list(csv.DictReader(stream))
        kept = []
        for task in tasks:
            for value in (0.0, 1.0):
                some = [one for one in rows if one.get("task", "") == task and float(one[label]) == value]
                kept += some[:EACH]
        assert len(kept) == 2 * EACH * len(tasks)
        (folder / file).parent.mkdir(exist_ok=True)
        with gzip.open(folder / file, "wt") as stream:
            writer = csv.DictWriter(stream, list(kept[0]))
            writer.writeheader()
            writer.writerows(kept)
    return folder


def test_evaluate_prints_every_figure(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = small / "tdc-admet" / "train_valid.csv.gz"
    evaluate_molecules(table, None, ["dili"], 0, True)
    body = json.loads(capsys.readouterr().out)
    assert set(body) == {"dili"}
    figures = body["dili"]["figures"]
    assert set(figures) <= set(FIGURES)
    assert {"auroc", "ece", "width"} <= set(figures)
    assert figures["auroc"]["low"] <= figures["auroc"]["value"] <= figures["auroc"]["high"]
    with pytest.raises(InvalidInputError, match="scaffold or random"):
        evaluate_molecules(table, "time", None, 0, True)


def test_train_then_ask(
    small: Path,
    tmp_path: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kept = [one for one in recipe.ENDPOINTS if one.name in ("herg", "dili", "clintox")]
    monkeypatch.setattr(recipe, "ENDPOINTS", kept)
    out = tmp_path / "models"
    train(small, out, threads=1, seed=0, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert {name.rsplit(" ", 1)[0] for name in told["metrics"]} == {"herg", "dili", "CT_TOX"}
    assert "不得用于人体用药" in (out / "README.md").read_text()
    with open_store().read() as connection:
        assert any(entry.action == "train" for entry in entries(connection))
    smiles = ["CN1CCC[C@H]1c1cccnc1", "C1CC", "N[Pt](N)(Cl)Cl", "Clc1ccc(cc1)C(c1ccccc1)N1CCN(CC1)CCOCC(O)=O"]
    found = toxicity(smiles, folder=out)
    assert found.tasks == ("herg", "dili", "CT_TOX")
    assert found.value.shape == (4, 3)
    assert [problem is None for problem in found.problems] == [True, False, False, True]
    assert np.isnan(found.value[1:3]).all()
    assert np.isnan(found.worst()[1:3]).all()
    known = found.value[[0, 3]]
    assert (found.low[[0, 3]] <= known).all()
    assert (known <= found.high[[0, 3]]).all()
    assert np.array_equal(found.worst()[[0, 3]], found.high[[0, 3]].max(axis=1))
    one = toxicity(smiles, tasks=["dili"], folder=out)
    assert np.allclose(one.value[:, 0], found.value[:, 1], equal_nan=True)
    with pytest.raises(InvalidInputError, match="ames"):
        toxicity(smiles, tasks=["ames"], folder=out)
    with pytest.raises(CheckpointError):
        toxicity(smiles, folder=tmp_path)


def test_every_harm_has_a_name() -> None:
    assert set(HARMS) < set(NAMES)
    assert len(NAMES) == 17


def test_the_shipped_models_know_their_molecules() -> None:
    """Terfenadine blocks hERG (Roy et al. 1996, doi 10.1161/01.cir.94.4.817); a nitroarene, and a sugar alcohol."""
    found = toxicity(
        [
            "CC(C)(C)c1ccc(cc1)C(O)CCCN1CCC(CC1)C(O)(c1ccccc1)c1ccccc1",
            "O=[N+]([O-])c1ccc2-c3ccccc3Cc2c1",
            "OCC(O)C(O)C(O)C(O)CO",
        ]
    )
    assert set(found.tasks) == set(NAMES)
    herg, ames = found.tasks.index("herg"), found.tasks.index("ames")
    assert found.value[0, herg] > 0.7 > 0.4 > found.value[2, herg]
    assert found.value[1, ames] > 0.7 > 0.4 > found.value[2, ames]
    assert found.worst()[2] < found.worst()[:2].min()
