"""An oracle that another distribution brings: an entry point of ``xinglin.oracles``, called without arguments to open it.

What it returns is called with SMILES and returns one number each, higher for better, NaN where it has none: an
:class:`.oracle.Oracle`, so that :class:`.design.Designer` takes it as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import PluginError
from xinglin.store.plugins import Plugin, blamed, load


class PluggedOracle:
    """An installed oracle, opened."""

    def __init__(self, name: str) -> None:
        """Open it.

        Raises:
            UnknownNameError, PluginError: as ``store.plugins.load``; or what it opens cannot be called.
        """
        self.plugin: Plugin
        self.plugin, make = load("oracles", name)
        with blamed(self.plugin):
            self._oracle = make()
        if not callable(self._oracle):
            raise PluginError(f"{self.plugin}: expected an oracle to call, got {type(self._oracle).__name__}")

    def __call__(self, smiles: Sequence[str], /) -> NDArray[np.float64]:
        """Return one score a molecule, shape (n,); NaN where it has none.

        Raises:
            PluginError: it failed, or did not answer with one number a molecule; infinite is none.
        """
        with blamed(self.plugin):
            found = np.asarray(self._oracle(tuple(smiles)), np.float64)
        if found.shape != (len(smiles),) or np.isinf(found).any():
            raise PluginError(
                f"{self.plugin}: expected {len(smiles)} finite numbers or NaN, got shape {found.shape}"
            )
        return found
