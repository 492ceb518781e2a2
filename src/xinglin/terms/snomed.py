"""SNOMED CT from a release a user is licensed for: concepts, descriptions, is-a links, simple reference sets.

Search here is by words: the first three characters of each word (each pair of Chinese characters) find the
candidates, the Dice coefficient of character trigrams ranks them. For a whole edition use :mod:`xinglin.terms.search`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from xinglin.errors import MissingDataError, UnknownNameError
from xinglin.terms import rf2
from xinglin.terms.codes import SNOMEDCT
from xinglin.terms.rf2 import MAX_BYTES
from xinglin.types import Code

_IS_A = 116680003
_FSN = "900000000000003001"
_SYNONYM = "900000000000013009"
_PREFERRED = "900000000000548007"
_D = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5), (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7), (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3), (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)  # fmt: skip
_P = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7), (9, 4, 5, 3, 1, 2, 6, 8, 7, 0), (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5), (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)  # fmt: skip


def valid_sctid(text: str) -> bool:
    """Whether the text is a SNOMED CT identifier: 6 to 18 digits with a Verhoeff check digit."""
    if not re.fullmatch(r"[1-9][0-9]{5,17}", text):
        return False
    check = 0
    for i, digit in enumerate(reversed(text)):
        check = _D[check][_P[i % 8][int(digit)]]
    return check == 0


@dataclass(frozen=True, slots=True)
class SnomedMatch:
    """One concept found by text."""

    code: Code
    term: str
    """The description that matched."""
    score: float
    """Dice coefficient of character trigrams, 1 for the same text."""


class Snomed:
    """The active concepts, descriptions and is-a links of one release; built by :func:`load_snomed`."""

    def __init__(
        self,
        concepts: set[int],
        names: dict[int, str],
        terms: dict[int, list[str]],
        parents: dict[int, list[int]],
        preferred: dict[int, list[str]] | None = None,
    ) -> None:
        self._concepts, self._names, self._terms, self._parents = concepts, names, terms, parents
        self._preferred = preferred or {}
        self._children: dict[int, list[int]] | None = None
        self._index: dict[str, list[tuple[int, str]]] | None = None

    def __len__(self) -> int:
        return len(self._concepts)

    def __contains__(self, value: object) -> bool:
        return isinstance(value, str) and value.isdigit() and int(value) in self._concepts

    def code(self, value: str) -> Code:
        """The code with its fully specified name.

        Raises:
            UnknownNameError: no active concept of this release.
        """
        concept = self._known(value)
        return Code(SNOMEDCT, value, self._names.get(concept, ""))

    def terms(self, value: str) -> tuple[str, ...]:
        """All active descriptions of a concept, the fully specified name first."""
        concept = self._known(value)
        name = self._names.get(concept)
        return ((name,) if name else ()) + tuple(self._terms.get(concept, ()))

    def preferred(self, value: str) -> tuple[str, ...]:
        """The synonyms that a language reference set of the release prefers; empty if it has none."""
        return tuple(self._preferred.get(self._known(value), ()))

    def __iter__(self) -> Iterator[str]:
        """The ids of all active concepts, in ascending order."""
        return map(str, sorted(self._concepts))

    def parents(self, value: str) -> tuple[Code, ...]:
        """Direct is-a targets."""
        return tuple(
            self.code(str(p)) for p in self._parents.get(self._known(value), ()) if p in self._concepts
        )

    def ancestors(self, value: str) -> frozenset[str]:
        """Ids of everything the concept is a kind of, itself excluded; a cycle in the data does no harm."""
        start = self._known(value)
        seen: set[int] = set()
        queue = list(self._parents.get(start, ()))
        while queue:
            concept = queue.pop()
            if concept not in seen and concept != start:
                seen.add(concept)
                queue += self._parents.get(concept, ())
        return frozenset(str(concept) for concept in seen if concept in self._concepts)

    def is_a(self, value: str, ancestor: str) -> bool:
        """Whether a concept is, or is a kind of, another."""
        return value == ancestor or ancestor in self.ancestors(value)

    def descendants(self, value: str) -> tuple[str, ...]:
        """Ids of everything that is a kind of the concept, itself excluded, in ascending order."""
        start = self._known(value)
        if self._children is None:
            self._children = {}
            for child, above in self._parents.items():
                for parent in above:
                    self._children.setdefault(parent, []).append(child)
        seen: set[int] = set()
        queue = list(self._children.get(start, ()))
        while queue:
            concept = queue.pop()
            if concept not in seen and concept != start:
                seen.add(concept)
                queue += self._children.get(concept, ())
        return tuple(map(str, sorted(seen)))

    def search(self, text: str, limit: int = 10) -> tuple[SnomedMatch, ...]:
        """Concepts whose descriptions look like ``text``, best first, one a concept."""
        query = text.lower().strip()
        if self._index is None:
            self._index = self._build()
        candidates: dict[tuple[int, str], None] = {}
        for key in _keys(query):
            candidates.update(dict.fromkeys(self._index.get(key, ())))
        wanted = _trigrams(query)
        best: dict[int, tuple[float, str]] = {}
        for concept, term in candidates:
            grams = _trigrams(term.lower())
            score = 2 * len(wanted & grams) / (len(wanted) + len(grams)) if wanted and grams else 0.0
            if score > best.get(concept, (0.0, ""))[0]:
                best[concept] = (score, term)
        ranked = sorted(best.items(), key=lambda item: (-item[1][0], item[0]))[: max(limit, 0)]
        return tuple(SnomedMatch(self.code(str(c)), term, round(score, 4)) for c, (score, term) in ranked)

    def _known(self, value: str) -> int:
        if value not in self:
            raise UnknownNameError(
                f"expected an active concept of the loaded SNOMED CT release; got {value!r}: "
                + (
                    "check the release's edition and date"
                    if valid_sctid(value)
                    else "the check digit is wrong, correct the id"
                )
            )
        return int(value)

    def _build(self) -> dict[str, list[tuple[int, str]]]:
        index: dict[str, list[tuple[int, str]]] = {}
        for concept in self._concepts:
            for term in self.terms(str(concept)):
                for key in _keys(term.lower()):
                    index.setdefault(key, []).append((concept, term))
        return index


def _keys(text: str) -> set[str]:
    words = {word[:3] for word in re.findall(r"[a-z0-9\u00c0-\u024f]+", text)}
    for run in re.findall(r"[\u4e00-\u9fff]+", text):
        words.update(run[i : i + 2] for i in range(max(len(run) - 1, 1)))
    return words


def _trigrams(text: str) -> set[str]:
    padded = f"  {re.sub(r' [(][^)]*[)]$', '', text)} "
    return {padded[i : i + 3] for i in range(len(padded) - 2)}


def load_snomed(path: Path, *, max_bytes: int = MAX_BYTES) -> Snomed:
    """Read an RF2 snapshot.

    Args:
        path: the release's zip file, or a folder with its files.
        max_bytes: bound on the uncompressed size of the files read.

    Raises:
        MissingDataError: no such path, or no snapshot files in it.
        InputTooLargeError: more than ``max_bytes``, too many members, or a compression ratio of a zip bomb.
        InvalidInputError: no zip file, or a file that is not RF2; the message names file and line.
    """
    path = Path(path)
    concepts: set[int] = set()
    names: dict[int, str] = {}
    terms: dict[int, list[str]] = {}
    preferred: dict[int, list[str]] = {}
    parents: dict[int, list[int]] = {}
    kinds = (rf2.CONCEPT, rf2.DESCRIPTION, rf2.RELATIONSHIP, rf2.LANGUAGE)
    with rf2.open_release(path, kinds, max_bytes) as files:

        def active(kind: str) -> Iterator[list[str]]:
            return chain.from_iterable(rf2.active_rows(*file, kind) for file in files[kind])

        for kind in kinds[:3]:
            rf2.required(files, kind, path)
        concepts.update(int(row[0]) for row in active(rf2.CONCEPT))
        chosen = {int(row[5]) for row in active(rf2.LANGUAGE) if row[6] == _PREFERRED}
        for row in active(rf2.DESCRIPTION):
            concept, what, term = int(row[4]), row[6], row[7]
            if concept in concepts and what == _FSN:
                names[concept] = term
            elif concept in concepts and what == _SYNONYM:
                terms.setdefault(concept, []).append(term)
                if int(row[0]) in chosen:
                    preferred.setdefault(concept, []).append(term)
        for row in active(rf2.RELATIONSHIP):
            if int(row[7]) == _IS_A and int(row[4]) in concepts:
                parents.setdefault(int(row[4]), []).append(int(row[5]))
    return Snomed(concepts, names, terms, parents, preferred)


def read_refset(path: Path, refset: str, *, max_bytes: int = MAX_BYTES) -> tuple[str, ...]:
    """Return the ids of the active members of a simple reference set, each once, in the file's order.

    Raises:
        As :func:`load_snomed`; MissingDataError also when the set has no active member.
    """
    with rf2.open_release(path, (rf2.SIMPLE,), max_bytes) as files:
        members = {
            row[5]: None
            for file in rf2.required(files, rf2.SIMPLE, path)
            for row in rf2.active_rows(*file, rf2.SIMPLE)
            if row[4] == refset
        }
    if not members:
        raise MissingDataError(
            f"expected members of the simple reference set {refset} in {path}; there is none: check its id"
        )
    return tuple(members)
