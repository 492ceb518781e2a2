"""The surrogate is ridge regression of ranks, answer by answer; a failure teaches it nothing."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rdkit")

from scipy.stats import rankdata, spearmanr

from tests.model.molecule.chain import chains
from xinglin.errors import InvalidInputError
from xinglin.model.molecule.fingerprints import ecfp
from xinglin.train.reinforce.surrogate import ELEMENTS, PRECISION, WIDTH, Surrogate, features


def test_it_is_ridge_regression_of_the_ranks_of_all_answers_so_far():
    smiles = list(dict.fromkeys(chains(200)))
    scores = np.array([min(1.0, one.count("O") / 6) for one in smiles])
    surrogate = Surrogate()
    assert surrogate.predict(smiles[:3]).tolist() == [0.0, 0.0, 0.0]
    for start in range(0, 80, 16):
        surrogate.add(smiles[start : start + 16], scores[start : start + 16])
    surrogate.add(smiles[80:90], np.full(10, np.nan))
    rows = features(smiles).astype(np.float64)
    known, rest = rows[:80], rows[90:]
    ranks = (rankdata(scores[:80]) - 0.5) / 80
    weights = np.linalg.solve(known.T @ known + PRECISION * np.eye(rows.shape[1]), known.T @ ranks)
    assert surrogate.predict(smiles[90:]) == pytest.approx(rest @ weights, abs=1e-4)
    assert spearmanr(surrogate.predict(smiles[90:]), scores[90:]).statistic > 0.8
    assert len(surrogate.predict([])) == 0


def test_features_are_fingerprint_formula_and_one():
    rows = features(["CCO", "OCC", "FC(F)(F)Br", "[NH4+]"])
    assert rows.shape == (4, WIDTH + sum(most + 1 for most in ELEMENTS.values()) + 1)
    assert np.array_equal(rows[0], rows[1])
    assert rows[:, :WIDTH] == pytest.approx(
        np.sqrt(ecfp(["CCO", "OCC", "FC(F)(F)Br", "[NH4+]"], bits=WIDTH, counts=True))
    )
    assert (rows[:, -1] == 1).all()
    places = np.cumsum([WIDTH, *(most + 1 for most in ELEMENTS.values())])
    found = {
        element: rows[:, start:end].argmax(1).tolist()
        for element, start, end in zip(ELEMENTS, places, places[1:], strict=False)
    }
    assert found == {
        "C": [2, 2, 1, 0],
        "H": [6, 6, 0, 4],
        "N": [0, 0, 0, 1],
        "O": [1, 1, 0, 0],
        "F": [0, 0, 3, 0],
        "S": [0] * 4,
        "Cl": [0] * 4,
        "Br": [0, 0, 1, 0],
        "other": [0] * 4,
    }
    with pytest.raises(InvalidInputError, match="SMILES"):
        features(["C("])


def test_it_learns_a_formula_that_fingerprints_hardly_tell():
    """Alkanes and ethers scored by how near they are to seven carbon atoms."""
    smiles = [
        f"{'C' * left}{'O' * bridge}{'C' * right}"
        for left in range(1, 12)
        for right in range(1, 12)
        for bridge in (0, 1)
    ]
    scores = np.array([np.exp(-abs(one.count("C") - 7)) for one in smiles])
    order = np.random.default_rng(0).permutation(len(smiles))
    known, rest = order[:150], order[150:]
    surrogate = Surrogate()
    surrogate.add([smiles[at] for at in known], scores[known])
    assert spearmanr(surrogate.predict([smiles[at] for at in rest]), scores[rest]).statistic > 0.9
