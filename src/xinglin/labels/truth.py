"""Truth from many: one door for majority, Dawid-Skene, GLAD and MACE."""

from __future__ import annotations

from collections.abc import Callable

from xinglin.errors import UnknownNameError
from xinglin.labels.dawid_skene import dawid_skene
from xinglin.labels.glad import glad
from xinglin.labels.mace import mace
from xinglin.labels.majority import majority
from xinglin.labels.votes import Truth, Votes

__all__ = ["METHODS", "Truth", "Votes", "dawid_skene", "glad", "infer_truth", "mace", "majority"]

METHODS: dict[str, Callable[[Votes], Truth]] = {
    "majority": majority,
    "dawid-skene": dawid_skene,
    "glad": glad,
    "mace": mace,
}


def infer_truth(votes: Votes, method: str = "dawid-skene") -> Truth:
    """Infer the truth by the method of that name, with its own defaults.

    Raises:
        UnknownNameError: no such method.
    """
    if method not in METHODS:
        raise UnknownNameError(f"method: expected one of {', '.join(METHODS)}, got {method!r}")
    return METHODS[method](votes)
