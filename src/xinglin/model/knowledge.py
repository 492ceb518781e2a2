"""The knowledge graph as a model sees it: entities with all their spellings, relations with wordings, triples.

:func:`entity_graph` reads the starter graph and the vocabulary; :func:`arm` makes the graphs of the ablation
(the graph itself and three that destroy a part of it); :func:`split` keeps triples back for link prediction.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError, UnknownNameError

Ids = NDArray[np.int64]

WORDINGS: dict[str, tuple[str, str]] = {
    "has_finding": ("的表现是", "presents with"),
    "risk_factor": ("的危险因素是", "has the risk factor"),
    "exam": ("要做的检查是", "is examined by"),
    "exclude_before": ("处理前要先排除", "is treated only after excluding"),
    "differential": ("要鉴别的疾病是", "has to be told apart from"),
    "complication": ("的并发症是", "can be complicated by"),
    "is_a": ("属于", "is a kind of"),
    "reveals": ("可以发现", "can show"),
    "option": ("的处理是", "is managed by"),
    "drug_class": ("所属的药物类别是", "belongs to the drug class"),
}
"""Chinese and English wording of each relation, read between head and tail; no relation has its inverse beside it."""
ARMS = ("graph", "shuffled", "rewired", "random")
"""Graphs of the ablation; the fifth arm, *none*, trains without one."""


@dataclass(frozen=True, eq=False)
class EntityGraph:
    """Entities, relations and triples, all by position."""

    keys: tuple[str, ...]
    """``kind:Chinese name``, unique; the identity of an entity."""
    names: tuple[tuple[str, ...], ...]
    """Every spelling of each entity, Chinese first, then English; at least one."""
    kinds: tuple[str, ...]
    """``disease``, ``finding``, ``exam``, ``option``, ``drug`` or ``drug_class``."""
    relations: tuple[str, ...]
    """Names of the relations; keys of ``WORDINGS``."""
    triples: Ids
    """(n, 3): head, relation, tail."""

    def __post_init__(self) -> None:
        n, r = len(self.keys), len(self.relations)
        if not len(self.names) == len(self.kinds) == len(set(self.keys)) == n:
            raise InvalidInputError(
                f"expected one kind and one list of names for each of {n} different keys; got {len(self.names)} "
                f"lists, {len(self.kinds)} kinds and {len(set(self.keys))} different keys: build the graph anew"
            )
        if not all(self.names):
            raise InvalidInputError("expected at least one spelling an entity; one has none: give it a name")
        unknown = [name for name in self.relations if name not in WORDINGS]
        if unknown:
            raise UnknownNameError(
                f"expected relations of {', '.join(WORDINGS)}; got {unknown[0]!r}: add its wording to WORDINGS"
            )
        shape, kind = self.triples.shape, self.triples.dtype
        if self.triples.ndim != 2 or shape[1] != 3 or kind != np.int64:
            raise InvalidInputError(
                f"expected triples of shape (n, 3) and type int64, got {shape} and {kind}"
            )
        if len(self.triples) and (
            self.triples.min() < 0
            or max(self.triples[:, 0].max(), self.triples[:, 2].max()) >= n
            or self.triples[:, 1].max() >= r
        ):
            raise InvalidInputError(
                f"a triple points outside the {n} entities or {r} relations: build it anew"
            )

    def __len__(self) -> int:
        return len(self.triples)

    @property
    def wordings(self) -> tuple[tuple[str, str], ...]:
        """Chinese and English wording of each relation, in order."""
        return tuple(WORDINGS[name] for name in self.relations)

    @cached_property
    def index(self) -> dict[str, int]:
        """Key -> position."""
        return {key: place for place, key in enumerate(self.keys)}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the whole graph, spellings included."""
        parts = [self.keys, self.names, self.kinds, self.relations, self.triples.tolist()]
        text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def entity_graph(with_options: bool = True) -> EntityGraph:
    """Return the starter graph over its vocabulary.

    Edges that a disease does *not* have (``has_finding`` with the qualifier ``excluded``) are left out. Parents of
    findings become ``is_a``; what an examination can show, ``reveals``.

    Args:
        with_options: with management options, and with drugs and the classes they belong to.
    """
    from xinglin.graph.load import starter
    from xinglin.terms.vocabulary import read_findings

    knowledge, findings = starter(), read_findings()
    names: dict[str, tuple[str, ...]] = {}
    for kind, items in (
        ("disease", knowledge.diseases),
        ("finding", findings),
        ("exam", knowledge.exams),
    ):
        for item in items.values():
            names[f"{kind}:{item.name}"] = _spellings(item.name, item.aliases, item.en, item.aliases_en)
    targets = {"has_finding": "finding", "risk_factor": "finding", "exam": "exam"}
    edges = [
        (f"disease:{row.disease}", row.relation, f"{targets.get(row.relation, 'disease')}:{row.target}")
        for row in knowledge.relations
        if row.qualifier != "excluded"
    ]
    edges += [
        (f"finding:{term.name}", "is_a", f"finding:{up}") for term in findings.values() for up in term.parents
    ]
    edges += [
        (f"exam:{exam.name}", "reveals", f"finding:{shown}")
        for exam in knowledge.exams.values()
        for shown in exam.reveals
    ]
    if with_options:
        for option in knowledge.options:
            names.setdefault(f"option:{option.option}", _spellings(option.option, (), option.en, ()))
            edges.append((f"disease:{option.disease}", "option", f"option:{option.option}"))
        edges += _drugs(names)
    keys = tuple(names)
    place = {key: position for position, key in enumerate(keys)}
    relations = tuple(name for name in WORDINGS if any(edge[1] == name for edge in edges))
    number = {name: position for position, name in enumerate(relations)}
    rows = dict.fromkeys((place[head], number[relation], place[tail]) for head, relation, tail in edges)
    return EntityGraph(
        keys=keys,
        names=tuple(names.values()),
        kinds=tuple(key.partition(":")[0] for key in keys),
        relations=relations,
        triples=np.array([row for row in rows if row[0] != row[2]], dtype=np.int64).reshape(-1, 3),
    )


