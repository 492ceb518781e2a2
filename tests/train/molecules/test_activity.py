"""Activity models on real tables: better than the floor's floor, honest about what they do not know, same every time."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import solve

from xinglin.errors import CheckpointError, InputTooLargeError, InvalidInputError
from xinglin.measure.localisation import auroc
from xinglin.model.checkpoint import seal_checkpoint, verify_checkpoint
from xinglin.model.molecule.activity import Panel
from xinglin.model.molecule.domain import nearness
from xinglin.model.molecule.features import featurise
from xinglin.model.molecule.kernel import DescriptorScale, similarity
from xinglin.model.molecule.saved import load_panels, save_panels
from xinglin.model.shipped import shipped_folder
from xinglin.records.molecules import murcko
from xinglin.train.molecules import activity
from xinglin.train.molecules.activity import (
    ActivityOptions,
    Held,
    Table,
    choose_noise,
    fit_machine,
    fit_panel,
    folds_of,
)
from xinglin.train.molecules.tables import read_training
from xinglin.train.molecules.validation import figures, held_back
from xinglin.types import Checkpoint

FAST = ActivityOptions(trees=40)
SEAL = {"name": "x", "data": [], "settings": {}, "seeds": [0], "metrics": {}, "limits": "x"}


@pytest.fixture(scope="module")
def ace(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Table:
    """180 molecules of one MoleculeACE target, as a file in their layout."""
    path = tmp_path_factory.mktemp("ace") / "train.csv"
    with gzip.open(data / "molecules" / "moleculeace" / "train.csv.gz", "rt") as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"] == "CHEMBL2047_EC50"][:180]
    with path.open("w") as new:
        writer = csv.DictWriter(new, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return read_training(path).tables[0]


@pytest.fixture(scope="module")
def both(ace: Table) -> Table:
    """The numbers of a target, and beside them a class with labels that are missing."""
    active = (ace.labels["CHEMBL2047_EC50"] > np.median(ace.labels["CHEMBL2047_EC50"])).astype(float)
    active[::7] = np.nan
    return Table(
        "both", ace.smiles, ace.labels | {"active": active, "few": np.where(active == 1, np.nan, 0.0)}
    )


@pytest.fixture(scope="module")
def fitted(both: Table) -> tuple[Panel, dict[str, Held]]:
    panel, held = fit_panel(both, FAST)
    return panel, {one.task: one for one in held}


def test_the_machine_is_the_gaussian_process(ace: Table) -> None:
    features = featurise(ace.smiles[:60])
    kernel = similarity(features, features, DescriptorScale.of(features)).whole
    target = ace.labels["CHEMBL2047_EC50"][:60]
    dual, offset = fit_machine(kernel, target, 0.3, "probability", FAST)
    expected = solve(kernel + 0.3 * np.eye(60), target - target.mean())
    assert np.allclose(dual, expected, atol=1e-3)
    assert offset == pytest.approx(target.mean())
    assert choose_noise(kernel, np.random.default_rng(0).normal(size=60)) == 1.0


def test_what_is_held_out_is_predicted(fitted: tuple[Panel, dict[str, Held]]) -> None:
    _, held = fitted
    assert set(held) == {"CHEMBL2047_EC50", "active"}
    number, probability = held["CHEMBL2047_EC50"], held["active"]
    assert (number.kind, probability.kind) == ("number", "probability")
    assert np.mean((number.value - number.truth) ** 2) < 0.75 * number.truth.var()
    assert auroc(probability.truth.astype(np.int64), probability.value) > 0.7
    assert len(probability.truth) == 180 - len(range(0, 180, 7))
    assert abs(probability.value.mean() - probability.truth.mean()) < 0.03


def test_predictions_know_their_bounds(both: Table, fitted: tuple[Panel, dict[str, Held]]) -> None:
    panel, _ = fitted
    strange = ["C" * 30, "FC(F)(F)C(F)(F)C(F)(F)F", "Brc1c(Br)c(Br)c(Br)c(Br)c1Br"]
    found = panel.predict(featurise([*both.smiles[:40], *strange]))
    for one in found.values():
        assert len(one.value) == 43
        assert (one.low <= one.value).all()
        assert (one.value <= one.high).all()
        assert not one.in_domain[40:].any()
        assert one.in_domain[:40].all()
    probability, number = found["active"], found["CHEMBL2047_EC50"]
    assert ((probability.low >= 0) & (probability.high <= 1)).all()
    assert (number.high - number.low)[40:].min() > np.median((number.high - number.low)[:40])
    assert panel.predict(featurise([]))["active"].value.shape == (0,)
    assert set(panel.predict(featurise(["CCO"]), ["active"])) == {"active"}


def test_the_same_seed_gives_the_same_model(both: Table, fitted: tuple[Panel, dict[str, Held]]) -> None:
    again, _ = fit_panel(Table("both", both.smiles, {"active": both.labels["active"]}), FAST)
    features = featurise(both.smiles[:20])
    ours = fitted[0].predict(features)["active"]
    assert np.allclose(again.predict(features)["active"].value, ours.value, atol=1e-6)


def test_folds_keep_scaffolds_together_or_strata_even(ace: Table) -> None:
    rows = np.arange(180)
    labels = ace.labels["CHEMBL2047_EC50"]
    scaffold = folds_of(ace, rows, labels, "number", ActivityOptions(split="scaffold"))
    places: dict[str, set[int]] = {}
    for smiles, fold in zip(ace.smiles, scaffold, strict=True):
        places.setdefault(murcko(smiles), set()).add(int(fold))
    assert max(len(found) for found in places.values()) == 1
    assert ace.strata is not None
    random = folds_of(ace, rows, labels, "number", ActivityOptions(split="random"))
    shares = [ace.strata[random == fold].mean() for fold in range(5)]
    assert max(shares) - min(shares) < 0.05


def test_a_fifth_is_held_back(ace: Table) -> None:
    scored = held_back(ace, ActivityOptions(trees=0, split="random"))
    assert [one.task for one in scored] == ["CHEMBL2047_EC50"]
    assert len(scored[0].truth) + scored[0].trained == len(ace.smiles)
    told = figures(scored[0])
    assert {"rmse", "rmse_cliffs", "coverage", "width", "in_domain"} <= set(told)
    assert told["rmse"].low < told["rmse"].value < told["rmse"].high
    assert told["rmse"].value < scored[0].truth.std()
    assert 0.7 < told["coverage"].value <= 1.0


def test_of_a_large_table_the_kernel_sees_a_part_and_the_trees_all(
    both: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    rare = np.zeros(180)
    rare[:20] = 1.0
    table = Table("large", both.smiles, {"y": both.labels["CHEMBL2047_EC50"], "rare": rare})
    assert activity.anchors_of(table).tolist() == list(range(180))
    monkeypatch.setattr(activity, "ANCHORS", 120)
    anchors = activity.anchors_of(table)
    assert len(set(anchors.tolist())) == 120
    assert (np.diff(anchors) > 0).all()
    assert set(range(20)) <= set(anchors.tolist())  # all of the rare label
    panel, held = fit_panel(table, FAST)
    assert len(panel.reference) == 120
    assert all(len(one.truth) == 180 for one in held)
    number = next(one for one in held if one.task == "y")
    assert np.mean((number.value - number.truth) ** 2) < 0.8 * number.truth.var()
    fold = number.fold
    for part in range(5):  # what a molecule is predicted from is of other folds
        seen = anchors[fold[anchors] != part]
        features = featurise(both.smiles)
        kernel = similarity(features, features, panel.scale).fragments
        expected = nearness(kernel[np.ix_(np.flatnonzero(fold == part), seen)])
        assert np.allclose(number.near[fold == part], expected, atol=1e-5)
    found = panel.predict(features)
    assert np.corrcoef(found["y"].value, table.labels["y"])[0, 1] > 0.8
    monkeypatch.setattr(activity, "MOST", 179)
    with pytest.raises(InputTooLargeError, match="at most 179 molecules, got 180"):
        fit_panel(table, FAST)


def test_nothing_to_fit() -> None:
    for labels in (np.zeros(40), np.full(40, np.nan), np.full(40, 3.0)):
        with pytest.raises(InvalidInputError, match="at least 30 labels"):
            fit_panel(Table("none", ["C" * (n + 1) for n in range(40)], {"y": labels}))


def _saved(folder: Path, panel: Panel) -> Checkpoint:
    return save_panels(folder, [panel], card="x", **SEAL)  # type: ignore[arg-type]


def test_saved_panels_say_the_same(
    tmp_path: Path, both: Table, fitted: tuple[Panel, dict[str, Held]]
) -> None:
    folder = tmp_path / "models"
    sealed = _saved(folder, fitted[0])
    panels, manifest = load_panels(folder)
    assert manifest["id"] == sealed.id == verify_checkpoint(folder).id
    assert sealed.path == str(folder)
    features = featurise([*both.smiles[:50], "C" * 30])
    ours, theirs = fitted[0].predict(features), panels[0].predict(features)
    assert set(ours) == set(theirs)
    for task in ours:
        assert np.abs(ours[task].value - theirs[task].value).max() < 0.02
        assert np.array_equal(ours[task].in_domain, theirs[task].in_domain)
    assert panels[0].models[0].trees == fitted[0].models[0].trees


@pytest.mark.parametrize("file", ["model.npz", "config.json", "README.md", "manifest.json"])
def test_damaged_folders_are_refused(
    tmp_path: Path, fitted: tuple[Panel, dict[str, Held]], file: str
) -> None:
    folder = tmp_path / "models"
    _saved(folder, fitted[0])
    path = folder / file
    kept = path.read_bytes()
    path.write_bytes(kept[:-40] + b"{}" * 20 if file != "manifest.json" else b"{}")
    with pytest.raises(CheckpointError):
        load_panels(folder)
    with pytest.raises(CheckpointError):
        verify_checkpoint(folder)
    path.unlink()
    with pytest.raises(CheckpointError):
        load_panels(folder)


def test_another_version_is_refused(tmp_path: Path, fitted: tuple[Panel, dict[str, Held]]) -> None:
    folder = tmp_path / "models"
    _saved(folder, fitted[0])
    config = json.loads((folder / "config.json").read_text())
    config["descriptors"][0] = "another"
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "manifest.json").unlink()
    seal_checkpoint(folder, kind="molecules", **SEAL)  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="descriptors differs"):
        load_panels(folder)


def test_a_model_of_another_kind_is_refused() -> None:
    with pytest.raises(CheckpointError, match="expected fingerprint models of molecules, got decoder"):
        load_panels(shipped_folder("molecules-prior"))
