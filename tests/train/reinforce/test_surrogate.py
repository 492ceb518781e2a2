"""The surrogate is ridge regression, answer by answer; a failure teaches it nothing."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rdkit")

from tests.model.molecule.chain import chains
from xinglin.model.molecule.fingerprints import ecfp
from xinglin.train.reinforce.surrogate import PRECISION, WIDTH, Surrogate


def test_it_is_ridge_regression_on_all_answers_so_far():
    smiles = list(dict.fromkeys(chains(200)))
    scores = np.array([min(1.0, one.count("O") / 6) for one in smiles])
    surrogate = Surrogate()
    assert surrogate.predict(smiles[:3]).tolist() == [0.0, 0.0, 0.0]
    for start in range(0, 80, 16):
        surrogate.add(smiles[start : start + 16], scores[start : start + 16])
    surrogate.add(smiles[80:90], np.full(10, np.nan))
    rows = np.hstack(
        [np.sqrt(ecfp(smiles, bits=WIDTH, counts=True).astype(float)), np.ones((len(smiles), 1))]
    )
    known, rest = rows[:80], rows[90:]
    weights = np.linalg.solve(known.T @ known + PRECISION * np.eye(WIDTH + 1), known.T @ scores[:80])
    assert surrogate.predict(smiles[90:]) == pytest.approx(rest @ weights)
    assert np.corrcoef(surrogate.predict(smiles[90:]), scores[90:])[0, 1] > 0.8
    assert len(surrogate.predict([])) == 0
