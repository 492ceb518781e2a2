"""Scaffolds, and splits that keep a scaffold on one side."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError
from xinglin.records.molecules.parsing import complaint, rdkit, read_smiles, short

Indices = NDArray[np.int64]


@lru_cache(maxsize=65_536)
def murcko(smiles: str) -> str:
    """Return the Bemis-Murcko scaffold as SMILES without stereo (J. Med. Chem. 1996, 39, 2887); empty if acyclic.

    Raises:
        InvalidInputError: not a SMILES that RDKit can read.
    """
    rdkit()
    from rdkit.Chem.Scaffolds import MurckoScaffold

    molecule = read_smiles(smiles)
    if molecule is None:
        raise InvalidInputError(f"expected a valid SMILES, got {short(smiles)}: {complaint(smiles)}")
    smiles_of: Any = MurckoScaffold.MurckoScaffoldSmiles
    return str(smiles_of(mol=molecule, includeChirality=False))


def scaffold_groups(smiles: Sequence[str]) -> NDArray[np.int64]:
    """Return the number of each molecule's scaffold, shape (molecules,); molecules without rings share one."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(murcko(one), len(numbers)) for one in smiles], np.int64)


def scaffold_split(smiles: Sequence[str], fractions: Sequence[float] = (0.8, 0.1, 0.1)) -> list[Indices]:
    """Return the indices of each part, sorted: no scaffold lies in two parts, and nothing is drawn.

    The rule of MoleculeNet (Wu et al. 2018, doi 10.1039/c7sc02664a): scaffolds from the most to the least frequent
    go to the first part that still has room, so that the last part holds the rare ones. Ties go by the first molecule.

    Args:
        smiles: the molecules.
        fractions: share of each part; they sum to 1.

    Raises:
        InvalidInputError: a SMILES that RDKit cannot read, or fractions that do not sum to 1.
    """
    if not fractions or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
        raise InvalidInputError(f"expected fractions >= 0 that sum to 1, got {list(fractions)}")
    groups = scaffold_groups(smiles)
    members = [np.flatnonzero(groups == group) for group in range(int(groups.max(initial=-1)) + 1)]
    members.sort(key=lambda found: (-len(found), int(found[0])))
    room = np.diff(np.floor(np.cumsum([0.0, *fractions]) * len(smiles) + 1e-9))
    parts: list[list[Indices]] = [[] for _ in fractions]
    for found in members:
        part = next((at for at in range(len(parts)) if room[at] >= len(found)), len(parts) - 1)
        parts[part].append(found)
        room[part] -= len(found)
    return [np.sort(np.concatenate(found)) if found else np.empty(0, np.int64) for found in parts]


def scaffold_folds(smiles: Sequence[str], folds: int, *, seed: int) -> NDArray[np.int64]:
    """Return the fold of each molecule, shape (molecules,), 0 .. folds - 1: no scaffold lies in two folds.

    Scaffolds are taken in a drawn order, larger ones first, each to the fold that is smallest so far.

    Raises:
        InvalidInputError: fewer than two folds, or fewer scaffolds than folds.
    """
    groups = scaffold_groups(smiles)
    counts = np.bincount(groups)
    if folds < 2 or len(counts) < folds:
        raise InvalidInputError(
            f"expected at least two folds and as many scaffolds, got {folds} folds, {len(counts)} scaffolds: "
            "split at random instead"
        )
    drawn = np.random.default_rng(seed).permutation(len(counts))
    order = drawn[np.argsort(-counts[drawn], kind="stable")]
    filled = np.zeros(folds, np.int64)
    fold = np.empty(len(counts), np.int64)
    for group in order:
        fold[group] = int(np.argmin(filled))
        filled[fold[group]] += counts[group]
    return np.asarray(fold[groups])
