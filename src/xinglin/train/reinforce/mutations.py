"""Seven edits of a molecular graph: the mutations of Jensen's graph-based genetic algorithm (Chem. Sci. 2019, 10, 3567).

Each takes a Kekulé graph (no aromatic flags, hydrogens implicit), edits it in place and says whether it found a place;
the result is not sanitised, for most wrong valences are cheaper to refuse than to foresee.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from xinglin.errors import MissingExtraError

try:
    from rdkit import Chem
except ImportError as error:  # pragma: no cover
    raise MissingExtraError("train.reinforce.mutations", "drugs") from error

ELEMENTS = (6, 7, 8, 9, 16, 17, 35)
"""Atoms that a mutation brings: C, N, O, F, S, Cl, Br."""
CHAIN = (6, 7, 8, 16)
"""Those of them with two bonds to give."""
SINGLE, DOUBLE, TRIPLE = Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE
RING_SPANS = (2, 3, 4, 4, 4, 5, 5, 5)
"""Bonds between two atoms that a new ring joins, by their odds: rings of five and six are the most."""


def mutate(mol: Any, draw: random.Random) -> Any:
    """Return the Kekulé graph ``mol`` after one random edit, unsanitised, or None where ten edits found no place."""
    for _ in range(10):
        if draw.choice(EDITS)(mol, draw):
            return mol
    return None


def _append(mol: Any, draw: random.Random) -> bool:
    """Hang an atom on one that bears hydrogen."""
    order = draw.choices((1, 2, 3), (0.60, 0.35, 0.05))[0]
    hosts = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetTotalNumHs() >= order]
    if not hosts:
        return False
    element = draw.choice({1: ELEMENTS, 2: (6, 7, 8), 3: (6, 7)}[order])
    mol.AddBond(draw.choice(hosts), mol.AddAtom(Chem.Atom(element)), _order(order))
    return True


def _insert(mol: Any, draw: random.Random) -> bool:
    """Put an atom into a bond: a-b becomes a-X-b."""
    if not mol.GetNumBonds():
        return False
    bond = mol.GetBondWithIdx(draw.randrange(mol.GetNumBonds()))
    begin, end = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
    if draw.random() < 0.5:
        begin, end = end, begin
    order = 2 if mol.GetAtomWithIdx(begin).GetTotalNumHs() and draw.random() < 0.4 else 1
    middle = mol.AddAtom(Chem.Atom(draw.choice(CHAIN if order == 1 else (6, 7))))
    mol.RemoveBond(begin, end)
    mol.AddBond(begin, middle, _order(order))
    mol.AddBond(middle, end, SINGLE)
    return True


def _delete(mol: Any, draw: random.Random) -> bool:
    """Take an atom out; its neighbours are joined in a row."""
    if mol.GetNumAtoms() < 2:
        return False
    atom = mol.GetAtomWithIdx(draw.randrange(mol.GetNumAtoms()))
    around = [other.GetIdx() for other in atom.GetNeighbors()]
    draw.shuffle(around)
    for one, other in pairwise(around):
        if mol.GetBondBetweenAtoms(one, other) is None:
            mol.AddBond(one, other, SINGLE)
    mol.RemoveAtom(atom.GetIdx())
    return True


def _element(mol: Any, draw: random.Random) -> bool:
    """Change an atom's element; a charge goes with the old element."""
    atom = mol.GetAtomWithIdx(draw.randrange(mol.GetNumAtoms()))
    atom.SetAtomicNum(draw.choice([number for number in ELEMENTS if number != atom.GetAtomicNum()]))
    atom.SetFormalCharge(0)
    return True


def _bond_order(mol: Any, draw: random.Random) -> bool:
    """Lower a multiple bond, or raise one whose ends bear hydrogen."""
    if not mol.GetNumBonds():
        return False
    bond = mol.GetBondWithIdx(draw.randrange(mol.GetNumBonds()))
    free = min(bond.GetBeginAtom().GetTotalNumHs(), bond.GetEndAtom().GetTotalNumHs())
    now = int(bond.GetBondTypeAsDouble())
    wanted = [order for order in (1, 2, 3) if order != now and order - now <= free]
    if not wanted or (now == 1 and free == 0):
        return False
    bond.SetBondType(_order(draw.choices(wanted, [0.1 if order == 3 else 0.9 for order in wanted])[0]))
    return True


def _open_ring(mol: Any, draw: random.Random) -> bool:
    """Take a ring bond out."""
    bonds = [bond for bond in mol.GetBonds() if bond.IsInRing()]
    if not bonds:
        return False
    bond = draw.choice(bonds)
    mol.RemoveBond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())
    return True


def _close_ring(mol: Any, draw: random.Random) -> bool:
    """Join two atoms that bear hydrogen, two to five bonds apart."""
    free = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetTotalNumHs()]
    if len(free) < 2:
        return False
    span = draw.choice(RING_SPANS)
    begin = draw.choice(free)
    apart = Chem.GetDistanceMatrix(mol, force=True)[begin]
    ends = [atom for atom in free if apart[atom] == span]
    if not ends:
        return False
    mol.AddBond(begin, draw.choice(ends), SINGLE)
    return True


def _order(order: int) -> Any:
    return {1: SINGLE, 2: DOUBLE, 3: TRIPLE}[order]


EDITS: tuple[Callable[[Any, random.Random], bool], ...] = (
    _append,
    _insert,
    _delete,
    _element,
    _bond_order,
    _open_ring,
    _close_ring,
)
