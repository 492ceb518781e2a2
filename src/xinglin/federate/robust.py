"""What is refused of an update before the updates become one model.

A limit on the norm stops the crude attack, an update scaled up until it drowns the others (Sun et al. 2019, arXiv
1911.07963); it does not stop a small, aimed one, for which the robust strategies are (``strategy``). Where the limit
is not stated it is a multiple of the round's median norm, which fewer than half of the hospitals cannot move.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

import numpy as np

from xinglin.federate.wire import State

NORM_MULTIPLE = 10.0
"""Times the median norm: hospitals differ much in size, an honest one hardly by more than that."""
FEWEST = 3
"""Updates below which a median says nothing."""


@dataclass(frozen=True, slots=True)
class SiteUpdate:
    """One hospital's update as it arrived, its arrays checked against the model."""

    state: State
    examples: int
    """Examples that it says it trained on."""


def update_norm(after: State, before: State) -> float:
    """Return the Euclidean norm of what training changed, over all float arrays."""
    total = 0.0
    for name, array in after.items():
        if array.dtype.kind == "f":
            total += float(np.square(array.astype(np.float64) - before[name]).sum())
    return math.sqrt(total)


def refuse(
    updates: Mapping[str, SiteUpdate],
    before: State,
    *,
    rows: Mapping[str, int],
    max_norm: float | None = None,
) -> dict[str, str]:
    """Return the sites whose update is refused, each with the reason.

    Args:
        updates: by site.
        before: the state that they started from.
        rows: examples of each site when it was admitted: what it may weigh at most.
        max_norm: largest norm; ``None``: ``NORM_MULTIPLE`` times the median of the round, from three updates on.
    """
    reasons: dict[str, str] = {}
    norms: dict[str, float] = {}
    for site, update in updates.items():
        if update.examples < 1:
            reasons[site] = "zero examples: an update that no case stands behind"
        elif update.examples > rows[site]:
            reasons[site] = f"claims {update.examples} examples, was admitted with {rows[site]}"
        else:
            norms[site] = update_norm(update.state, before)
    limit = max_norm
    if limit is None and len(norms) >= FEWEST:
        limit = NORM_MULTIPLE * median(norms.values())
    for site, norm in norms.items():
        if not math.isfinite(norm) or (limit is not None and norm > limit):
            reasons[site] = (
                f"the update's norm is {norm:.3g}, the limit {limit if limit is None else f'{limit:.3g}'}"
            )
    return reasons
