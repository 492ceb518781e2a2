"""A synthetic power-law graph: build, load from SQLite, neighbours; against networkx on the same triples."""

from __future__ import annotations

import gc
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._line import Line, aim

SEED = 0
Names = tuple[str, str, str]


def run(quick: bool) -> list[Line]:
    import networkx as nx

    from xinglin.graph.database import index_graph, save_graph
    from xinglin.graph.index import TripleIndex
    from xinglin.store import open_store
    from xinglin.types import Code, Triple

    triples = _triples(10_000 if quick else 1_000_000)
    queries = _queries(triples, 1_000 if quick else 20_000)
    note = f"{len(triples):,} distinct triples, seed {SEED}, heads and tails by a power law"

    index, ours = _timed(lambda: TripleIndex.build(triples))
    peer, theirs = _timed(lambda: _networkx(nx, triples))
    n = len(index)
    lines = [
        _against("build from names", "wall", ours, "s", n, theirs, note),
    ]
    lines += _neighbours(index, peer, queries)
    del index, peer
    gc.collect()
    sample = triples[: 10_000 if quick else 200_000]
    lines.append(
        _against(
            *("memory of the index", "per triple", _bytes(lambda: TripleIndex.build(sample)), "bytes"),
            *(len(sample), _bytes(lambda: _networkx(nx, sample))),
            "tracemalloc, names not counted (shared with the input)",
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{Path(folder) / 'graph.db'}")
        rows = (
            Triple(Code("b", head, head), relation, Code("b", tail, tail), "synthetic")
            for head, relation, tail in triples
        )
        _, saved = _timed(lambda: save_graph(store, "synthetic", rows, source="seeded", actor="benchmark"))
        loaded, seconds = _timed(lambda: index_graph(store, "synthetic"))
        store.close()
    if len(loaded) != n:
        raise RuntimeError(f"{n} triples were saved, {len(loaded)} came back")
    lines += [
        Line(
            "save_graph to SQLite",
            "wall",
            saved,
            "s",
            n,
            note="with digest and ledger entry, one transaction",
        ),
        Line("index_graph from SQLite", "wall", seconds, "s", n, note=aim(seconds, 10, "s for 1 M triples")),
    ]
    return lines


def _against(name: str, figure: str, ours: float, unit: str, n: int, theirs: float, note: str) -> Line:
    return Line(
        name,
        figure,
        ours,
        unit,
        n,
        reference=theirs,
        reference_name="networkx MultiDiGraph, same run",
        note=note,
    )


def _triples(count: int) -> list[Names]:
    """Distinct triples in random order: node ranks by a power law, ten relations."""
    generator = np.random.default_rng(SEED)
    nodes = max(count // 10, 10)
    rows: np.ndarray[Any, Any] = np.empty((0, 3), np.int64)
    while len(rows) < count:
        head, tail = ((nodes * generator.random(count) ** 3).astype(np.int64) for _ in range(2))
        more = np.column_stack([head, generator.integers(0, 10, count), tail])
        rows = np.unique(np.concatenate([rows, more]), axis=0)
    rows = generator.permutation(rows)[:count]
    names = [f"node{i:07d}" for i in range(nodes)]
    relations = [f"relation{i}" for i in range(10)]
    return [(names[h], relations[r], names[t]) for h, r, t in rows.tolist()]


def _queries(triples: Sequence[Names], count: int) -> list[str]:
    """Nodes that have an outgoing edge, each node as likely as another."""
    heads = sorted({head for head, _, _ in triples})
    return [heads[i] for i in np.random.default_rng(SEED).integers(0, len(heads), count)]


def _networkx(nx: Any, triples: Sequence[Names]) -> Any:
    graph = nx.MultiDiGraph()
    graph.add_edges_from((head, tail, relation) for head, relation, tail in triples)
    return graph


def _neighbours(index: Any, peer: Any, queries: Sequence[str]) -> list[Line]:
    ours = _each(index.out_of, queries)
    theirs = _each(lambda name: [(r, t) for _, t, r in peer.out_edges(name, keys=True)], queries)
    for name in queries[:200]:
        if sorted(index.out_of(name)) != sorted((r, t) for _, t, r in peer.out_edges(name, keys=True)):
            raise RuntimeError(f"networkx and the index disagree about {name}")
    # numpy views of ids, what the algorithms use
    ids = _each(lambda name: index.neighbour_ids(index.ids[name]), queries)
    degree = np.mean([len(index.out_of(name)) for name in queries])
    return [
        *_p50_p99(
            "out_of, (relation, tail) names", ours, theirs, f"mean degree {degree:.1f}; answers compared"
        ),
        *_p50_p99("neighbour_ids, array view", ids, theirs, "ids only"),
    ]


def _p50_p99(name: str, ours: Sequence[float], theirs: Sequence[float], note: str) -> list[Line]:
    lines = []
    for q in (0.5, 0.99):
        mine, peer = (float(np.quantile(np.asarray(values), q)) for values in (ours, theirs))
        lines.append(_against(name, f"p{q * 100:.0f}", mine, "µs", len(ours), peer, note))
    return lines


def _each(call: Callable[[str], Any], queries: Sequence[str]) -> list[float]:
    samples = []
    for name in queries:
        started = time.perf_counter_ns()
        call(name)
        samples.append((time.perf_counter_ns() - started) / 1000)
    return samples


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    gc.collect()
    started = time.perf_counter()
    result = call()
    return result, time.perf_counter() - started


def _bytes(build: Callable[[], Any]) -> float:
    """Bytes that a structure over 200,000 triples keeps, for one triple."""
    gc.collect()
    tracemalloc.start()
    try:
        kept = build()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] / _size(kept)
    finally:
        tracemalloc.stop()


def _size(kept: Any) -> int:
    return kept.number_of_edges() if hasattr(kept, "number_of_edges") else len(kept)
