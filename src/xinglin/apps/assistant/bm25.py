"""BM25 over Chinese character bigrams and Latin words (Robertson & Zaragoza, FnTIR 3(4) 2009).

Chinese is not segmented: overlapping bigrams rank as well as words and need no dictionary (Nie, Gao, Zhang & Zhou,
IRAL 2000). The weights of every (term, passage) pair are computed once, so that a query is one sparse sum. The inverse
document frequency is ln(1 + (N - n + 0.5) / (n + 0.5)), which is never negative.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from xinglin.terms.characters import normalise

K1, B = 1.2, 0.75
_RUN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+|[a-z\u00e0-\u024f0-9]+(?:\.[0-9]+)?")


def grams(text: str) -> list[str]:
    """Return the index terms of a text: bigrams of each Chinese run (a lone character as it is), words elsewhere."""
    found: list[str] = []
    for run in _RUN.findall(normalise(text)):
        if run[0] < "\u3400" or len(run) == 1:
            found.append(run)
        else:
            found += [run[i : i + 2] for i in range(len(run) - 1)]
    return found


@dataclass(frozen=True, eq=False)
class Bm25:
    """Weights of every term in every passage; build it with :func:`build_bm25`."""

    terms: tuple[str, ...]
    weights: csr_matrix
    """(terms, passages), float32."""

    @cached_property
    def _place(self) -> dict[str, int]:
        return {term: row for row, term in enumerate(self.terms)}

    def scores(self, query: str) -> NDArray[np.float32]:
        """Return one score a passage; a term that the query repeats counts as often."""
        place = self._place
        counts = Counter(place[gram] for gram in grams(query) if gram in place)
        if not counts:
            return np.zeros(self.weights.shape[1], np.float32)
        rows = self.weights[list(counts)]
        found: NDArray[np.float32] = np.asarray(
            rows.T @ np.fromiter(counts.values(), np.float32, len(counts))
        )
        return found


def build_bm25(passages: Sequence[str]) -> Bm25:
    """Index passages; none at all is an index that finds nothing."""
    place: dict[str, int] = {}
    rows, columns, counts, lengths = [], [], [], []
    for column, passage in enumerate(passages):
        found = Counter(grams(passage))
        lengths.append(sum(found.values()))
        for gram, count in found.items():
            rows.append(place.setdefault(gram, len(place)))
            columns.append(column)
            counts.append(count)
    shape = (len(place), len(passages))
    if not counts:
        return Bm25((), csr_matrix(shape, dtype=np.float32))
    row, column_ = np.asarray(rows), np.asarray(columns)
    frequency, length = np.asarray(counts, float), np.asarray(lengths, float)
    holding = np.bincount(row, minlength=len(place))
    idf = np.log1p((len(passages) - holding + 0.5) / (holding + 0.5))
    norm = K1 * (1 - B + B * length / length.mean())
    weight = idf[row] * frequency * (K1 + 1) / (frequency + norm[column_])
    return Bm25(tuple(place), csr_matrix((weight.astype(np.float32), (row, column_)), shape=shape))
