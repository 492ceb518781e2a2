from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.errors import UnknownNameError
from xinglin.graph.index import TripleIndex

NAMES = st.sampled_from([f"n{i}" for i in range(12)])
TRIPLES = st.lists(st.tuples(NAMES, st.sampled_from("rst"), NAMES), max_size=60)


@given(TRIPLES)
def test_neighbours_equal_networkx(triples: list[tuple[str, str, str]]) -> None:
    index = TripleIndex.build(triples)
    oracle = nx.MultiDiGraph()
    for head, relation, tail in triples:
        if not oracle.has_edge(head, tail, relation):
            oracle.add_edge(head, tail, relation)
    assert len(index) == oracle.number_of_edges()
    for node in oracle:
        assert sorted(index.out_of(node)) == sorted((r, t) for _, t, r in oracle.out_edges(node, keys=True))
        assert sorted(index.into(node)) == sorted((r, h) for h, _, r in oracle.in_edges(node, keys=True))
        tails = {index.nodes[i] for i in index.neighbour_ids(index.ids[node])}
        assert tails == set(oracle.successors(node))


def test_an_unknown_node_names_the_nearest() -> None:
    index = TripleIndex.build([("急性心肌梗死", "has_finding", "胸痛")])
    with pytest.raises(UnknownNameError, match="急性心肌梗死"):
        index.out_of("急性心肌梗塞")
