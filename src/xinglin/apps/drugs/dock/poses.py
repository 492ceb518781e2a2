"""Poses: PDBQT -> a molecule with bonds, RMSD under symmetry, SDF."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from xinglin.apps.drugs.dock.run import Docked
from xinglin.errors import DockingError, InvalidInputError


def pose_molecule(pose: str) -> Any:
    """Return the RDKit molecule of a pose, with all hydrogens placed.

    Raises:
        DockingError: the PDBQT is not one that Meeko wrote.
    """
    from meeko import PDBQTMolecule, RDKitMolCreate

    try:
        molecules = RDKitMolCreate.from_pdbqt_mol(PDBQTMolecule(pose, skip_typing=True))
    except (RuntimeError, ValueError, KeyError, IndexError) as error:
        raise DockingError(f"a pose cannot be read: {' '.join(str(error).split())[:160]}") from error
    if not molecules or molecules[0] is None:
        raise DockingError("a pose cannot be read: it does not name its molecule")
    return molecules[0]


def symmetric_rmsd(first: Any, second: Any) -> float:
    """Return the RMSD (Å) of two poses of one molecule, least over its symmetries, without moving either.

    Charges and hydrogens may differ.

    Raises:
        InvalidInputError: the molecules are not the same.
    """
    from rdkit.Chem import rdMolAlign

    one, other = _skeleton(first), _skeleton(second)
    matches = other.GetSubstructMatches(one, uniquify=False, maxMatches=100_000)
    if not matches or one.GetNumAtoms() != other.GetNumAtoms():
        raise InvalidInputError("RMSD: expected two poses of the same molecule")
    maps = [list(enumerate(match)) for match in matches]
    return float(rdMolAlign.CalcRMS(one, other, map=maps))


def _skeleton(molecule: Any) -> Any:
    """Atoms other than hydrogen with single bonds: neither charges nor Kekulé forms matter."""
    from rdkit import Chem

    bare = Chem.RWMol(Chem.RemoveAllHs(molecule, sanitize=False))
    for atom in bare.GetAtoms():
        atom.SetFormalCharge(0)
        atom.SetIsAromatic(False)
        atom.SetNoImplicit(True)
        atom.SetNumExplicitHs(0)
        atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
    for bond in bare.GetBonds():
        bond.SetIsAromatic(False)
        bond.SetBondType(Chem.BondType.SINGLE)
    return bare.GetMol()


def write_sdf(path: Path, rows: Iterable[tuple[str, Docked]]) -> int:
    """Write the poses of (name, row), with score and notes as data fields; rows without a pose are left out.

    Returns:
        How many were written.
    """
    from rdkit import Chem

    count = 0
    with Chem.SDWriter(str(path)) as writer:
        for name, row in rows:
            if row.answer.pose is None or row.score is None:
                continue
            molecule = pose_molecule(row.answer.pose)
            molecule.SetProp("_Name", name)
            molecule.SetProp("SMILES", row.smiles)
            molecule.SetProp("score_kcal_mol", f"{row.score:.3f}")
            if row.notes:
                molecule.SetProp("notes", "; ".join(row.notes))
            writer.write(molecule)
            count += 1
    return count