def arm(graph: EntityGraph, name: str, seed: int) -> EntityGraph:
    """Return the graph of one arm of the ablation; entities, kinds and the number of triples stay.

    - ``graph``: as it is.
    - ``shuffled``: the lists of spellings are permuted among entities of the same kind: same structure, same
      spellings, same synonyms; which name stands where is lost.
    - ``rewired``: double-edge swaps within each relation and pair of kinds: every entity keeps its number of edges
      out and in for each relation; which entity joins which is lost (Maslov and Sneppen 2002).
    - ``random``: as many triples for each relation and pair of kinds, heads and tails drawn uniformly: degrees are
      lost too.

    Args:
        graph: the real graph.
        name: one of ``ARMS``.
        seed: of the draws.

    Raises:
        UnknownNameError: there is no such arm.
    """
    generator = np.random.default_rng(seed)
    if name == "graph":
        return graph
    if name == "shuffled":
        order = np.arange(len(graph.keys))
        for kind in dict.fromkeys(graph.kinds):
            members = np.flatnonzero(np.asarray(graph.kinds) == kind)
            order[members] = generator.permutation(members)
        return replace(graph, names=tuple(graph.names[place] for place in order))
    if name not in ("rewired", "random"):
        raise UnknownNameError(f"expected an arm of {', '.join(ARMS)}; got {name!r}: choose one of them")
    parts = [
        _rewired(part, generator) if name == "rewired" else _random(graph, part, generator)
        for part in _blocks(graph)
    ]
    return replace(graph, triples=np.concatenate([*parts, np.empty((0, 3), np.int64)]))


def split(graph: EntityGraph, fraction: float, seed: int) -> tuple[EntityGraph, EntityGraph]:
    """Split the triples into training and held-out ones.

    All triples between the same two entities, in either direction, go to the same side: otherwise half of
    ``differential`` could be answered by turning a training triple round, the leak of FB15k (Toutanova and Chen
    2015). Every entity and relation of a held-out triple still occurs in training.

    Args:
        graph: the graph.
        fraction: share of the triples to hold out, in (0, 1); fewer are held out if entities would run dry.
        seed: of the draw.

    Returns:
        Training graph and held-out graph, over the same entities and relations.
    """
    if not 0.0 < fraction < 1.0:
        raise InvalidInputError(f"expected a fraction between 0 and 1, got {fraction}: hold out e.g. 0.1")
    triples = graph.triples
    pair = np.sort(triples[:, [0, 2]], axis=1) @ np.array([len(graph.keys), 1])
    _, group = np.unique(pair, return_inverse=True)
    members = (
        np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1]) if len(graph) else []
    )
    degree = np.bincount(triples[:, [0, 2]].ravel(), minlength=len(graph.keys))
    left = np.bincount(triples[:, 1], minlength=len(graph.relations))
    wanted = round(fraction * len(graph))
    held = np.zeros(len(graph), bool)
    for place in np.random.default_rng(seed).permutation(len(members)):
        rows = members[place]
        ends, used = triples[rows][:, [0, 2]].ravel(), triples[rows, 1]
        if held.sum() + len(rows) > wanted:
            continue
        loss = np.bincount(used, minlength=len(left))
        if all(degree[end] > (ends == end).sum() for end in set(ends.tolist())) and bool(
            (left > loss)[used].all()
        ):
            held[rows] = True
            np.subtract.at(degree, ends, 1)
            left -= loss
        if held.sum() == wanted:
            break
    return replace(graph, triples=triples[~held]), replace(graph, triples=triples[held])


