"""Findings of labelled dialogues as arrays of states, and their names as character n-grams."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Codes = NDArray[np.int8]
Ids = NDArray[np.intp]
ABSENT, PRESENT, UNSURE, SILENT, UNKNOWN = 0, 1, 2, 3, -1
"""State of a finding: denied, present, unsure, asked but not mentioned, not known."""


def encode(rows: Iterable[Mapping[str, object]], index: Mapping[str, int]) -> Codes:
    """Return states (cases x findings) of rows ``{name: "0" | "1" | "2" | "3"}``; other names pass."""
    rows = list(rows)
    out = np.full((len(rows), len(index)), UNKNOWN, np.int8)
    for n, row in enumerate(rows):
        for name, state in row.items():
            if name in index:
                out[n, index[name]] = int(str(state))
    return out


def merge(explicit: Codes, answers: Codes) -> Codes:
    """Return the answers, and the self-report where nothing was answered."""
    return np.where(answers >= 0, answers, explicit).astype(np.int8)


def grams_of(name: str) -> set[str]:
    """Return the character uni- and bigrams of a name."""
    return {name[i : i + k] for k in (1, 2) for i in range(len(name) - k + 1)}


def gram_table(names: Sequence[str]) -> dict[str, int]:
    """Character uni- and bigrams shared by two names or more; grams with the same names are one column."""
    where: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        for g in sorted(grams_of(name)):
            where.setdefault(g, []).append(i)
    column: dict[tuple[int, ...], int] = {}
    out: dict[str, int] = {}
    for g in sorted(where):
        if len(where[g]) >= 2:
            out[g] = column.setdefault(tuple(where[g]), len(column))
    return out


def gram_matrix(names: Sequence[str], grams: Mapping[str, int]) -> Array:
    """Return names x gram columns, 1.0 where a name holds a gram."""
    out = np.zeros((len(names), max(grams.values(), default=-1) + 1))
    for i, name in enumerate(names):
        for g in grams_of(name):
            if g in grams:
                out[i, grams[g]] = 1.0
    return out
