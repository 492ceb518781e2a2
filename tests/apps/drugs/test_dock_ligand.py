"""Ligands: what form is docked, what is said about it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from xinglin.apps.drugs.dock.ligand import given_conformer, ligand_form, prepare_ligand
from xinglin.apps.drugs.dock.options import DockOptions
from xinglin.errors import ConfigurationError, DockingError, InvalidInputError

OPTIONS = DockOptions(exhaustiveness=1)


@pytest.mark.parametrize(
    ("drawn", "docked"),
    [
        ("CC(=O)Oc1ccccc1C(=O)O", "CC(=O)Oc1ccccc1C(=O)[O-]"),  # aspirin
        ("CC(=O)Oc1ccccc1C(=O)[O-].[Na+]", "CC(=O)Oc1ccccc1C(=O)[O-]"),
        ("CN1CCN(Cc2ccccc2)CC1", "C[NH+]1CCN(Cc2ccccc2)CC1"),  # the methyl end, as in imatinib
        ("NC(=N)c1ccccc1", "NC(=[NH2+])c1ccccc1"),  # benzamidine
        ("CNC(=N)NC", "CNC(=[NH2+])NC"),
        ("CC(C)N", "CC(C)[NH3+]"),
        ("NCCN", "NCC[NH3+]"),  # one of two close amines
        ("NCCCCCCN", "[NH3+]CCCCCC[NH3+]"),
        ("CC(=O)NC", "CNC(C)=O"),  # an amide is no base
        ("Nc1ccccc1", "Nc1ccccc1"),  # nor is aniline
        ("c1ccncc1", "c1ccncc1"),
        ("CS(=O)(=O)N", "CS(N)(=O)=O"),
        ("C1COCCN1c1ccccc1", "c1ccc(N2CCOCC2)cc1"),
        ("OP(=O)(O)Oc1ccccc1", "O=P([O-])([O-])Oc1ccccc1"),
        ("CC#N", "CC#N"),
    ],
)
def test_charges_of_ph7(drawn: str, docked: str) -> None:
    assert ligand_form(drawn, OPTIONS).smiles == Chem.CanonSmiles(docked)


def test_what_was_changed_is_noted_and_the_key_is_that_of_the_parent() -> None:
    salt, acid = (
        ligand_form(text, OPTIONS) for text in ("CC(=O)Oc1ccccc1C(=O)[O-].[Na+]", "CC(=O)Oc1ccccc1C(=O)O")
    )
    assert salt.inchikey == acid.inchikey == "BSYNRYMUTXBXSQ-UHFFFAOYSA-N"
    assert any("salt" in note for note in salt.notes)
    assert any("carboxylic acid charged" in note for note in acid.notes)
    drawn = ligand_form("CC(=O)Oc1ccccc1C(=O)O", DockOptions(protonation="as-drawn"))
    assert "[O-]" not in drawn.smiles
    assert drawn.heavy_atoms == 13


def test_open_stereochemistry_is_said_and_stated_is_kept() -> None:
    open_ = prepare_ligand(ligand_form("CC(O)c1ccccc1", OPTIONS), OPTIONS)
    assert any("at 1 place" in note for note in open_.notes)
    assert prepare_ligand(ligand_form("C[C@H](O)c1ccccc1", OPTIONS), OPTIONS).notes == ()
    assert prepare_ligand(ligand_form("FC(Cl)=CBr", OPTIONS), OPTIONS).notes != ()
    assert prepare_ligand(ligand_form("F/C(Cl)=C/Br", OPTIONS), OPTIONS).notes == ()


def test_the_same_seed_gives_the_same_conformer() -> None:
    form = ligand_form("CCOC(=O)c1ccccc1N", OPTIONS)
    assert prepare_ligand(form, OPTIONS).pdbqt == prepare_ligand(form, OPTIONS).pdbqt
    assert prepare_ligand(form, OPTIONS).pdbqt != prepare_ligand(form, DockOptions(seed=1)).pdbqt


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("C1CC", "valid SMILES"),
        ("[Na+].[Cl-]", "."),
        ("CC[Pt]CC", "metal"),
        ("c1ccccc1CCCCCCCCCCCC.c1ccncc1CCCCCCCCCCCCO", "mixture|parts"),
    ],
)
def test_what_is_no_ligand_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        ligand_form(text, OPTIONS)


def test_what_is_too_large_or_too_loose_is_refused() -> None:
    with pytest.raises(DockingError, match="at most 100"):
        ligand_form("C" * 101, OPTIONS)
    with pytest.raises(DockingError, match="rotatable bonds"):
        prepare_ligand(ligand_form("C" * 40, OPTIONS), OPTIONS)


def test_settings_decide_the_digest_and_the_timeout_does_not() -> None:
    base = DockOptions().digest("t")
    assert DockOptions(timeout=5).digest("t") == base
    others = [
        DockOptions(seed=1),
        DockOptions(exhaustiveness=2),
        DockOptions(scoring="vinardo"),
        DockOptions(protonation="as-drawn"),
    ]
    assert len({base, DockOptions().digest("u"), *(other.digest("t") for other in others)}) == 6
    for bad in ({"exhaustiveness": 0}, {"timeout": 0.0}, {"seed": -1}):
        with pytest.raises(ConfigurationError):
            DockOptions(**bad)


def test_a_conformer_that_is_given_is_kept(data: Path) -> None:
    path = data / "molecules" / "docking-abl1" / "1iep_ligand.sdf"
    crystal = next(iter(Chem.SDMolSupplier(str(path), removeHs=False)))
    ligand = given_conformer(crystal, OPTIONS)
    assert ligand.notes == ("the conformer given, not one made",)
    written = [line for line in ligand.pdbqt.splitlines() if line.startswith("ATOM")]
    assert len(written) >= 37
    there = np.array([[float(line[at : at + 8]) for at in (30, 38, 46)] for line in written])
    apart = np.linalg.norm(there[:, None] - crystal.GetConformer().GetPositions()[None], axis=-1)
    assert apart.min(axis=1).max() < 0.002
    with pytest.raises(DockingError, match="hydrogens"):
        given_conformer(Chem.RemoveHs(crystal), OPTIONS)
    with pytest.raises(DockingError, match="three dimensions"):
        given_conformer(Chem.MolFromSmiles("CCO"), OPTIONS)
