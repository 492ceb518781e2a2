"""What a prior's samples are worth: validity, uniqueness, novelty, and how far they lie from real molecules.

Validity, uniqueness and novelty as GuacaMol defines them (Brown et al. 2019, doi 10.1021/acs.jcim.8b00839): molecules
among the samples, different ones among the molecules, unknown ones among the different. Distances are Fréchet's between
Gaussians, as in the Fréchet ChemNet Distance (Preuer et al. 2018, doi 10.1021/acs.jcim.8b00234), but over named
descriptors and over folded fingerprints: ChemNet's weights are not used, so the numbers are **not** FCD. What they mean is
told by the same distance between real molecules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError, MissingExtraError
from xinglin.measure.intervals import Figure, proportion
from xinglin.model.molecule.fingerprints import ecfp
from xinglin.train.reinforce.oracle import canonical

PROPERTIES = (
    *("weight", "logp", "tpsa", "qed", "heavy atoms", "rings", "aromatic rings", "rotatable bonds"),
    *("donors", "acceptors", "stereocentres", "charge", "sp3 share"),
)  # fmt: skip
BITS = 128
"""Width of the folded fingerprints: few enough for a covariance of ten thousand molecules to be sure of."""


@dataclass(frozen=True)
class Sampled:
    """Samples told apart."""

    validity: Figure
    uniqueness: Figure
    novelty: Figure
    molecules: tuple[str, ...]
    """Different molecules, canonical, in the order of the samples."""


def judged(samples: Sequence[str], known: frozenset[str]) -> Sampled:
    """Judge samples against all known molecules, these canonical.

    Raises:
        InvalidInputError: no sample is a molecule.
    """
    valid = [one for one in map(canonical, samples) if one is not None]
    if not valid:
        raise InvalidInputError(f"samples: expected some molecules among {len(samples)}, got none")
    unique = tuple(dict.fromkeys(valid))
    new = sum(one not in known for one in unique)
    return Sampled(
        proportion(len(valid), len(samples)),
        proportion(len(unique), len(valid)),
        proportion(new, len(unique)),
        unique,
    )


def known_molecules(smiles: Iterable[str]) -> frozenset[str]:
    """Return the canonical form of every molecule; about a minute for 250,000."""
    return frozenset(one for one in map(canonical, smiles) if one is not None)


def properties(smiles: Sequence[str]) -> NDArray[np.float64]:
    """Return the :data:`PROPERTIES` of molecules, shape (n, len(PROPERTIES)).

    Raises:
        MissingExtraError: RDKit is not installed.
        InvalidInputError: a SMILES that RDKit cannot read.
    """
    try:
        from rdkit import Chem
        from rdkit.Chem import QED, Crippen, Descriptors, rdMolDescriptors
    except ImportError as error:
        raise MissingExtraError("properties of molecules", "drugs") from error

    descriptors: Any = Descriptors  # they have no types of their own
    crippen: Any = Crippen
    qed: Any = QED

    def row(one: str) -> list[float]:
        molecule: Any = Chem.MolFromSmiles(one)
        if molecule is None:
            raise InvalidInputError(f"expected a SMILES, got {one[:60]!r}")
        return [
            descriptors.MolWt(molecule),
            crippen.MolLogP(molecule),
            rdMolDescriptors.CalcTPSA(molecule),
            qed.qed(molecule),
            molecule.GetNumHeavyAtoms(),
            rdMolDescriptors.CalcNumRings(molecule),
            rdMolDescriptors.CalcNumAromaticRings(molecule),
            rdMolDescriptors.CalcNumRotatableBonds(molecule),
            rdMolDescriptors.CalcNumHBD(molecule),
            rdMolDescriptors.CalcNumHBA(molecule),
            rdMolDescriptors.CalcNumAtomStereoCenters(molecule),
            Chem.GetFormalCharge(molecule),
            rdMolDescriptors.CalcFractionCSP3(molecule),
        ]

    return np.array([row(one) for one in smiles], np.float64).reshape(len(smiles), len(PROPERTIES))


def frechet(one: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]]) -> float:
    """Return the Fréchet distance between Gaussians fitted to two samples (Dowson and Landau 1982).

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), in squared units of the features.

    Args:
        one: (n, features).
        other: (m, features).

    Raises:
        InvalidInputError: fewer than two rows, or different numbers of features.
    """
    if min(len(one), len(other)) < 2 or one.shape[1] != other.shape[1]:
        raise InvalidInputError(f"expected two samples of like features, got {one.shape} and {other.shape}")
    means = [sample.mean(0) for sample in (one, other)]
    first, second = (np.atleast_2d(np.cov(sample.T)) for sample in (one, other))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    # The eigenvalues of root C2 root are those of C1 C2; it is symmetric, so that they are real.
    crossed = np.sqrt(np.clip(np.linalg.eigvalsh(root @ second @ root), 0, None)).sum()
    return float(((means[0] - means[1]) ** 2).sum() + np.trace(first) + np.trace(second) - 2 * crossed)


@dataclass(frozen=True)
class Features:
    """Molecules as the two kinds of features that distances are taken over."""

    properties: NDArray[np.float64]
    """(n, properties), as they are."""
    fingerprints: NDArray[np.float64]
    """(n, BITS): square roots of folded ECFP4 counts."""

    @classmethod
    def of(cls, smiles: Sequence[str]) -> Features:
        """Compute both."""
        return cls(properties(smiles), np.sqrt(ecfp(smiles, bits=BITS, counts=True).astype(float)))

    def distances(self, other: Features, scale: NDArray[np.float64]) -> dict[str, float]:
        """Return Fréchet distances; properties in units of ``scale``, their standard deviations in real molecules."""
        return {
            "properties": frechet(self.properties / scale, other.properties / scale),
            "fingerprints": frechet(self.fingerprints, other.fingerprints),
        }
