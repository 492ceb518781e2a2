"""Every oddity of a structure is named, and what is said was done was done."""

from __future__ import annotations

from pathlib import Path

import gemmi
import numpy as np
import pytest

from tests.apps.drugs.structures import abl1, add_hetero, add_ligand, piece, residue
from xinglin.apps.drugs.target.clean import HEAVY, Cleaning, clean
from xinglin.apps.drugs.target.remarks import Remark
from xinglin.errors import InvalidInputError

PROTEIN = Cleaning()


def told(
    structure: gemmi.Structure, options: Cleaning = PROTEIN
) -> tuple[gemmi.Structure, dict[str, Remark]]:
    cleaned = clean(structure, options)
    return cleaned.structure, {remark.kind: remark for remark in cleaned.remarks}


def atoms(structure: gemmi.Structure, number: int) -> set[str]:
    return {atom.name for atom in residue(structure, number) if not atom.is_hydrogen()}


def test_a_whole_chain_has_nothing_odd_and_keeps_every_atom(data: Path) -> None:
    structure = piece(data, 230, 340)
    cleaned, said = told(structure)
    assert said == {}
    assert cleaned[0].count_atom_sites() == structure[0].count_atom_sites()


def test_expected_counts_of_atoms_are_those_of_the_residues_at_hand(data: Path) -> None:
    structure = piece(data, 230, 497, hydrogens=False)
    counted = {item.name: len(item) for item in structure[0]["A"]}
    assert len(counted) == 20
    assert counted == HEAVY


def test_missing_side_chain_is_cut_back(data: Path) -> None:
    structure = piece(data, 300, 340, hydrogens=False)
    for number, name in ((315, "CG2"), (317, "CB")):
        item = residue(structure, number)
        item.remove_atom(name, "\0")
    cleaned, said = told(structure)
    assert said["missing-atoms"].warning
    assert said["missing-atoms"].where == ("A:THR:315→ALA", "A:PHE:317→GLY")
    assert atoms(cleaned, 315) == {"N", "CA", "C", "O", "CB"}
    assert atoms(cleaned, 317) == {"N", "CA", "C", "O"}
    assert len(residue(structure, 315)) == 6  # what was given is untouched


def test_missing_backbone_removes_the_residue_and_breaks_the_chain(data: Path) -> None:
    structure = piece(data, 300, 340, hydrogens=False)
    residue(structure, 320).remove_atom("C", "\0")
    cleaned, said = told(structure)
    assert said["missing-backbone"].where == ("A:TYR:320",)
    assert said["break"].where[0].startswith("A:319–321 (1, ")
    assert [item.seqid.num for item in cleaned[0]["A"]] == [*range(300, 320), *range(321, 341)]


def test_a_gap_is_counted(data: Path) -> None:
    structure = piece(data, 300, 340)
    chain = structure[0]["A"]
    for index in reversed(range(10, 15)):
        del chain[index]
    _, said = told(structure)
    assert "5 residues" in said["break"].en
    assert said["break"].where[0].startswith("A:309–315 (5, ")


def test_alternate_location_of_highest_occupancy_stays(data: Path) -> None:
    structure = piece(data, 300, 340, hydrogens=False)
    for number, occupancy in ((315, (0.3, 0.7)), (317, (0.5, 0.5))):
        item = residue(structure, number)
        for atom in [atom.clone() for atom in item if atom.name not in ("N", "CA", "C", "O")]:
            item.remove_atom(atom.name, "\0")
            for letter, share in zip("AB", occupancy, strict=True):
                copy = atom.clone()
                copy.altloc, copy.occ = letter, share
                copy.pos = gemmi.Position(atom.pos.x + (letter == "B"), atom.pos.y, atom.pos.z)
                item.add_atom(copy)
    cleaned, said = told(structure)
    assert said["altloc"].where == ("A:THR:315=B", "A:PHE:317=A")
    before = residue(piece(data, 300, 340), 315).find_atom("OG1", "\0").pos.x
    assert residue(cleaned, 315).find_atom("OG1", "*").pos.x == pytest.approx(before + 1)
    assert len(residue(cleaned, 315)) == HEAVY["THR"]
    assert not any(atom.atom.has_altloc() for atom in cleaned[0].all())


def test_of_two_residues_at_one_place_the_more_occupied_stays(data: Path) -> None:
    structure = piece(data, 300, 340, hydrogens=False)
    chain = structure[0]["A"]
    at = [item.seqid.num for item in chain].index(315)
    other = chain[at].clone()
    other.name = "SER"
    other.remove_atom("CG2", "\0")
    for atom in other:
        atom.occ = 0.2
    chain.add_residue(other, at)
    cleaned, said = told(structure)
    assert said["microheterogeneity"].where == ("A:SER:315",)
    assert residue(cleaned, 315).name == "THR"


def test_waters_metals_and_ligands(data: Path) -> None:
    structure = piece(data, 300, 340)
    for number in range(900, 903):
        add_hetero(structure, "HOH", "O", (10.0 + number, 50.0, 10.0), number)
    add_hetero(structure, "ZN", "Zn", (12.0, 55.0, 15.0), 801)
    add_hetero(structure, "NA", "Na", (14.0, 57.0, 15.0), 802)
    add_ligand(structure, abl1(data) / "1iep_ligand.sdf", "STI", 201)
    cleaned, said = told(structure)
    assert "3 waters" in said["water"].en
    assert said["metal"].where == ("A:ZN:801",)
    assert set(said["hetero"].where) == {"A:STI:201", "A:NA:802"}
    assert {item.name for item in cleaned[0]["A"]} <= set(HEAVY)
    result = clean(structure, Cleaning())
    assert result.metals == (("Zn", (12.0, 55.0, 15.0), "A:ZN:801"),)
    assert {item.name for _, item in result.removed} == {"STI", "NA"}
    bare = clean(structure, Cleaning(metals=False))
    assert bare.metals == ()
    kept = clean(structure, Cleaning(keep=("HOH",)))
    assert sum(item.name == "HOH" for item in kept.structure[0]["A"]) == 3


def test_models_chains_and_selenium(data: Path) -> None:
    structure = piece(data, 300, 340)
    model = structure[0].clone()
    model.num = 2
    structure.add_model(model)
    second = structure[0]["A"].clone()
    second.name = "B"
    structure[0].add_chain(second)
    item = residue(structure, 318)
    item.name = "MSE"
    sulfur = item.find_atom("SD", "\0")
    sulfur.name, sulfur.element = "SE", gemmi.Element("Se")
    cleaned, said = told(structure)
    assert len(cleaned) == 1
    assert {"models", "chains", "selenium"} <= said.keys()
    assert residue(cleaned, 318).name == "MET"
    assert residue(cleaned, 318).find_atom("SD", "*").element.name == "S"
    only, said = told(structure, Cleaning(chains=("B",)))
    assert [chain.name for chain in only[0]] == ["B"]
    with pytest.raises(InvalidInputError, match=r"no chain X; the file has A, B"):
        clean(structure, Cleaning(chains=("X",)))


def test_scattered_records_are_joined_in_order(data: Path) -> None:
    structure = gemmi.read_structure(str(abl1(data) / "1iep_receptorH.pdb"))
    cleaned, said = told(structure)
    numbers = [item.seqid.num for item in cleaned[0]["A"]]
    assert numbers == sorted(numbers)
    assert said.keys() == {"interrupted"}
    assert cleaned[0].count_atom_sites() == 4412
    assert np.isfinite([atom.atom.pos.tolist() for atom in cleaned[0].all()]).all()
