"""The charges a ligand is docked with: a few rules for pH 7.4 (authored, unreviewed).

Acids that are stronger than water lose their proton, aliphatic amines, amidines and guanidines take one; of amines that
are close together only one. This is no pKa calculation: a group between the classes may be wrong, so every change is
noted with the result.
"""

from __future__ import annotations

import functools
from typing import Any

ACIDS = (
    ("carboxylic acid", "[CX3](=O)[OX2H1:1]"),
    ("sulfonic acid", "[SX4](=O)(=O)[OX2H1:1]"),
    ("phosphoric or phosphonic acid", "[PX4](=O)[OX2H1:1]"),
    ("tetrazole", "c1[nH1:1]nnn1"),
    ("tetrazole", "c1n[nH1:1]nn1"),
)
BASES = (
    ("guanidine or amidine", "[NX3][CX3]([#6,#7;!$([N]C=O)])=[NX2;!$(NC=O);!$(N[#7,#8]);!$(NS);!$(NC#N):1]"),
    ("amine", "[NX3;!$(N[!#6;!#1]);!$(N~[#6;X3,X2]);!$(N-C-[F,Cl,Br,I]);+0:1]"),
)
NEAR = 4
"""Bonds between two basic nitrogens within which only one is charged."""


@functools.cache
def _patterns() -> tuple[tuple[str, Any, int], ...]:
    from rdkit import Chem

    found = []
    for rules, charge in ((ACIDS, -1), (BASES, 1)):
        for name, smarts in rules:
            pattern = Chem.MolFromSmarts(smarts)
            found.append((name, pattern, charge))
    return tuple(found)


def charged(molecule: Any) -> tuple[Any, tuple[str, ...]]:
    """Return a neutral molecule with the charges of pH 7.4, and what was changed.

    Args:
        molecule: RDKit molecule without explicit hydrogens.
    """
    from rdkit import Chem

    changed = Chem.Mol(molecule)
    notes: dict[str, int] = {}
    distances = Chem.GetDistanceMatrix(changed)
    plus: list[int] = []
    for name, pattern, charge in _patterns():
        mark = next(atom.GetIdx() for atom in pattern.GetAtoms() if atom.GetAtomMapNum() == 1)
        places = {match[mark] for match in changed.GetSubstructMatches(pattern)}
        for place in sorted(places, key=lambda index: (_weakened(changed, index), index)):
            atom = changed.GetAtomWithIdx(place)
            if atom.GetFormalCharge() != 0:
                continue
            if charge > 0:
                if any(distances[place][other] <= NEAR for other in plus):
                    continue
                plus.append(place)
            hydrogens = atom.GetTotalNumHs()
            atom.SetFormalCharge(charge)
            atom.SetNoImplicit(True)
            atom.SetNumExplicitHs(hydrogens + charge)
            notes[name] = notes.get(name, 0) + 1
    Chem.SanitizeMol(changed)
    return changed, tuple(f"pH 7.4: {name} charged x{count}" for name, count in notes.items())


def _weakened(molecule: Any, index: int) -> int:
    """How many aromatic rings, unsaturations or heteroatoms sit two bonds from an atom: they weaken a base."""
    atom = molecule.GetAtomWithIdx(index)
    weak = 0
    for neighbour in atom.GetNeighbors():
        for far in neighbour.GetNeighbors():
            if far.GetIdx() != index:
                unsaturated = far.GetIsAromatic() or any(
                    bond.GetBondTypeAsDouble() > 1 for bond in far.GetBonds()
                )
                weak += unsaturated or far.GetAtomicNum() not in (1, 6)
    return weak
