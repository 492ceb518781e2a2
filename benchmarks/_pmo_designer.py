"""Our designer as an arm of PMO."""

from __future__ import annotations

from collections.abc import Sequence

from xinglin.train.reinforce.oracle import Budgeted


def designer(oracle: Budgeted, start: Sequence[str], seed: int) -> None:
    """Search with the shipped prior, which was trained on ZINC; ``start`` is not used otherwise."""
    from xinglin.model.molecule.sampling import Prior
    from xinglin.train.reinforce.design import Designer, DesignOptions

    Designer(Prior.load(), oracle, oracle.budget, DesignOptions(seed=seed)).run()
