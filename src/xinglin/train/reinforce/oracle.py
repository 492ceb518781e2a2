"""What scores molecules, and a budget of calls around it that remembers every one.

The count is that of the PMO benchmark (Gao et al. 2022, arXiv 2206.12411): a call is a molecule that was not asked
before, by canonical SMILES; what is no molecule costs nothing. Where we differ: a molecule that could not be scored is
NaN, not 0, and counts as a call, since it took the oracle's time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError, MissingExtraError


class Oracle(Protocol):
    """Scores molecules; higher is better."""

    def __call__(self, smiles: Sequence[str], /) -> NDArray[np.float64]:
        """Return one score a molecule, shape (n,); NaN where it could not be scored."""
        ...  # pragma: no cover


class Call(NamedTuple):
    """One molecule that the oracle was asked for."""

    smiles: str
    """Canonical."""
    score: float
    """NaN: the oracle failed on it."""


class Budgeted:
    """An oracle with a bound on its calls, a cache, and the history in the order of calls.

    Args:
        oracle: scores molecules.
        budget: most molecules it is asked for, at least 1.
        history: calls already made, of a run that is resumed; they count.

    Raises:
        InvalidInputError: a budget below 1, or more history than budget.
    """

    def __init__(self, oracle: Oracle, budget: int, history: Iterable[tuple[str, float]] = ()) -> None:
        self.oracle = oracle
        self.budget = budget
        self.history = [Call(smiles, float(score)) for smiles, score in history]
        """Every call in order; PMO's area under the curve is read from it."""
        self.refused = 0
        """Molecules asked for after the budget was spent."""
        self._known = {call.smiles: call.score for call in self.history}
        if budget < max(1, len(self._known)) or len(self._known) != len(self.history):
            raise InvalidInputError(
                f"budget: expected at least 1 and at least the {len(self.history)} different calls of the history, "
                f"got {budget}"
            )

    @property
    def calls(self) -> int:
        """Calls made."""
        return len(self.history)

    @property
    def left(self) -> int:
        """Calls left."""
        return self.budget - len(self.history)

    @property
    def failed(self) -> int:
        """Calls that gave no score."""
        return sum(bool(np.isnan(call.score)) for call in self.history)

    def known(self, smiles: str) -> bool:
        """Whether a canonical SMILES was asked already."""
        return smiles in self._known

    def best(self, count: int) -> list[Call]:
        """Return the best calls, failed ones left out; of equal scores the earlier first."""
        scored = [call for call in self.history if not np.isnan(call.score)]
        return sorted(scored, key=lambda call: -call.score)[:count]

    def __call__(self, smiles: Sequence[str], /) -> NDArray[np.float64]:
        """Return one score a molecule, shape (n,).

        New molecules are asked for in their order while calls are left, all in one call of the oracle. NaN: no
        molecule, the oracle failed on it, or no call was left (``refused`` counts these).

        Raises:
            InvalidInputError: the oracle gave another number of scores than molecules, or an infinite one.
        """
        keys = [canonical(one) for one in smiles]
        new = [key for key in dict.fromkeys(keys) if key is not None and key not in self._known]
        asked = new[: self.left]
        self.refused += len(new) - len(asked)
        if asked:
            scores = np.asarray(self.oracle(asked), np.float64)
            if scores.shape != (len(asked),) or np.isinf(scores).any():
                raise InvalidInputError(
                    f"oracle: expected {len(asked)} finite scores or NaN, got shape {scores.shape} with "
                    f"{int(np.isinf(scores).sum())} infinite: mend the oracle"
                )
            for one, score in zip(asked, scores.tolist(), strict=True):
                self._known[one] = score
                self.history.append(Call(one, score))
        return np.array([np.nan if key is None else self._known.get(key, np.nan) for key in keys])


def canonical(smiles: str) -> str | None:
    """Return the canonical isomeric SMILES, or ``None`` for what is no molecule.

    Raises:
        MissingExtraError: RDKit is not installed.
    """
    try:
        from rdkit import Chem, rdBase
    except ImportError as error:
        raise MissingExtraError("xinglin.train.reinforce", "drugs") from error
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
        if molecule is None or molecule.GetNumAtoms() == 0:
            return None
        written = str(Chem.MolToSmiles(molecule))
        # RDKit writes rare sulphur rings as aromatic and cannot read them back: nobody could score such a molecule.
        return None if Chem.MolFromSmiles(written) is None else written
