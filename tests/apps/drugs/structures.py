"""Structures derived from 1IEP by damage: what a deposited file may look like."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gemmi
import pytest


def abl1(data: Path) -> Path:
    folder = data / "molecules" / "docking-abl1"
    if not folder.is_dir():
        pytest.skip("docking-abl1 is not in the data folder")
    return folder


def piece(data: Path, first: int, last: int, *, hydrogens: bool = True) -> gemmi.Structure:
    """Residues ``first`` to ``last`` of ABL1, with a title line so that it is a file of its own."""
    structure = gemmi.read_structure(str(abl1(data) / "1iep_receptorH.pdb"))
    chain = structure[0]["A"]
    residues = sorted((residue.clone() for residue in chain), key=lambda residue: residue.seqid.num)
    while len(chain):
        del chain[0]
    for residue in residues:
        if first <= residue.seqid.num <= last:
            chain.add_residue(residue)
    if not hydrogens:
        structure.remove_hydrogens()
    return structure


def residue(structure: gemmi.Structure, number: int, chain: str = "A") -> gemmi.Residue:
    return next(item for item in structure[0][chain] if item.seqid.num == number)


def add_hetero(
    structure: gemmi.Structure, name: str, element: str, place: tuple[float, float, float], number: int
) -> None:
    added = gemmi.Residue()
    added.name, added.seqid, added.het_flag = name, gemmi.SeqId(number, " "), "H"
    atom = gemmi.Atom()
    atom.name, atom.element, atom.pos, atom.occ = name, gemmi.Element(element), gemmi.Position(*place), 1.0
    added.add_atom(atom)
    structure[0]["A"].add_residue(added)


def add_ligand(structure: gemmi.Structure, sdf: Path, name: str, number: int, chain: str = "A") -> None:
    """Put the heavy atoms of an SDF into the structure as a residue."""
    lines = sdf.read_text().splitlines()
    added = gemmi.Residue()
    added.name, added.seqid, added.het_flag = name, gemmi.SeqId(number, " "), "H"
    for count, line in enumerate(lines[4 : 4 + int(lines[3][:3])], 1):
        x, y, z, element = line.split()[:4]
        if element != "H":
            atom = gemmi.Atom()
            atom.name, atom.element = f"{element}{count}", gemmi.Element(element)
            atom.pos, atom.occ = gemmi.Position(float(x), float(y), float(z)), 1.0
            added.add_atom(atom)
    structure[0][chain].add_residue(added)


def save(structure: gemmi.Structure, path: Path) -> Path:
    structure.setup_entities()
    if path.suffix == ".cif":
        structure.assign_label_seq_id()
        structure.make_mmcif_document().write_file(str(path))
    else:
        path.write_text(structure.make_pdb_string())
    return path


def kinds(remarks: Any) -> Iterator[str]:
    return (remark.kind for remark in remarks)
