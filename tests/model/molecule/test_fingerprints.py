"""Fingerprints and descriptors against RDKit's other doors."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem, Crippen, rdMolDescriptors

from xinglin.errors import InvalidInputError
from xinglin.model.molecule.fingerprints import descriptor_names, descriptors, ecfp

SMILES = ["CCO", "c1ccccc1CCN", "CC(=O)Nc1ccc(O)cc1", "C" * 40, "FC(F)(F)c1ccccc1"]


def test_ecfp_equals_the_older_function() -> None:
    ours = ecfp(SMILES)
    assert ours.shape == (5, 2048)
    assert ours.dtype == np.uint8
    for row, smiles in zip(ours, SMILES, strict=True):
        bits = AllChem.GetMorganFingerprintAsBitVect(Chem.MolFromSmiles(smiles), 2, 2048).GetOnBits()
        assert np.flatnonzero(row).tolist() == sorted(bits)


def test_counts_are_above_the_bits() -> None:
    counts = ecfp(SMILES, counts=True)
    assert np.array_equal(counts > 0, ecfp(SMILES) > 0)
    assert counts[3].max() >= 30


def test_descriptors() -> None:
    found, names = descriptors(SMILES), descriptor_names()
    assert found.shape == (5, len(names))
    assert len(set(names)) == len(names) > 100
    molecule = Chem.MolFromSmiles(SMILES[2])
    assert found[2, names.index("CrippenClogP")] == pytest.approx(Crippen.MolLogP(molecule), rel=1e-5)
    assert found[2, names.index("tpsa")] == pytest.approx(rdMolDescriptors.CalcTPSA(molecule), rel=1e-5)


def test_no_molecule() -> None:
    for function in (ecfp, descriptors):
        assert len(function([])) == 0
        with pytest.raises(InvalidInputError, match="unclosed"):
            function(["CC", "C1CC"])
