"""A cheap guess at which of many candidates the oracle would rank high, learned from its own answers.

Bayesian linear regression (ridge regression's mean, Bishop 2006, section 3.3) of the rank of a score on square roots of
folded ECFP4 counts and on the molecular formula. The formula enters as bumps along each element's count, since objectives
ask for so many atoms of a kind, no more and no fewer, which fingerprints hardly tell; ranks, since a score that is near 0
for most molecules tells little among them. A molecule asked about costs a call, one only guessed at a tenth of a
millisecond.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError, MissingExtraError
from xinglin.model.molecule.fingerprints import ecfp

WIDTH = 1024
PRECISION = 1.0
"""Ratio of the noise's variance to a weight's."""
ELEMENTS = {"C": 45, "H": 70, "N": 12, "O": 12, "F": 8, "S": 5, "Cl": 5, "Br": 4, "other": 4}
"""Counts that are told apart of each element; higher ones are one."""
_PART = re.compile(r"([A-Z][a-z]?)(\d*)")


class Surrogate:
    """Predicts ranks, 0 the lowest and 1 the highest score so far; before the first answer it says 0 of all."""

    def __init__(self) -> None:
        self._rows: list[NDArray[np.float32]] = []
        self._scores: list[float] = []
        self._gram: NDArray[np.float64] | None = None
        self._weights: NDArray[np.float64] | None = None

    def add(self, smiles: Sequence[str], scores: NDArray[np.float64]) -> None:
        """Learn from scored molecules; NaN is left out."""
        known = ~np.isnan(scores)
        if not known.any():
            return
        rows = features([one for one, is_known in zip(smiles, known, strict=True) if is_known])
        if self._gram is None:
            self._gram = PRECISION * np.eye(rows.shape[1])
        self._gram += rows.T.astype(np.float64) @ rows
        self._rows.append(rows)
        self._scores += scores[known].tolist()
        self._weights = None

    def predict(self, smiles: Sequence[str]) -> NDArray[np.float64]:
        """Return the expected rank of molecules, shape (n,)."""
        if not smiles or self._gram is None:
            return np.zeros(len(smiles))
        if self._weights is None:
            from scipy.linalg import cho_factor, cho_solve
            from scipy.stats import rankdata

            ranks = ((rankdata(self._scores) - 0.5) / len(self._scores)).astype(np.float32)
            ends = np.cumsum([len(rows) for rows in self._rows])
            sums = sum(part @ rows for part, rows in zip(np.split(ranks, ends[:-1]), self._rows, strict=True))
            self._weights = np.asarray(cho_solve(cho_factor(self._gram), sums))
        return features(smiles) @ self._weights


def features(smiles: Sequence[str]) -> NDArray[np.float32]:
    """Return what ranks are regressed on, shape (n, features).

    Raises:
        MissingExtraError: RDKit is not installed.
        InvalidInputError: no SMILES.
    """
    counts = np.sqrt(ecfp(smiles, bits=WIDTH, counts=True).astype(np.float32))
    atoms = np.array([_atoms(one) for one in smiles], np.float32)
    bumps = []
    for place, most in enumerate(ELEMENTS.values()):
        # As wide as a twentieth of the range: 20 carbon atoms are near 21, one sulphur atom is not near none.
        away = (atoms[:, place : place + 1] - np.arange(most + 1, dtype=np.float32)) / max(1.0, most / 20)
        bumps.append(np.exp(-0.5 * away**2))
    return np.hstack([counts, *bumps, np.ones((len(smiles), 1), np.float32)])


def _atoms(smiles: str) -> list[int]:
    """Atoms of each of the elements, hydrogen included."""
    try:
        from rdkit import Chem
        from rdkit.Chem.rdMolDescriptors import CalcMolFormula
    except ImportError as error:
        raise MissingExtraError("xinglin drugs design", "drugs") from error
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise InvalidInputError(f"expected a SMILES, got {smiles[:60]!r}")
    found = dict.fromkeys(ELEMENTS, 0)
    for element, count in _PART.findall(CalcMolFormula(molecule)):
        found[element if element in ELEMENTS else "other"] += int(count or 1)
    return [min(found[element], most) for element, most in ELEMENTS.items()]
