"""Search over the concepts of a coding system: hundreds of thousands of terms in milliseconds, Chinese and English.

Answers come in this order: the term is the query; it begins with it; it contains it; it shares enough n-grams with it
(Dice coefficient), which finds other word orders and typing errors. Within the first three, names (preferred, fully
specified) come before synonyms, then the shorter; overlaps by their coefficient. The index is arrays
(:mod:`.search_index`), opened in place from disk.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.terms.codes import SNOMEDCT
from xinglin.terms.grams import grams_of, search_key
from xinglin.terms.search_index import (
    KINDS,
    ConceptIndex,
    Kind,
    build_index,
    concepts_of,
    is_index,
    open_index,
)
from xinglin.terms.snomed import load_snomed
from xinglin.types import Code

Match = Literal["exact", "prefix", "contains", "overlap"]
MAX_QUERY = 200
"""Characters of a query that are read."""
LEAST = 0.4
"""Least Dice coefficient of an overlap."""
_RARE = 200_000
"""Postings read at most in the search for overlaps; the rarest grams come first."""
_KEPT = 1_000
"""Candidates for an overlap at most that are compared with all grams of the query."""

Ids = NDArray[np.signedinteger[Any]]


@dataclass(frozen=True, slots=True)
class ConceptMatch:
    """One concept found."""

    code: Code
    """With the concept's preferred name."""
    term: str
    """The description that matched."""
    kind: Kind
    match: Match
    score: float
    """Share of the term that the query covers (bytes of UTF-8); of an overlap the Dice coefficient of the n-grams."""


