"""Search over the concepts of a coding system: hundreds of thousands of terms in milliseconds, Chinese and English.

Answers come in this order: the term is the query; it begins with it; it contains it; it shares enough n-grams with it
(Dice coefficient), which finds other word orders and typing errors. Within each, names (preferred, fully specified)
before synonyms, then the shorter. The index is arrays (see :mod:`.search_index`), opened in place from disk.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.terms.grams import grams_of, search_key
from xinglin.terms.search_index import KINDS, ConceptIndex, Kind
from xinglin.types import Code

Match = Literal["exact", "prefix", "contains", "overlap"]
MATCHES: tuple[Match, ...] = get_args(Match)
MAX_QUERY = 200
"""Characters of a query that are read."""
LEAST = 0.4
"""Least Dice coefficient of an overlap."""
_RARE = 200_000
"""Postings read at most in the search for overlaps; the rarest grams come first."""
_KEPT = 400
"""Candidates of one sort whose text is looked at."""

Ids = NDArray[np.int64]


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
        found: dict[int, tuple[tuple[float, ...], int, Match, float]] = {}
        for term, match, score in self._candidates(query, grams, allowed, limit):
            concept = int(self.index.concept_of[term])
            kind = int(self.index.kind_of[term])
            rank = (MATCHES.index(match), kind == KINDS.index("synonym"), -score, kind, term)
            if concept not in found or rank < found[concept][0]:
                found[concept] = (rank, term, match, score)
        best = sorted(found.items(), key=lambda item: item[1][0])[:limit]
        return tuple(
            ConceptMatch(
                self.index.code(concept),
                self.index.text(term),
                KINDS[self.index.kind_of[term]],
                match,
                round(score, 4),
            )
            for concept, (_, term, match, score) in best
        )

    def _candidates(
        self, query: str, grams: NDArray[np.uint64], allowed: NDArray[np.bool_] | None, limit: int
    ) -> Iterator[tuple[int, Match, float]]:
        """Terms worth ranking; overlaps are looked for only while the better matches do not fill the answer."""
        concepts: set[int] = set()
        start, end = self._beginning(query)
        beginning = np.arange(start, end)
        for term in self._best(beginning, allowed, limit):
            match: Match = "exact" if self.index.key(term) == query else "prefix"
            concepts.add(int(self.index.concept_of[term]))
            yield term, match, self._covered(query, term)
        postings = self._postings(grams)
        complete = len(postings) == len(grams) > 0
        if complete:
            every = postings[0]
            for posting in postings[1:]:
                every = every[_is_in(every, posting)]
            every = every[(every < start) | (every >= end)]
            for term in self._best(every, allowed, limit):
                if query in self.index.key(term):
                    concepts.add(int(self.index.concept_of[term]))
                    yield term, "contains", self._covered(query, term)
        if len(concepts) < limit and postings:
            yield from self._overlaps(query, len(grams), postings, allowed, (start, end))

    def _overlaps(
        self,
        query: str,
        wanted: int,
        postings: list[Ids],
        allowed: NDArray[np.bool_] | None,
        beginning: tuple[int, int],
    ) -> Iterator[tuple[int, Match, float]]:
        # A term with Dice >= LEAST shares at least `least` grams with the query, so it holds one of any
        # `wanted - least + 1` of them: the rarest ones find it (prefix filter, Chaudhuri et al. 2006).
        least = int(np.ceil(LEAST * wanted / (2 - LEAST)))
        sizes = np.cumsum([len(posting) for posting in postings])
        read = max(int(np.searchsorted(sizes, _RARE, side="right")), 1)
        read = min(max(len(postings) - max(least, 1) + 1, 1), read)
        shared = np.bincount(np.concatenate(postings[:read]), minlength=0)
        terms = np.nonzero(shared)[0]
        if allowed is not None:
            terms = terms[allowed[terms]]
        terms = terms[(terms < beginning[0]) | (terms >= beginning[1])]
        counts = shared[terms].astype(np.int64)
        size = self.index.grams_in[terms].astype(np.int64)
        if len(terms) > 8 * _KEPT:
            # those that could still reach the highest Dice coefficient, seen from the grams read
            hopeful = 2.0 * (counts + np.minimum(len(postings) - read, size - counts)) / (wanted + size)
            hopeful += counts / (wanted + 1.0)
            kept = np.argpartition(-hopeful, 8 * _KEPT)[: 8 * _KEPT]
            terms, counts, size = terms[kept], counts[kept], size[kept]
            order = np.argsort(terms)
            terms, counts, size = terms[order], counts[order], size[order]
        for posting in postings[read:]:
            counts += _is_in(terms, posting)
        dice = 2.0 * counts / (wanted + size)
        good = np.nonzero(dice >= LEAST)[0]
        if len(good) > _KEPT:
            good = good[np.argpartition(-dice[good], _KEPT)[:_KEPT]]
        for at in good.tolist():
            term = int(terms[at])
            if counts[at] < wanted or query not in self.index.key(term):
                yield term, "overlap", float(dice[at])

    def _best(self, terms: Ids, allowed: NDArray[np.bool_] | None, limit: int) -> list[int]:
        """Of terms that all hold the query's grams, those that rank first: names before synonyms, then the shorter."""
        if allowed is not None:
            terms = terms[allowed[terms]]
        most = max(_KEPT, 8 * limit)
        if len(terms) > most:
            kind = self.index.kind_of[terms].astype(np.int64)
            synonym = kind == KINDS.index("synonym")
            length = self.index.key_ends[terms + 1] - self.index.key_ends[terms]
            # the final order as one number: synonym, length, kind, place
            order = ((synonym * 2**17 + np.minimum(length, 2**17 - 1)) * 4 + kind) * 2**31 + terms
            terms = terms[np.argpartition(order, most)[:most]]
        return [int(term) for term in terms]

    def _covered(self, query: str, term: int) -> float:
        return len(query.encode()) / len(self.index.raw_key(term))

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

    def _beginning(self, query: str) -> tuple[int, int]:
        """The range of terms (which stand in the order of their keys) that begin with the query."""
        raw = query.encode()
        places = range(len(self.index.kind_of))
        start = bisect_left(places, raw, key=self.index.raw_key)
        return start, bisect_left(places, raw + b"\xff", lo=start, key=self.index.raw_key)

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


def _is_in(terms: Ids, posting: Ids) -> NDArray[np.bool_]:
    """Whether each of the ascending terms is in an ascending posting."""
    at = np.searchsorted(posting, terms)
    at[at == len(posting)] = 0
    return np.asarray(posting[at] == terms) if len(posting) else np.zeros(len(terms), np.bool_)
