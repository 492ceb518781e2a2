"""Figures of a check against brute force; warnings where docking says nothing."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem import AllChem
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from tests.apps.drugs.told import Told
from xinglin.apps.drugs.dock.check import area, enrichment, enrichment_factor, rank_correlation
from xinglin.apps.drugs.dock.known import PER_ATOM, SCORE, SIZE, Known, check_known, read_known
from xinglin.apps.drugs.dock.options import DockOptions
from xinglin.apps.drugs.dock.poses import symmetric_rmsd
from xinglin.errors import InvalidInputError


@given(st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=4, max_size=60))
@settings(max_examples=60, deadline=None)
def test_figures_are_those_of_other_libraries(rows: list[tuple[int, bool]]) -> None:
    goodness = np.array([float(value) for value, _ in rows])
    active = np.array([flag for _, flag in rows])
    if active.all() or not active.any():
        assert np.isnan(area(goodness, active))
        return
    assert area(goodness, active) == pytest.approx(roc_auc_score(active, goodness))
    if np.ptp(goodness):
        other = np.arange(len(rows), dtype=float)
        assert rank_correlation(goodness, other) == pytest.approx(spearmanr(goodness, other).statistic)
    # Enrichment with ties is the mean over all orders: estimated by shuffles.
    generator = np.random.default_rng(0)
    count = max(1, round(0.2 * len(rows)))
    shuffled = []
    for _ in range(400):
        order = np.lexsort((generator.random(len(rows)), -goodness))[:count]
        shuffled.append(active[order].mean() / active.mean())
    assert enrichment_factor(goodness, active, 0.2) == pytest.approx(
        np.mean(shuffled), abs=0.35 / active.mean() / count**0.5
    )


def test_enrichment_by_hand() -> None:
    active = np.zeros(200, bool)
    active[:20] = True
    best = np.arange(200, 0, -1.0)
    assert enrichment_factor(best, active) == pytest.approx(10.0)
    assert enrichment_factor(-best, active) == 0.0
    assert enrichment_factor(np.zeros(200), active) == pytest.approx(1.0)


def test_what_was_not_docked_ranks_last() -> None:
    active = np.array([True] * 20 + [False] * 20)
    goodness = np.array([np.nan] * 20 + list(np.linspace(0, 1, 20)))
    found = enrichment(goodness, active, np.full(40, np.nan))
    assert found.auroc.value == 0.0
    assert found.failed == 20
    assert found.spearman is None
    assert not found.better_than_chance
    few = enrichment(goodness[:25], active[:25], np.full(25, np.nan))
    assert few.auroc is None
    assert not few.better_than_chance
    with pytest.raises(InvalidInputError):
        enrichment(goodness, active[:3], goodness)


def molecules() -> list[Known]:
    chains = [Known(f"{n}", f"{n}", "C" * n + "O", True, n / 4) for n in range(2, 14)]
    rings = [Known(f"r{n}", f"r{n}", "C" * n + "c1ccccc1", False, float("nan")) for n in range(1, 13)]
    return chains + rings


def test_a_check_warns_at_chance_and_shows_size_beside() -> None:
    options = DockOptions()
    good = check_known(
        molecules(), options, Told(lambda form: -9.0 - form.heavy_atoms / 100 if "O" in form.smiles else -5.0)
    )
    assert good.ranked.keys() == {SCORE, PER_ATOM, SIZE}
    assert good.ranked[SCORE].auroc.value == 1.0
    assert good.ranked[SCORE].spearman.value == pytest.approx(1.0)
    assert not any("not better than chance" in warning for warning in good.warnings)
    flat = check_known(molecules(), options, Told(lambda form: -float(crc32(form.smiles.encode()) % 7)))
    assert any("not better than chance" in warning for warning in flat.warnings)
    size = check_known(molecules(), options, Told(lambda form: -float(form.heavy_atoms)))
    assert any("size alone" in warning for warning in size.warnings)
    assert size.ranked[SCORE].auroc == size.ranked[SIZE].auroc
    broken = check_known(molecules(), options, Told(lambda form: None if "O" in form.smiles else -5.0))
    assert any("12 " in warning and "rank last" in warning for warning in broken.warnings)
    body = broken.as_json()
    assert body["ranked"][SCORE]["failed"] == 12


def test_known_molecules_are_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "known.csv"
    path.write_text(
        "name,smiles,active,pKi\n"
        + "".join(f"m{n},{'C' * n}O,{n % 2},{n / 2 if n % 2 else ''}\n" for n in range(1, 15))
    )
    found = read_known(path)
    assert len(found) == 14
    assert [item.active for item in found[:2]] == [True, False]
    assert found[0].affinity == 0.5
    assert np.isnan(found[1].affinity)
    path.write_text("smiles,p_activity\n" + "".join(f"{'C' * n}O,{n}\n" for n in range(1, 15)))
    assert all(item.active for item in read_known(path))
    for body, said in (("smiles,active\nCCO,yes\n", "1 or 0"), ("smiles,affinity\nCCO,high\n", "a number"),
                       ("smiles\nCCO\n", "at least 10"), ("x\nCCO\n", "smiles")):  # fmt: skip
        path.write_text(body)
        with pytest.raises(InvalidInputError, match=said):
            read_known(path)


def test_rmsd_knows_symmetry_and_ignores_charges() -> None:
    molecule = Chem.AddHs(Chem.MolFromSmiles("CC(=O)O"))
    AllChem.EmbedMolecule(molecule, randomSeed=1)
    ion = Chem.AddHs(Chem.MolFromSmiles("CC(=O)[O-]"))
    AllChem.EmbedMolecule(ion, randomSeed=1)
    swapped = Chem.RenumberAtoms(Chem.RemoveHs(molecule), [0, 1, 3, 2])
    assert symmetric_rmsd(molecule, swapped) == pytest.approx(0.0, abs=1e-6)
    ring = Chem.MolFromSmiles("c1ccccc1C")
    AllChem.EmbedMolecule(ring, randomSeed=1)
    moved = Chem.Mol(ring)
    for index in range(7):
        place = ring.GetConformer().GetAtomPosition(index)
        moved.GetConformer().SetAtomPosition(index, (place.x + 3.0, place.y + 4.0, place.z))
    # The pose is not moved before it is compared; every symmetric partner is tried.
    plain = 5.0
    assert symmetric_rmsd(ring, moved) <= plain + 1e-6
    assert symmetric_rmsd(molecule, ion) < 3.0
    with pytest.raises(InvalidInputError, match="same molecule"):
        symmetric_rmsd(ring, molecule)
