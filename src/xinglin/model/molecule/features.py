"""What the activity models see of a molecule: four families of counted fragments, and descriptors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from xinglin.errors import InvalidInputError, MissingExtraError
from xinglin.model.molecule.fingerprints import describe, descriptor_names
from xinglin.records.molecules.parsing import complaint, read_smiles, short

FAMILIES = ("ecfp6", "fcfp4", "atom-pairs", "torsions")
"""Circular environments of radius 3 with chirality, circular pharmacophore environments of radius 2 (Rogers and Hahn
2010), atom pairs up to 8 bonds apart (Carhart 1985), four-atom paths with chirality (Nilakantan 1987)."""
WIDTH = 8192
"""Columns of a family; fragments are folded into them."""
MOST = 255
"""Counts above are taken as this."""


@dataclass(frozen=True, slots=True)
class Features:
    """The features of some molecules."""

    counts: tuple[csr_matrix, ...]
    """One a family: how often each fragment occurs, shape (molecules, WIDTH), float32 of whole numbers 0 .. 255."""
    descriptors: NDArray[np.float32]
    """Shape (molecules, descriptors); NaN where a molecule has no value."""

    def __len__(self) -> int:
        return len(self.descriptors)

    def take(self, rows: NDArray[np.int64]) -> Features:
        """Return the features of some rows."""
        return Features(tuple(family[rows] for family in self.counts), self.descriptors[rows])

    def columns(self) -> csr_matrix:
        """Return counted circular environments beside the descriptors: what the trees are grown on."""
        from scipy.sparse import hstack

        return hstack([self.counts[0], csr_matrix(self.descriptors)], format="csr", dtype=np.float32)


def featurise(smiles: Sequence[str]) -> Features:
    """Return the features of molecules, which should be in standard form.

    Raises:
        InvalidInputError: a SMILES that RDKit cannot read.
        MissingExtraError: RDKit is not installed.
    """
    generators = _generators()
    found: list[list[tuple[NDArray[np.int32], NDArray[np.float32]]]] = [[] for _ in FAMILIES]
    described = np.empty((len(smiles), len(descriptor_names())), np.float32)
    for row, one in enumerate(smiles):
        molecule = read_smiles(one)
        if molecule is None:
            raise InvalidInputError(f"expected a valid SMILES, got {short(one)}: {complaint(one)}")
        for family, generator in zip(found, generators, strict=True):
            counts = generator.GetCountFingerprintAsNumPy(molecule)
            at = np.flatnonzero(counts)
            family.append((at.astype(np.int32), np.minimum(counts[at], MOST).astype(np.float32)))
        described[row] = describe(molecule)
    return Features(tuple(_sparse(family) for family in found), described)


def joined(parts: Sequence[Features]) -> Features:
    """Return the features of several lists of molecules as one."""
    counts = tuple(
        vstack([part.counts[family] for part in parts], format="csr") for family in range(len(FAMILIES))
    )
    return Features(counts, np.concatenate([part.descriptors for part in parts]))


def _sparse(rows: list[tuple[NDArray[np.int32], NDArray[np.float32]]]) -> csr_matrix:
    ends = np.cumsum([0, *(len(at) for at, _ in rows)])
    indices = np.concatenate([at for at, _ in rows]) if rows else np.empty(0, np.int32)
    values = np.concatenate([counts for _, counts in rows]) if rows else np.empty(0, np.float32)
    return csr_matrix((values, indices, ends), shape=(len(rows), WIDTH), dtype=np.float32)


@lru_cache(maxsize=1)
def _generators() -> tuple[Any, ...]:
    try:
        from rdkit.Chem import rdFingerprintGenerator
    except ImportError as error:
        raise MissingExtraError("fingerprints", "drugs") from error

    return (
        rdFingerprintGenerator.GetMorganGenerator(radius=3, includeChirality=True, fpSize=WIDTH),
        rdFingerprintGenerator.GetMorganGenerator(
            radius=2,
            fpSize=WIDTH,
            atomInvariantsGenerator=rdFingerprintGenerator.GetMorganFeatureAtomInvGen(),
        ),
        rdFingerprintGenerator.GetAtomPairGenerator(maxDistance=8, fpSize=WIDTH, countSimulation=False),
        rdFingerprintGenerator.GetTopologicalTorsionGenerator(
            includeChirality=True, fpSize=WIDTH, countSimulation=False
        ),
    )
