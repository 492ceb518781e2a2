"""Molecules as numbers: circular fingerprints and physicochemical descriptors, both of RDKit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError, MissingExtraError
from xinglin.records.molecules.parsing import complaint, read_smiles, short


def ecfp(
    smiles: Sequence[str], radius: int = 2, bits: int = 2048, counts: bool = False
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Return extended-connectivity fingerprints (Rogers and Hahn 2010, doi 10.1021/ci100050t), folded.

    Args:
        smiles: the molecules.
        radius: bonds around each atom; 2 is ECFP4, 3 is ECFP6.
        bits: width of the folded fingerprint.
        counts: how often each environment occurs (uint16, at most 65,535), not only whether (uint8, 0 or 1).

    Returns:
        Shape (molecules, bits).

    Raises:
        InvalidInputError: a SMILES that RDKit cannot read.
    """
    try:
        from rdkit.Chem import rdFingerprintGenerator
    except ImportError as error:
        raise MissingExtraError("fingerprints", "drugs") from error

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=bits, countSimulation=False)
    found = np.zeros((len(smiles), bits), np.uint16 if counts else np.uint8)
    for row, one in enumerate(smiles):
        molecule = _molecule(one)
        if counts:
            found[row] = np.minimum(generator.GetCountFingerprintAsNumPy(molecule), 65535)
        else:
            found[row] = generator.GetFingerprintAsNumPy(molecule)
    return found


def descriptors(smiles: Sequence[str]) -> NDArray[np.float32]:
    """Return physicochemical descriptors, shape (molecules, ``len(descriptor_names())``).

    What a molecule has no value for (partial charges of an exotic atom) is NaN.

    Raises:
        InvalidInputError: a SMILES that RDKit cannot read.
    """
    found = np.empty((len(smiles), len(descriptor_names())), np.float32)
    for row, one in enumerate(smiles):
        found[row] = describe(_molecule(one))
    return found


def describe(molecule: Any) -> NDArray[np.float32]:
    """Return the descriptors of one RDKit molecule, shape (``len(descriptor_names())``,)."""
    values = np.concatenate([np.asarray(function(molecule), np.float64) for _, function in _functions()])
    return np.where(np.abs(values) < 1e6, values, np.nan).astype(np.float32)


def descriptor_names() -> tuple[str, ...]:
    """Return the names of the descriptors in their order."""
    return tuple(name for names, _ in _functions() for name in names)


@lru_cache(maxsize=1)
def _functions() -> tuple[tuple[tuple[str, ...], Any], ...]:
    """Families of descriptors that RDKit computes in C++: what they are called and what computes them."""
    try:
        from rdkit.Chem import rdMolDescriptors
    except ImportError as error:
        raise MissingExtraError("descriptors", "drugs") from error

    properties = rdMolDescriptors.Properties()
    return (
        (tuple(properties.GetPropertyNames()), properties.ComputeProperties),
        (tuple(f"MQN{number}" for number in range(1, 43)), rdMolDescriptors.MQNs_),
        (tuple(f"SlogP_VSA{number}" for number in range(1, 13)), rdMolDescriptors.SlogP_VSA_),
        (tuple(f"SMR_VSA{number}" for number in range(1, 11)), rdMolDescriptors.SMR_VSA_),
        (tuple(f"PEOE_VSA{number}" for number in range(1, 15)), rdMolDescriptors.PEOE_VSA_),
    )


def _molecule(smiles: str) -> Any:
    molecule = read_smiles(smiles)
    if molecule is None:
        raise InvalidInputError(f"expected a valid SMILES, got {short(smiles)}: {complaint(smiles)}")
    return molecule
