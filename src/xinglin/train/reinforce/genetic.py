"""Children of molecules: crossover and mutation on molecular graphs.

Jensen, "A graph-based genetic algorithm and generative model/Monte Carlo tree search for the exploration of chemical
space", Chem. Sci. 2019, 10, 3567 (GB-GA): two parents are cut at an acyclic single bond or through a ring, halves are
exchanged, and the child is mutated by one of seven graph edits. Parents are drawn by rank as in Kim et al.,
"Genetic-guided GFlowNets for sample efficient molecular optimization", NeurIPS 2024.

How we differ: graphs are edited directly and not through reaction SMARTS; a ring may be cut at any two of its bonds
that part the molecule; rings up to seven atoms are kept (there: six); the size bound is fixed and not drawn; stereo
marks, isotopes and radicals are dropped, for an edit seldom leaves them meaningful.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np

from xinglin.errors import InvalidInputError, MissingExtraError
from xinglin.train.reinforce.mutations import mutate

try:
    from rdkit import Chem, rdBase
except ImportError as error:  # pragma: no cover
    raise MissingExtraError("train.reinforce.genetic", "drugs") from error

LARGEST_RING = 7
STRAINED = tuple(
    map(Chem.MolFromSmarts, ("[r3,r4]=;@[r3,r4]", "[a;r3,r4]-;@[a;r3,r4]", "*=;@*=;@*", "*#;@*"))
)
"""Double bonds and bridges of aromatic rings in rings of three or four; allenes and triple bonds in rings."""
TRIES = 25
"""Attempts a wanted child before giving up: parents may be unfit to breed (methane with methane)."""


@dataclass(frozen=True)
class Breeding:
    """How children are made."""

    mutation_rate: float = 0.067
    """Share of crossover's children that are mutated too; 0.067 is the Graph GA of the PMO benchmark."""
    alone_rate: float = 0.0
    """Share of children that come from one parent by mutation, without crossover."""
    rank_coefficient: float = 0.01
    """k in the weight 1 / (k N + rank) of a parent, rank 0 the best of N; large is uniform."""
    smallest: int = 6
    """Fewest heavy atoms of a child."""
    largest: int = 40
    """Most heavy atoms of a child; GB-GA draws it around 39.15."""


@dataclass(frozen=True)
class _Parent:
    """A Kekulé graph without marks, and where it can be cut."""

    mol: Any
    acyclic: tuple[int, ...]
    """Single bonds outside of rings."""
    rings: tuple[tuple[int, ...], ...]
    """Bonds of each ring."""
    atoms: tuple[Any, ...]
    bonds: tuple[tuple[int, int, Any], ...]
    """(begin, end, type) of each bond."""
    neighbours: tuple[tuple[tuple[int, int], ...], ...]
    """(atom, bond) pairs of each atom."""


@dataclass(frozen=True)
class _Half:
    """One side of a cut: atoms of the parent, and the cut bonds."""

    parent: _Parent
    atoms: tuple[int, ...]
    ends: tuple[tuple[int, Any], ...]
    """(own atom, bond type) of each cut bond."""
    cut: tuple[int, ...]


def offspring(
    parents: Sequence[tuple[float, str]], count: int, *, seed: int, options: Breeding | None = None
) -> list[str]:
    """Return up to ``count`` different valid children, none of them a parent, as canonical SMILES.

    ``parents`` are (score, SMILES), higher is better. Fewer come back where the parents allow no more.

    Raises:
        InvalidInputError: no parent, a parent that is no valid SMILES, or a score that is no number.
    """
    options = options or Breeding()
    if not parents:
        raise InvalidInputError("offspring needs at least one parent as (score, SMILES), got none")
    if not np.isfinite([score for score, _ in parents]).all():
        raise InvalidInputError("a parent's score is not a finite number; leave unscored molecules out")
    draw = random.Random(seed)
    ranked = sorted(parents, key=lambda parent: (-parent[0], parent[1]))
    graphs = [_prepare(smiles) for _, smiles in ranked]
    cumulative = list(
        accumulate(1 / (options.rank_coefficient * len(graphs) + rank + 1e-12) for rank in range(len(graphs)))
    )
    known = {smiles for _, smiles in parents} | {Chem.MolToSmiles(graph.mol) for graph in graphs}
    children: list[str] = []
    with rdBase.BlockLogs():
        for _ in range(TRIES * count):
            if len(children) >= count:
                break
            child = _child(draw, graphs, cumulative, options)
            if child is not None and child not in known:
                known.add(child)
                children.append(child)
    return children


def _child(
    draw: random.Random, graphs: list[_Parent], cumulative: list[float], options: Breeding
) -> str | None:
    first, second = draw.choices(graphs, cum_weights=cumulative, k=2)
    if draw.random() < options.alone_rate:
        grown = mutate(Chem.RWMol(first.mol), draw)
    else:
        grown = _cross(first, second, draw)
        if grown is not None and draw.random() < options.mutation_rate:
            grown = mutate(grown, draw) if _sound(grown, options) and _kekulise(grown) else None
    if grown is None or not _sound(grown, options):
        return None
    smiles = str(Chem.MolToSmiles(grown))
    # A child is what its SMILES says: one that cannot be read back is none.
    return smiles if Chem.MolFromSmiles(smiles) is not None else None


