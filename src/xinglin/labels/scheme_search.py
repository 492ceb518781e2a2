"""Search in the classes of a scheme, with the index that searches whole terminologies (:mod:`xinglin.terms.search`)."""

from __future__ import annotations

from xinglin.labels.scheme import Scheme, SchemeClass
from xinglin.terms.search import ConceptSearch
from xinglin.terms.search_index import Concept, Kind, build_index


class SchemeSearch:
    """An index in memory over code, Chinese and English name of each class; make one a scheme and keep it."""

    def __init__(self, scheme: Scheme) -> None:
        self._classes = {one.code.value: one for one in scheme.classes}
        self._search = ConceptSearch(
            build_index(map(_concept, scheme.classes), scheme.classes[0].code.system)
        )

    def find(self, words: str, limit: int = 10) -> list[SchemeClass]:
        """Return the classes whose code or name is, begins with, contains or resembles the words, in that order."""
        return [self._classes[found.code.value] for found in self._search.search(words, limit)]


def _concept(one: SchemeClass) -> Concept:
    names: tuple[tuple[str, Kind], ...] = (
        (one.zh, "preferred"),
        (one.en, "fsn"),
        (one.code.value, "synonym"),
    )
    return Concept(one.code.value, tuple((term, kind) for term, kind in names if term))
