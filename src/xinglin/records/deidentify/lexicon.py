"""Word lists of the recognisers, from ``words.tsv``: authored from common knowledge, closed classes wherever one will do.

No given names, roads, districts or hospitals are listed: those are found by their form and place.
"""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def _lists() -> dict[str, str]:
    text = resources.files("xinglin.records.deidentify").joinpath("words.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines() if not line.startswith("#"))
    return {row[0]: row[1] for row in rows}


def words(name: str) -> tuple[str, ...]:
    """Return the words of a list, in its order."""
    return tuple(_lists()[name].split())


def characters(name: str) -> frozenset[str]:
    """Return the characters of a list that is a set of characters."""
    return frozenset(_lists()[name])