def _sound(mol: Any, options: Breeding) -> bool:
    """Sanitise in place; say whether valences, size and rings are acceptable."""
    if not options.smallest <= mol.GetNumAtoms() <= options.largest:
        return False
    if Chem.SanitizeMol(mol, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
        return False
    rings = mol.GetRingInfo().AtomRings()
    if any(len(ring) > LARGEST_RING for ring in rings):
        return False
    return not any(mol.HasSubstructMatch(pattern) for pattern in STRAINED)


def _kekulise(mol: Any) -> bool:
    try:
        Chem.Kekulize(mol, clearAromaticFlags=True)
    except Chem.KekulizeException:
        return False
    return True


@lru_cache(maxsize=8192)
def _prepare(smiles: str) -> _Parent:
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles)
    if mol is None or not mol.GetNumAtoms():
        raise InvalidInputError("a parent is no valid SMILES; check it with records.molecules.standardise")
    # Of several parts the largest breeds: a salt's ion has no place in a child.
    parts = Chem.GetMolFrags(mol, asMols=True)
    mol = Chem.RWMol(max(parts, key=lambda part: part.GetNumHeavyAtoms()))
    Chem.RemoveStereochemistry(mol)
    for atom in mol.GetAtoms():
        atom.SetIsotope(0)
        atom.SetAtomMapNum(0)
        atom.SetNumRadicalElectrons(0)
    Chem.Kekulize(mol, clearAromaticFlags=True)
    for atom in mol.GetAtoms():
        # Hydrogens follow the valence from here on: [nH] and [NH+] may be cut or grown like any other atom.
        atom.SetNoImplicit(False)
        atom.SetNumExplicitHs(0)
    Chem.SanitizeMol(mol)
    Chem.Kekulize(mol, clearAromaticFlags=True)
    bonds = tuple((b.GetBeginAtomIdx(), b.GetEndAtomIdx(), b.GetBondType()) for b in mol.GetBonds())
    rings = tuple(tuple(ring) for ring in mol.GetRingInfo().BondRings())
    inside = {bond for ring in rings for bond in ring}
    neighbours: list[list[tuple[int, int]]] = [[] for _ in range(mol.GetNumAtoms())]
    for index, (begin, end, _) in enumerate(bonds):
        neighbours[begin].append((end, index))
        neighbours[end].append((begin, index))
    acyclic = tuple(
        index
        for index, (*_, kind) in enumerate(bonds)
        if kind == Chem.BondType.SINGLE and index not in inside
    )
    return _Parent(mol, acyclic, rings, tuple(mol.GetAtoms()), bonds, tuple(map(tuple, neighbours)))


def _cross(first: _Parent, second: _Parent, draw: random.Random) -> Any:
    """Return the unsanitised child of a half of each parent, or None."""
    ring = draw.random() < 0.5
    one, other = (_cut_ring(p, draw) if ring else _cut_bond(p, draw) for p in (first, second))
    if one is None or other is None:
        return None
    ends = list(other.ends)
    draw.shuffle(ends)
    child = Chem.RWMol()
    place = _paste(child, one), _paste(child, other)
    for (here, kind), (there, wanted) in zip(one.ends, ends, strict=True):
        begin, end = place[0][here], place[1][there]
        if child.GetBondBetweenAtoms(begin, end) is not None:
            return None
        child.AddBond(begin, end, draw.choice((kind, wanted)))
    return child


def _cut_bond(parent: _Parent, draw: random.Random) -> _Half | None:
    return _part(parent, (draw.choice(parent.acyclic),), draw) if parent.acyclic else None


def _cut_ring(parent: _Parent, draw: random.Random) -> _Half | None:
    """Cut two bonds of one ring that together part the molecule; fused bonds do not and are tried again."""
    if not parent.rings:
        return None
    for _ in range(5):
        half = _part(parent, tuple(draw.sample(draw.choice(parent.rings), 2)), draw)
        if half is not None:
            return half
    return None


def _part(parent: _Parent, cut: tuple[int, ...], draw: random.Random) -> _Half | None:
    """Return the half on a random side of the cut bonds, or None where they do not part the molecule in two."""
    start = parent.bonds[cut[0]][draw.randrange(2)]
    seen = {start}
    stack = [start]
    while stack:
        for atom, bond in parent.neighbours[stack.pop()]:
            if bond not in cut and atom not in seen:
                seen.add(atom)
                stack.append(atom)
    ends = []
    for begin, end, kind in (parent.bonds[index] for index in cut):
        if (begin in seen) == (end in seen):
            return None
        ends.append((begin if begin in seen else end, kind))
    return _Half(parent, tuple(sorted(seen)), tuple(ends), cut)


def _paste(child: Any, half: _Half) -> dict[int, int]:
    """Copy a half into the child; return child atom by parent atom."""
    place = {atom: child.AddAtom(half.parent.atoms[atom]) for atom in half.atoms}
    for index, (begin, end, kind) in enumerate(half.parent.bonds):
        if begin in place and end in place and index not in half.cut:
            child.AddBond(place[begin], place[end], kind)
    return place
