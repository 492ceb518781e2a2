from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin.errors import InvalidInputError, UnknownNameError
from xinglin.model.knowledge import ARMS, WORDINGS, EntityGraph, arm, entity_graph, is_chinese, split

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def graphs(draw: st.DrawFn) -> EntityGraph:
    kinds = draw(st.lists(st.sampled_from(["disease", "finding", "exam"]), min_size=2, max_size=14))
    n = len(kinds)
    ends = st.integers(0, n - 1)
    relations = ("has_finding", "differential", "is_a")
    rows = draw(st.lists(st.tuples(ends, st.integers(0, 2), ends), max_size=50, unique=True))
    rows = [row for row in rows if row[0] != row[2]]
    names = tuple((f"名{i}", f"name {i}") for i in range(n))
    keys = tuple(f"{kind}:{i}" for i, kind in enumerate(kinds))
    return EntityGraph(keys, names, tuple(kinds), relations, np.array(rows, np.int64).reshape(-1, 3))


def _kinds(graph: EntityGraph) -> Counter[tuple[str, int, str]]:
    return Counter((graph.kinds[h], r, graph.kinds[t]) for h, r, t in graph.triples.tolist())


def _degrees(graph: EntityGraph) -> tuple[Counter[tuple[int, int]], Counter[tuple[int, int]]]:
    rows = graph.triples.tolist()
    return Counter((h, r) for h, r, _ in rows), Counter((t, r) for _, r, t in rows)


def _is_simple(graph: EntityGraph) -> bool:
    rows = graph.triples.tolist()
    return len(set(map(tuple, rows))) == len(rows) and all(h != t for h, _, t in rows)


@given(graphs(), SEEDS, st.sampled_from(ARMS))
@settings(deadline=None)
def test_every_arm_keeps_size_and_kinds_and_depends_on_its_seed_alone(
    graph: EntityGraph, seed: int, name: str
) -> None:
    made = arm(graph, name, seed)
    assert len(made) == len(graph)
    assert (made.keys, made.kinds, made.relations) == (graph.keys, graph.kinds, graph.relations)
    assert _kinds(made) == _kinds(graph)
    assert _is_simple(made)
    assert arm(graph, name, seed).digest == made.digest


@given(graphs(), SEEDS)
@settings(deadline=None)
def test_rewiring_keeps_every_degree_of_every_relation(graph: EntityGraph, seed: int) -> None:
    made = arm(graph, "rewired", seed)
    assert _degrees(made) == _degrees(graph)
    assert made.names == graph.names


@given(graphs(), SEEDS)
def test_shuffling_moves_names_within_their_kind_and_leaves_the_structure(
    graph: EntityGraph, seed: int
) -> None:
    made = arm(graph, "shuffled", seed)
    assert np.array_equal(made.triples, graph.triples)
    for kind in set(graph.kinds):
        before = sorted(n for n, k in zip(graph.names, graph.kinds, strict=True) if k == kind)
        after = sorted(n for n, k in zip(made.names, made.kinds, strict=True) if k == kind)
        assert after == before


@given(graphs(), st.floats(0.05, 0.6), SEEDS)
def test_a_split_leaves_no_stranger_and_no_pair_on_both_sides(
    graph: EntityGraph, fraction: float, seed: int
) -> None:
    train, held = split(graph, fraction, seed)
    rows = {tuple(row) for row in graph.triples.tolist()}
    left, right = ({tuple(row) for row in part.triples.tolist()} for part in (train, held))
    assert left | right == rows
    assert not left & right
    assert len(held) <= round(fraction * len(graph))
    seen = {end for h, _, t in left for end in (h, t)}
    assert {end for h, _, t in right for end in (h, t)} <= seen
    assert {r for _, r, _ in right} <= {r for _, r, _ in left}
    assert not {frozenset((h, t)) for h, _, t in left} & {frozenset((h, t)) for h, _, t in right}
    assert split(graph, fraction, seed)[1].digest == held.digest


