"""Triples in compressed sparse rows: a million load in seconds, neighbours answer in microseconds.

Two CSR halves (by head and by tail) over integer ids; names live in one list. The layout is the usual
one of graph libraries (e.g. SciPy's ``csr_matrix``): ``edges[start[i]:start[i + 1]]`` are the edges of
node ``i``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import UnknownNameError

Ids = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class TripleIndex:
    """An immutable index over (head, relation, tail) names."""

    nodes: list[str]
    relations: list[str]
    ids: dict[str, int]
    head: Ids
    relation: Ids
    tail: Ids
    out_start: NDArray[np.int64]
    out_edges: Ids
    in_start: NDArray[np.int64]
    in_edges: Ids

    @staticmethod
    def build(triples: Iterable[tuple[str, str, str]]) -> TripleIndex:
        """Build from (head, relation, tail) names; duplicates are kept once, in first order."""
        ids: dict[str, int] = {}
        relation_ids: dict[str, int] = {}
        rows = dict.fromkeys(
            (
                ids.setdefault(head, len(ids)),
                relation_ids.setdefault(relation, len(relation_ids)),
                ids.setdefault(tail, len(ids)),
            )
            for head, relation, tail in triples
        )
        table = np.fromiter((cell for row in rows for cell in row), np.int32, 3 * len(rows)).reshape(-1, 3)
        head, relation, tail = (np.ascontiguousarray(table[:, column]) for column in range(3))
        out_start, out_edges = _rows(head, len(ids))
        in_start, in_edges = _rows(tail, len(ids))
        return TripleIndex(
            list(ids), list(relation_ids), ids, head, relation, tail, out_start, out_edges, in_start, in_edges
        )

    def __len__(self) -> int:
        return len(self.head)

    def out_of(self, name: str) -> list[tuple[str, str]]:
        """Return (relation, tail) of every edge that leaves ``name``.

        Raises:
            UnknownNameError: no edge touches that name.
        """
        node = self._id(name)
        edges = self.out_edges[self.out_start[node] : self.out_start[node + 1]]
        return self._named(self.relation[edges], self.tail[edges])

    def into(self, name: str) -> list[tuple[str, str]]:
        """Return (relation, head) of every edge that reaches ``name``.

        Raises:
            UnknownNameError: no edge touches that name.
        """
        node = self._id(name)
        edges = self.in_edges[self.in_start[node] : self.in_start[node + 1]]
        return self._named(self.relation[edges], self.head[edges])

    def neighbour_ids(self, node: int) -> Ids:
        """Return the tail ids of a node's outgoing edges as an array view."""
        return self.tail[self.out_edges[self.out_start[node] : self.out_start[node + 1]]]

    def _named(self, relations: Ids, nodes: Ids) -> list[tuple[str, str]]:
        pairs = zip(relations.tolist(), nodes.tolist(), strict=True)
        return [(self.relations[relation], self.nodes[node]) for relation, node in pairs]

    def _id(self, name: str) -> int:
        try:
            return self.ids[name]
        except KeyError:
            from difflib import get_close_matches

            near = get_close_matches(name, self.nodes, n=3)
            hint = f"; nearest: {', '.join(near)}" if near else ""
            raise UnknownNameError(f"the graph has no node {name!r}{hint}") from None


def _rows(keys: Ids, count: int) -> tuple[NDArray[np.int64], Ids]:
    start = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(keys, minlength=count), out=start[1:])
    return start, np.argsort(keys, kind="stable").astype(np.int32)
