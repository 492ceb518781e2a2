"""A metric: one over the place of the first right label, 0 where none is right (Voorhees 1999, TREC-8)."""

from __future__ import annotations

from collections.abc import Sequence


def reciprocal_rank(truth: Sequence[str], ranked: Sequence[str]) -> float:
    """Return the figure of one case."""
    return next((1.0 / place for place, label in enumerate(ranked, 1) if label in truth), 0.0)


reciprocal_rank.xinglin_api = 1
