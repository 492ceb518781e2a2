"""Names of the graph's diseases and examinations as terms, so that a text can mention them."""

from __future__ import annotations

from functools import cache

from xinglin.graph.knowledge import Knowledge
from xinglin.graph.load import starter
from xinglin.terms.vocabulary import Term, Vocabulary, load_vocabulary


def graph_terms(knowledge: Knowledge) -> tuple[Term, ...]:
    """Return a term for every disease (kind ``disease``) and examination (kind ``exam``)."""
    diseases = [
        Term(item.key, item.name, item.en, "disease", item.aliases, item.aliases_en)
        for item in knowledge.diseases.values()
    ]
    exams = [
        Term(item.key, item.name, item.en, "exam", item.aliases, item.aliases_en)
        for item in knowledge.exams.values()
    ]
    return (*diseases, *exams)


@cache
def starter_terms() -> Vocabulary:
    """Return the package's vocabulary with the starter graph's names in it."""
    return load_vocabulary(extra=graph_terms(starter()))
