"""Where in a product a reaction centre can lie, and what surrounds it.

A site is one way in which a template's product pattern matches; matches that symmetry makes equal are one site. Its
surroundings at radius r are the sorted identifiers of the Morgan environments (Rogers and Hahn 2010, doi
10.1021/ci100050t) of its atoms at exactly that radius, hashed to one number: two sites with the same number look the same
as far as r bonds from every atom of the centre.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError
from xinglin.records.molecules.parsing import rdkit, read_smiles

RADII = 4
"""Surroundings are kept for 0, 1, 2 and 3 bonds."""
BITS = 2048
MOST_MATCHES = 64
"""Matches of one pattern in one product; a product with more is a polymer."""


@dataclass(frozen=True, slots=True)
class Site:
    """One place of one pattern."""

    pattern: int
    atoms: tuple[int, ...]
    """Atom indices of the product, sorted."""
    key: tuple[int, ...]
    """Symmetry classes of the atoms, sorted: equal for sites that symmetry makes equal."""
    around: tuple[int, ...]
    """The surroundings' numbers, by radius."""
    each: tuple[tuple[int, ...], ...]
    """The same of every atom alone: by radius, then by atom."""


class Product:
    """A molecule that is to be taken apart."""

    def __init__(self, molecule: Any) -> None:
        chem = rdkit()[0]
        self.molecule = molecule
        self.classes = list(chem.CanonicalRankAtoms(molecule, breakTies=False))
        self.environments = _environments(molecule)
        self.fingerprint = _fingerprints()[1].GetFingerprint(molecule)

    @classmethod
    def read(cls, smiles: str) -> Product:
        """Read a SMILES.

        Raises:
            InvalidInputError: RDKit does not.
        """
        molecule = read_smiles(smiles)
        if molecule is None or molecule.GetNumAtoms() == 0:
            raise InvalidInputError("expected the SMILES of a product")
        return cls(molecule)

    def site(self, pattern: int, atoms: Iterable[int]) -> Site:
        """Return the site that these atoms are."""
        chosen = tuple(sorted(atoms))
        each = tuple(tuple(map(int, self.environments[radius, list(chosen)])) for radius in range(RADII))
        around = tuple(_number(bits) for bits in each)
        return Site(pattern, chosen, tuple(sorted(self.classes[atom] for atom in chosen)), around, each)

    def sites(self, patterns: Sequence[Any]) -> list[Site]:
        """Return every site of every pattern (compiled SMARTS), symmetric ones once."""
        found: list[Site] = []
        for number, pattern in enumerate(patterns):
            keys = set()
            for match in self.molecule.GetSubstructMatches(pattern, maxMatches=MOST_MATCHES):
                key = tuple(sorted(self.classes[atom] for atom in match))
                if key not in keys:
                    keys.add(key)
                    found.append(self.site(number, match))
        return found


@lru_cache(maxsize=1)
def _fingerprints() -> tuple[Any, Any]:
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

    every = GetMorganGenerator(radius=RADII - 1, includeRedundantEnvironments=True)
    return every, GetMorganGenerator(radius=2, fpSize=BITS)


def _environments(molecule: Any) -> NDArray[np.int64]:
    """Identifier of every atom's environment: ``(radius, atom)``."""
    from rdkit.Chem.rdFingerprintGenerator import AdditionalOutput

    output = AdditionalOutput()
    output.AllocateBitInfoMap()
    _fingerprints()[0].GetSparseCountFingerprint(molecule, additionalOutput=output)
    numbers = np.zeros((RADII, molecule.GetNumAtoms()), dtype=np.int64)
    for bit, places in output.GetBitInfoMap().items():
        for atom, radius in places:
            numbers[radius, atom] = bit
    return numbers


def _number(bits: tuple[int, ...]) -> int:
    digest = blake2b(np.sort(np.array(bits, dtype=np.int64)).tobytes(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def reference() -> tuple[int, ...]:
    """Surroundings in a fixed molecule: another RDKit that numbers environments differently gives another answer."""
    return Product.read("CC(=O)Nc1ccc(O)cc1").site(0, (1, 3)).around
