"""What the view shows: the pocket's atoms and bonds, ligands in their poses, polar contacts, the box."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.apps.drugs.target.box import Array, Box
from xinglin.apps.drugs.target.target import Target

AROUND = 5.0
"""Ångström around ligands within which residues are drawn."""
POLAR = 3.5
"""Between nitrogen or oxygen of ligand and receptor, Ångström: drawn as a contact, whatever the angle."""
BONDED = 1.95
"""Ångström up to which two atoms of a receptor are drawn as bonded (S-S 2.05 is not)."""
METALS = ("ZN", "MG", "MN", "FE", "CA", "CU", "CO", "NI")
_ELEMENT = {"A": "C", "OA": "O", "NA": "N", "SA": "S", "NS": "N", "OS": "O"}


@dataclass(frozen=True, slots=True)
class PocketAtoms:
    """Atoms of a receptor other than hydrogen."""

    elements: list[str]
    places: Array
    residues: list[str]
    names: list[str]


@dataclass(frozen=True, slots=True)
class PosedLigand:
    """A ligand's atoms other than hydrogen, in the receptor's frame."""

    name: str
    elements: list[str]
    places: Array
    bonds: list[list[int]]


def bare_ligand(name: str, places: Array) -> PosedLigand:
    """Return a ligand of which only positions are known: carbon, bonded by distance."""
    return PosedLigand(name, ["C"] * len(places), places, _bonds(places))


def receptor(pdbqt: str) -> PocketAtoms:
    """Return a receptor's atoms other than hydrogen."""
    elements, places, residues, names = [], [], [], []
    for line in pdbqt.splitlines():
        kind = line[77:79].strip()
        if not line.startswith(("ATOM  ", "HETATM")) or kind in ("H", "HD", "HS"):
            continue
        elements.append(_ELEMENT.get(kind, kind.upper()))
        places.append([float(line[30:38]), float(line[38:46]), float(line[46:54])])
        residues.append(f"{line[21].strip()}:{line[17:20].strip()}{line[22:27].strip()}".lstrip(":"))
        names.append(line[12:16].strip())
    return PocketAtoms(elements, np.asarray(places, float), residues, names)


def scene(target: Target, ligands: Sequence[PosedLigand] = (), *, box: bool = True) -> dict[str, Any]:
    """Return a scene as JSON values, centred on the box.

    Args:
        target: receptor and box.
        ligands: in their poses.
        box: whether its edges are drawn.
    """
    atoms = receptor(target.receptor)
    middle = np.asarray(target.box.center)
    around = [ligand.places for ligand in ligands]
    near = _near(atoms, np.concatenate(around)) if around else target.box.holds(atoms.places)
    wanted = {atoms.residues[i] for i in np.flatnonzero(near)}
    kept = [i for i, residue in enumerate(atoms.residues) if residue in wanted]
    places = atoms.places[kept] - middle
    several = len({residue.split(":")[0] for residue in atoms.residues if ":" in residue}) > 1
    labels = [
        [atoms.residues[i] if several else atoms.residues[i].split(":")[-1], _short(atoms.places[i] - middle)]
        for i in kept if atoms.names[i] in ("CA", "C1'") or atoms.elements[i] in METALS
    ]  # fmt: skip
    shown = []
    for ligand in ligands:
        moved = ligand.places - middle
        shown.append(
            {
                "name": ligand.name,
                "atoms": [
                    [element, *_short(place)] for element, place in zip(ligand.elements, moved, strict=True)
                ],
                "bonds": ligand.bonds,
                "contacts": _contacts(ligand.elements, moved, [atoms.elements[i] for i in kept], places),
            }
        )
    edges = _edges(target.box) if box else []
    reach = [float(np.linalg.norm(ligand - middle, axis=1).max()) + 2 for ligand in around] or [
        max(target.box.size) / 2
    ]
    if box:
        reach.append(float(np.linalg.norm(target.box.size) / 2))
    return {
        "pocket": {
            "atoms": [[atoms.elements[i], *_short(place)] for i, place in zip(kept, places, strict=True)],
            "bonds": _bonds(places),
        },
        "ligands": shown,
        "labels": labels,
        "box": edges,
        "reach": reach,
    }


def _short(point: Array) -> list[float]:
    return [round(float(value), 2) for value in point]


def posed_ligand(name: str, molecule: Any) -> PosedLigand:
    """Return an RDKit molecule's first conformer as a ligand."""
    atoms = [atom.GetIdx() for atom in molecule.GetAtoms() if atom.GetAtomicNum() > 1]
    order = {index: new for new, index in enumerate(atoms)}
    bonds = [
        [order[bond.GetBeginAtomIdx()], order[bond.GetEndAtomIdx()]]
        for bond in molecule.GetBonds()
        if bond.GetBeginAtomIdx() in order and bond.GetEndAtomIdx() in order
    ]
    elements = [molecule.GetAtomWithIdx(index).GetSymbol().upper() for index in atoms]
    return PosedLigand(
        name, elements, np.asarray(molecule.GetConformer().GetPositions()[atoms], float), bonds
    )


def _near(atoms: PocketAtoms, points: Array) -> NDArray[np.bool_]:
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(points).query(atoms.places, distance_upper_bound=AROUND)
    return np.asarray(np.isfinite(distance))


def _bonds(places: Array) -> list[list[int]]:
    from scipy.spatial import cKDTree

    if len(places) == 0:
        return []
    return [[int(i), int(j)] for i, j in sorted(cKDTree(places).query_pairs(BONDED))]


def _contacts(
    elements: Sequence[str], places: Array, others: Sequence[str], at: Array
) -> list[list[list[float]]]:
    found = []
    polar = [i for i, element in enumerate(others) if element in ("N", "O")]
    for element, place in zip(elements, places, strict=True):
        if element in ("N", "O"):
            for i in polar:
                if np.linalg.norm(at[i] - place) <= POLAR:
                    found.append([_short(place), _short(at[i])])
    return found


def _edges(box: Box) -> list[list[list[float]]]:
    half = np.asarray(box.size) / 2
    corners = [np.array(signs) * half for signs in itertools.product((-1, 1), repeat=3)]
    return [
        [_short(one), _short(other)]
        for one, other in itertools.combinations(corners, 2)
        if int((one != other).sum()) == 1
    ]
