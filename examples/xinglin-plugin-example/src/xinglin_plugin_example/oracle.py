"""An oracle for molecules: the share of carbon atoms that are sp3 (Lovering et al. 2009, doi 10.1021/jm901241e)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from xinglin.errors import MissingExtraError


class FractionSp3:
    """Higher is better; NaN for what is no molecule."""

    def __call__(self, smiles: Sequence[str]) -> list[float]:
        """Return one number a molecule."""
        return [self._one(text) for text in smiles]

    def _one(self, smiles: str) -> float:
        from rdkit.Chem import MolFromSmiles
        from rdkit.Chem.rdMolDescriptors import CalcFractionCSP3

        molecule = MolFromSmiles(smiles)
        return math.nan if molecule is None else float(CalcFractionCSP3(molecule))


def open_oracle() -> FractionSp3:
    """Open the oracle."""
    try:
        import rdkit  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("fraction-sp3", "drugs") from error
    return FractionSp3()


open_oracle.xinglin_api = 1