def is_chinese(spelling: str) -> bool:
    """Whether a spelling holds a Chinese character: decides the language of the words around it."""
    return any("\u3400" <= char <= "\u9fff" for char in spelling)


def _spellings(name: str, aliases: tuple[str, ...], en: str, aliases_en: tuple[str, ...]) -> tuple[str, ...]:
    """Chinese spellings, then English ones; one that differs only by case is kept once."""
    kept: dict[str, str] = {}
    for spelling in (name, *aliases, en, *aliases_en):
        if spelling:
            kept.setdefault(spelling.casefold(), spelling)
    return tuple(kept.values())


def _drugs(names: dict[str, tuple[str, ...]]) -> list[tuple[str, str, str]]:
    """Add drugs and their classes to the names; a class that is a management option is that option."""
    from xinglin.terms.vocabulary import starter_vocabulary

    edges = []
    for drug in starter_vocabulary().drugs.values():
        key = f"drug:{drug.name}"
        names[key] = _spellings(drug.name, drug.aliases, drug.en, drug.aliases_en)
        for name in drug.classes:
            target = f"option:{name}"
            if target not in names:
                target = f"drug_class:{name}"
                names.setdefault(target, (name,))
            edges.append((key, "drug_class", target))
    return edges


def _blocks(graph: EntityGraph) -> list[Ids]:
    """Triples grouped by relation and kinds of both ends, in a fixed order."""
    kinds = {kind: place for place, kind in enumerate(dict.fromkeys(graph.kinds))}
    kind = np.array([kinds[name] for name in graph.kinds], np.int64)
    head, relation, tail = graph.triples.T
    label = (relation * len(kinds) + kind[head]) * len(kinds) + kind[tail]
    return [graph.triples[label == value] for value in np.unique(label)]


def _rewired(block: Ids, generator: np.random.Generator, rounds: int = 10) -> Ids:
    """Swap the tails of pairs of edges, ``rounds`` attempts an edge; no loop and no duplicate arises."""
    heads, tails = block[:, 0].tolist(), block[:, 2].tolist()
    present = set(zip(heads, tails, strict=True))
    n = len(heads)
    draws = generator.integers(0, n, (rounds * n, 2)).tolist() if n > 1 else []
    for one, two in draws:
        a, b, c, d = heads[one], tails[one], heads[two], tails[two]
        if a in (c, d) or b in (c, d) or (a, d) in present or (c, b) in present:
            continue
        present -= {(a, b), (c, d)}
        present |= {(a, d), (c, b)}
        tails[one], tails[two] = d, b
    return np.column_stack([block[:, 0], block[:, 1], np.array(tails, np.int64)])


def _random(graph: EntityGraph, block: Ids, generator: np.random.Generator) -> Ids:
    """As many different pairs of the same two kinds, drawn uniformly without loops."""
    kinds = np.asarray(graph.kinds)
    heads = np.flatnonzero(kinds == kinds[block[0, 0]])
    tails = np.flatnonzero(kinds == kinds[block[0, 2]])
    same = kinds[block[0, 0]] == kinds[block[0, 2]]
    width = len(tails) - int(same)  # within one kind a head has one partner less: itself
    code = np.sort(generator.choice(len(heads) * width, len(block), replace=False, shuffle=False))
    head, place = np.divmod(code, width)
    if same:
        place = place + (place >= head)
    return np.column_stack([heads[head], np.full(len(block), block[0, 1]), tails[place]]).astype(np.int64)
