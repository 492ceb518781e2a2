"""Look into a graph: search a name, list the edges of a node."""

from __future__ import annotations

from difflib import get_close_matches

from xinglin.errors import UnknownNameError
from xinglin.graph.knowledge import Disease, Exam, Knowledge
from xinglin.graph.load import starter
from xinglin.types import Triple


def edges_of(name: str, graph: str | None = None) -> list[Triple]:
    """Return every triple that touches a node of the starter graph or of a graph in the store.

    Raises:
        UnknownNameError: nothing touches that name; the message lists the nearest names.
    """
    if graph is not None:
        from xinglin.graph.database import neighbours
        from xinglin.store import open_store

        found = neighbours(open_store(), graph, name)
        if not found:
            raise UnknownNameError(f"graph {graph} has nothing about {name!r}")
        return found
    knowledge = starter()
    wanted = canonical(knowledge, name)
    return [triple for triple in knowledge.triples() if wanted in (triple.head.display, triple.tail.display)]


def canonical(knowledge: Knowledge, name: str) -> str:
    """Return the graph's own name for a name, alias or English name.

    Raises:
        UnknownNameError: it is none of these.
    """
    lowered = name.strip().lower()
    names = set(knowledge.finding_codes) | set(knowledge.diseases) | set(knowledge.exams)
    if name in names:
        return name
    items: list[Disease | Exam] = [*knowledge.diseases.values(), *knowledge.exams.values()]
    for item in items:
        if lowered in (item.en.lower(), *(a.lower() for a in (*item.aliases, *item.aliases_en))):
            return item.name
    near = get_close_matches(name, names, n=5, cutoff=0.4)
    raise UnknownNameError(f"the starter graph has no {name!r}; nearest: {', '.join(near) or 'none'}")


def search(knowledge: Knowledge, text: str, limit: int = 30) -> list[tuple[str, str]]:
    """Return (kind, name) of diseases, findings and examinations whose names hold the text."""
    lowered = text.strip().lower()
    if not lowered:
        return []
    hits: list[tuple[int, str, str]] = []
    items: list[Disease | Exam] = [*knowledge.diseases.values(), *knowledge.exams.values()]
    for item in items:
        spellings = (item.name, item.en, *item.aliases, *item.aliases_en)
        found = [spelling for spelling in spellings if lowered in spelling.lower()]
        if found:
            kind = "disease" if isinstance(item, Disease) else "exam"
            hits.append((min(map(len, found)), kind, item.name))
    for name in knowledge.finding_codes:
        if lowered in name:
            hits.append((len(name), "finding", name))
    return [(kind, name) for _, kind, name in sorted(hits)[:limit]]