@pytest.fixture(scope="module")
def starter() -> EntityGraph:
    return entity_graph()


def test_the_starter_graph_is_whole(starter: EntityGraph) -> None:
    counts = Counter(starter.kinds)
    assert counts["disease"] == 1208
    assert counts["finding"] > 1800
    assert min(counts[kind] for kind in ("exam", "option", "drug", "drug_class")) > 100
    assert starter.relations == tuple(WORDINGS)
    assert len(starter) > 36_000
    assert _is_simple(starter)
    for names in starter.names:
        assert len({name.casefold() for name in names}) == len(names)
    place = starter.index["disease:急性心肌梗死"]
    names = starter.names[place]
    assert names[0] == "急性心肌梗死"
    assert is_chinese(names[0])
    assert not is_chinese(names[-1])
    tails = {
        starter.keys[t]
        for h, r, t in starter.triples.tolist()
        if h == place and starter.relations[r] == "has_finding"
    }
    assert "finding:胸痛" in tails
    penicillin = starter.index["drug:青霉素"]
    assert any(h == penicillin for h, _, _ in starter.triples.tolist())


def test_what_a_disease_excludes_is_no_edge(starter: EntityGraph) -> None:
    from xinglin.graph.load import starter as knowledge

    rows = {(h, t) for h, r, t in starter.triples.tolist() if starter.relations[r] == "has_finding"}
    excluded = [row for row in knowledge().relations if row.qualifier == "excluded"]
    assert len(excluded) > 100
    for row in excluded:
        pair = (starter.index[f"disease:{row.disease}"], starter.index[f"finding:{row.target}"])
        assert pair not in rows


def test_options_can_be_left_out() -> None:
    plain = entity_graph(with_options=False)
    assert set(plain.kinds) == {"disease", "finding", "exam"}
    assert "option" not in plain.relations
    assert "drug_class" not in plain.relations


def test_the_arms_of_the_starter_graph_destroy_what_they_say(starter: EntityGraph) -> None:
    def edges(graph: EntityGraph) -> set[tuple[str, int, str]]:
        return {(graph.names[h][0], r, graph.names[t][0]) for h, r, t in graph.triples.tolist()}

    true = edges(starter)
    made = {name: arm(starter, name, seed=3) for name in ("shuffled", "rewired", "random")}
    for name, graph in made.items():
        assert len(edges(graph) & true) < 0.2 * len(true), name
    assert len({graph.digest for graph in made.values()} | {arm(starter, "shuffled", 4).digest}) == 4
    assert _degrees(made["rewired"]) == _degrees(starter)
    assert _degrees(made["random"]) != _degrees(starter)


def test_the_split_of_the_starter_graph_reaches_its_fraction(starter: EntityGraph) -> None:
    _, held = split(starter, 0.1, seed=0)
    assert len(held) == pytest.approx(0.1 * len(starter), abs=2)


def test_bad_graphs_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="shuffled"):
        arm(entity_graph(False), "shufled", 0)
    with pytest.raises(InvalidInputError, match="fraction"):
        split(entity_graph(False), 1.5, 0)
    triple = np.array([[0, 0, 2]])
    with pytest.raises(InvalidInputError, match="outside"):
        EntityGraph(("a:1", "a:2"), (("x",), ("y",)), ("a", "a"), ("is_a",), triple)
    with pytest.raises(InvalidInputError, match="keys"):
        EntityGraph(("a:1", "a:1"), (("x",), ("y",)), ("a", "a"), ("is_a",), triple[:0])
    with pytest.raises(InvalidInputError, match="spelling"):
        EntityGraph(("a:1",), ((),), ("a",), ("is_a",), triple[:0])
    with pytest.raises(UnknownNameError, match="eats"):
        EntityGraph(("a:1",), (("x",),), ("a",), ("eats",), triple[:0])


def test_importing_needs_no_torch() -> None:
    code = "import sys, xinglin.model.knowledge; sys.exit('torch' in sys.modules or 'pykeen' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
