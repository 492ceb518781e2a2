"""The kernel against a slow count of fragments, and what makes it a kernel."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

from xinglin.model.molecule.features import Features, featurise, joined
from xinglin.model.molecule.kernel import DescriptorScale, minmax, similarity

SMILES = [
    *("CCO", "CCCCO", "c1ccccc1", "c1ccccc1CCN", "CC(=O)Nc1ccc(O)cc1", "CC(=O)Oc1ccccc1C(=O)O"),
    *("CN1CCC[C@H]1c1cccnc1", "CN1CCC[C@@H]1c1cccnc1", "C", "O=C(O)c1ccccc1", "FC(F)(F)c1ccccc1"),
]


@pytest.fixture(scope="module")
def features() -> Features:
    return featurise(SMILES)


def test_minmax_equals_rdkit_on_counts(features: Features) -> None:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=3, includeChirality=True, fpSize=8192)
    found = minmax(features.counts[0], features.counts[0])
    molecules = [Chem.MolFromSmiles(one) for one in SMILES]
    tables = [generator.GetCountFingerprintAsNumPy(one).astype(float) for one in molecules]
    for row, a in enumerate(tables):
        for column, b in enumerate(tables):
            a8, b8 = np.minimum(a, 8), np.minimum(b, 8)
            expected = np.minimum(a8, b8).sum() / np.maximum(a8, b8).sum()
            assert found[row, column] == pytest.approx(expected, abs=1e-6)


def test_it_is_a_kernel(features: Features) -> None:
    whole = similarity(features, features, DescriptorScale.of(features)).whole
    assert np.allclose(whole, whole.T, atol=1e-6)
    assert np.linalg.eigvalsh(whole.astype(np.float64)).min() > -1e-5
    assert whole.max() <= 1 + 1e-6
    assert whole.min() >= 0


def test_alike_is_nearer_and_stereo_counts(features: Features) -> None:
    alike = similarity(features, features, DescriptorScale.of(features)).fragments
    assert alike[0, 1] > alike[0, 2]
    assert 0.5 < alike[6, 7] < 0.999


def test_parts_and_rows(features: Features) -> None:
    twice = joined([features.take(np.array([3, 1])), features])
    assert len(twice) == 2 + len(SMILES)
    assert (twice.counts[2][0] != features.counts[2][3]).nnz == 0
    assert np.array_equal(twice.descriptors[1], features.descriptors[1], equal_nan=True)
    assert featurise([]).counts[0].shape == (0, 8192)
    assert features.columns().shape[1] == 8192 + features.descriptors.shape[1]