class ConceptSearch:
    """Search in one index."""

    def __init__(self, index: ConceptIndex) -> None:
        self.index = index
        self._below: dict[str, NDArray[np.bool_]] = {}

    def search(
        self,
        text: str,
        limit: int = 10,
        *,
        under: str | None = None,
        kinds: Collection[Kind] = KINDS,
    ) -> tuple[ConceptMatch, ...]:
        """Return concepts whose terms look like ``text``, best first, each once by its best term.

        Args:
            text: a word or a phrase; what is beyond ``MAX_QUERY`` characters is left out.
            limit: most answers.
            under: only this concept's descendants and itself.
            kinds: which descriptions are searched.

        Raises:
            UnknownNameError: ``under`` is no concept of the index.
            InvalidInputError: an unknown kind.
        """
        if not set(kinds) <= set(KINDS):
            raise InvalidInputError(
                f"search: expected kinds of {', '.join(KINDS)}; got {', '.join(sorted(kinds))}"
            )
        query = search_key(text[:MAX_QUERY])
        if not query or limit < 1:
            return ()
        allowed = self._allowed(under, kinds)
        grams = np.unique(grams_of([query])[0])
        found: dict[int, tuple[int, Match, float]] = {}
        exact, start, end = self._beginning(query)
        self._take(np.arange(exact, start), found, limit, "exact", query, allowed)
        self._take(np.arange(start, end), found, limit, "prefix", query, allowed)
        postings = self._postings(grams)
        if len(found) < limit and len(postings) == len(grams) > 0:
            self._take(_common(postings), found, limit, "contains", query, allowed)
        if len(found) < limit and postings:
            self._overlaps(postings, len(grams), found, limit, allowed)
        index = self.index
        return tuple(
            ConceptMatch(
                index.code(concept), index.text(term), KINDS[index.kind_of[term]], match, round(score, 4)
            )
            for concept, (term, match, score) in found.items()
        )

    def _take(
        self,
        terms: Ids,
        found: dict[int, tuple[int, Match, float]],
        limit: int,
        match: Match,
        query: str,
        allowed: NDArray[np.bool_] | None,
    ) -> None:
        """Add the concepts of terms that hold the query: names before synonyms, then the shorter."""
        if allowed is not None:
            terms = terms[allowed[terms]]
        kind = self.index.kind_of[terms].astype(np.int64)
        length = self.index.key_ends[terms + 1] - self.index.key_ends[terms]
        synonym = kind == KINDS.index("synonym")
        order = ((synonym * 2**17 + np.minimum(length, 2**17 - 1)) * 4 + kind) * 2**31 + terms
        covered = len(query.encode()) / np.maximum(length, 1)
        wanted = query if match == "contains" else ""
        self._first(terms, order, covered, found, limit, match, wanted)

    def _first(
        self,
        terms: Ids,
        order: NDArray[Any],
        scores: NDArray[np.float64],
        found: dict[int, tuple[int, Match, float]],
        limit: int,
        match: Match,
        wanted: str = "",
    ) -> None:
        """Add the first concepts in an order, each by its first term, until there are ``limit``; sort no more than that."""
        most = 8 * limit
        while len(found) < limit:
            part = np.argpartition(order, most)[:most] if len(order) > most else np.arange(len(order))
            part = part[np.argsort(order[part], kind="stable")]
            for at, term, concept in zip(
                part.tolist(), terms[part].tolist(), self.index.concept_of[terms[part]].tolist(), strict=True
            ):
                if len(found) == limit:
                    return
                if concept not in found and wanted in self.index.key(term):
                    found[concept] = (term, match, float(scores[at]))
            if most >= len(order):
                return
            most *= 8

    def _overlaps(
        self,
        postings: list[Ids],
        wanted: int,
        found: dict[int, tuple[int, Match, float]],
        limit: int,
        allowed: NDArray[np.bool_] | None,
    ) -> None:
        """Add the concepts whose terms share enough grams; those found already have a better match."""
        # A term with Dice >= LEAST shares at least `least` grams with the query, so it holds one of any
        # `wanted - least + 1` of them: the rarest ones find it (prefix filter, Chaudhuri et al. 2006).
        least = int(np.ceil(LEAST * wanted / (2 - LEAST)))
        within = int(np.searchsorted(np.cumsum([len(posting) for posting in postings]), _RARE, side="right"))
        read = max(min(wanted - least + 1, within, len(postings)), 1)
        several = np.sort(np.concatenate(postings[:read]))
        first = np.flatnonzero(np.concatenate(([True], several[1:] != several[:-1])))
        counts = np.diff(np.append(first, len(several)))
        enough = counts >= least - (len(postings) - read)
        terms, counts = several[first[enough]], counts[enough]
        if allowed is not None:
            terms, counts = terms[allowed[terms]], counts[allowed[terms]]
        size = self.index.grams_in[terms].astype(np.int64)
        # what the grams not yet counted could still bring it to
        hopeful = 2.0 * (counts + np.minimum(len(postings) - read, size - counts)) / (wanted + size)
        kept = np.nonzero(hopeful >= LEAST)[0]
        if len(kept) > _KEPT:
            kept = np.sort(kept[np.argpartition(-counts[kept] / (wanted + size[kept]), _KEPT)[:_KEPT]])
        terms, counts, size = terms[kept], counts[kept], size[kept]
        for posting in postings[read:]:
            counts += _is_in(terms, posting)
        dice = 2.0 * counts / (wanted + size)
        good = dice >= LEAST
        terms, dice = terms[good], dice[good]
        # by coefficient, then kind, then place: one number, the coefficient in steps finer than any difference
        kind = self.index.kind_of[terms].astype(np.int64)
        order = (np.rint((1 - dice) * 2**26).astype(np.int64) * 4 + kind) * 2**31 + terms
        self._first(terms, order, dice, found, limit, "overlap")

    def _postings(self, grams: NDArray[np.uint64]) -> list[Ids]:
        """Terms of each gram that the index knows, the rarest gram first."""
        index = self.index
        at = np.searchsorted(index.grams, grams)
        known = [
            int(i)
            for i, gram in zip(at, grams, strict=True)
            if i < len(index.grams) and index.grams[i] == gram
        ]
        found = [np.asarray(index.postings[index.starts[i] : index.starts[i + 1]]) for i in known]
        return sorted(found, key=len)

    def _beginning(self, query: str) -> tuple[int, int, int]:
        """Terms stand in the order of their keys: where those begin that are the query, that begin with it, that do not."""
        raw, places, key = query.encode(), range(len(self.index.kind_of)), self.index.raw_key
        exact = bisect_left(places, raw, key=key)
        return (
            exact,
            bisect_right(places, raw, lo=exact, key=key),
            bisect_left(places, raw + b"\xff", lo=exact, key=key),
        )

    def _allowed(self, under: str | None, kinds: Collection[Kind]) -> NDArray[np.bool_] | None:
        """Which terms may be found; ``None`` for all."""
        index, allowed = self.index, None
        if set(kinds) != set(KINDS):
            chosen = [KINDS.index(kind) for kind in kinds]
            allowed = np.isin(index.kind_of, chosen)
        if under is not None:
            if under not in self._below:
                concept = index.concept(under)
                if concept is None:
                    raise UnknownNameError(
                        f"expected a concept of the index ({index.system}); got {under!r}: check the release"
                    )
                if len(self._below) >= 8:
                    self._below.pop(next(iter(self._below)))
                self._below[under] = index.descendants(concept)[index.concept_of]
            below = self._below[under]
            allowed = below if allowed is None else allowed & below
        return allowed


def open_search(path: Path) -> ConceptSearch:
    """Return the search over an index folder; a SNOMED CT RF2 release (zip or folder) is indexed in memory first.

    Raises:
        As :func:`~xinglin.terms.search_index.open_index` and :func:`~xinglin.terms.snomed.load_snomed`.
    """
    if is_index(path):
        return ConceptSearch(open_index(path))
    return ConceptSearch(build_index(concepts_of(load_snomed(path)), SNOMEDCT))


def _common(postings: list[Ids]) -> Ids:
    """Terms that are in all postings, the shortest first."""
    terms = postings[0]
    for posting in postings[1:]:
        terms = terms[_is_in(terms, posting)]
    return terms.astype(np.int64)


def _is_in(terms: Ids, posting: Ids) -> NDArray[np.bool_]:
    """Whether each of the ascending terms is in an ascending posting."""
    at = np.searchsorted(posting, terms)
    at[at == len(posting)] = 0
    return np.asarray(posting[at] == terms) if len(posting) else np.zeros(len(terms), np.bool_)
