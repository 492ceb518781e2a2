"""Cases that stand in the training file as well, word for word or nearly: they are counted, never removed."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEAR = 0.7
"""Least share of common 3-grams (Jaccard) at which two texts are near duplicates."""
LENGTH = 3
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class Twins:
    """Which scored cases have a twin among the learnt ones."""

    same: NDArray[np.bool_]
    """Word for word, punctuation aside."""
    near: NDArray[np.bool_]
    """Nearly, and not word for word."""
    contrary: int
    """Cases with a twin word for word and none of the same label."""


def find_twins(
    learnt: Sequence[str], labels: Sequence[str], scored: Sequence[str], truths: Sequence[str]
) -> Twins:
    """Compare every scored text with every learnt one."""
    plain = [_plain(text) for text in learnt]
    asked = [_plain(text) for text in scored]
    known: dict[str, set[str]] = {}
    for text, label in zip(plain, labels, strict=True):
        known.setdefault(text, set()).add(label)
    same = np.array([bool(text) and text in known for text in asked], bool)
    contrary = sum(
        bool(hit) and truth not in known[text] for text, truth, hit in zip(asked, truths, same, strict=True)
    )
    near = _likeness(plain, asked) >= NEAR
    return Twins(same, near & ~same, contrary)


def _likeness(learnt: Sequence[str], scored: Sequence[str]) -> NDArray[np.float64]:
    """Return each scored text's greatest Jaccard share of 3-grams with a learnt one."""
    from scipy import sparse

    place: dict[str, int] = {}
    ours = [[place.setdefault(gram, len(place)) for gram in _grams(text)] for text in learnt]
    theirs = [_grams(text) for text in scored]
    size = np.array([len(row) for row in ours])

    def matrix(rows: Sequence[Sequence[int]]) -> sparse.csr_matrix:
        ends = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
        columns = np.fromiter((column for row in rows for column in row), np.int64, int(ends[-1]))
        return sparse.csr_matrix((np.ones(len(columns)), columns, ends), (len(rows), max(1, len(place))))

    table = matrix(ours).T.tocsr()
    best = np.zeros(len(scored))
    for first in range(0, len(scored), _CHUNK):
        part = theirs[first : first + _CHUNK]
        rows = [[place[gram] for gram in grams if gram in place] for grams in part]
        common = (matrix(rows) @ table).tocsr()
        for number, grams in enumerate(part):
            row = slice(common.indptr[number], common.indptr[number + 1])
            if row.start < row.stop:
                shared = common.data[row]
                best[first + number] = (shared / (len(grams) + size[common.indices[row]] - shared)).max()
    return best


def _plain(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", text).lower() if c.isalnum())


def _grams(text: str) -> set[str]:
    return {text[i : i + LENGTH] for i in range(max(1, len(text) - LENGTH + 1))} if text else set()
