"""How easily a molecule can probably be made: the SA score of Ertl and Schuffenhauer (2009), as RDKit carries it.

From 1 (easy) to 10 (hard), from fragments that are frequent in PubChem and from complexity. It plans no route.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import Any

from xinglin.errors import MissingExtraError


def synthetic_accessibility(molecule: Any) -> float:
    """Return the SA score of an RDKit molecule, 1 (easy) to 10 (hard).

    Raises:
        MissingExtraError: RDKit, or its contributed SA score, is not installed.
    """
    return float(_scorer().calculateScore(molecule))


@functools.cache
def _scorer() -> Any:
    """RDKit's contributed module, which lies outside of its package."""
    try:
        from rdkit.Chem import RDConfig
    except ImportError as error:
        raise MissingExtraError("the SA score", "drugs") from error
    path = Path(RDConfig.RDContribDir) / "SA_Score" / "sascorer.py"
    spec = importlib.util.spec_from_file_location("xinglin_rdkit_sascorer", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise MissingExtraError("the SA score", "drugs")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
