"""Evidence of a made federation: two sites that add, in the proportion two to one, and one that does not."""

from __future__ import annotations

from typing import Any

import numpy as np

from xinglin.ledger.credit.evidence import evidence
from xinglin.ledger.credit.exact import leave_one_out, shapley
from xinglin.ledger.credit.sampled import Plan, sample
from xinglin.ledger.credit.values import Recorded

SITES = ("east", "noise", "west")
WORTH = {"east": 0.2, "noise": 0.0, "west": 0.1}


def made(model: str = "a" * 64, *, orders: Plan | None = None, runs: int = 4) -> dict[str, Any]:
    """Evidence whose values differ a little from retraining to retraining, in opposite pairs."""
    measured = {}
    for seed in range(runs):
        away = (1 if seed % 2 else -1) * 0.01 * np.random.default_rng(seed // 2).uniform()

        def value(coalition: frozenset[str], away: float = away) -> float:
            return sum(WORTH[site] for site in coalition) + away * (
                "noise" in coalition and len(coalition) > 1
            )

        recorded = Recorded(value)
        if orders is None:
            shapley(SITES, recorded)
        else:
            sample(SITES, recorded, orders)
            leave_one_out(SITES, recorded)
        measured[seed] = recorded.values
    return evidence(
        SITES,
        measured,
        metric="log score on held-out rows",
        model=model,
        data={site: f"{place}" * 64 for place, site in enumerate(SITES)},
        ratio=0.5,
        orders=orders,
        job="b" * 64,
    )
