from __future__ import annotations

import numpy as np
import pytest

from xinglin.model.knowledge import EntityGraph, split
from xinglin.train.link_ranks import figures, filtered_ranks, popularity


def _graph() -> EntityGraph:
    """Forty diseases with eight of thirty findings and one of four examinations each."""
    keys = [f"disease:病{i}" for i in range(40)] + [f"finding:征{i}" for i in range(30)]
    keys += [f"exam:查{i}" for i in range(4)]
    generator = np.random.default_rng(0)
    rows = []
    for disease in range(40):
        rows += [(disease, 0, 40 + int(j)) for j in generator.choice(30, 8, replace=False)]
        rows.append((disease, 1, 70 + disease // 10))
    kinds = tuple(key.partition(":")[0] for key in keys)
    names = tuple((key.partition(":")[2],) for key in keys)
    return EntityGraph(tuple(keys), names, kinds, ("has_finding", "exam"), np.array(rows, np.int64))


def test_ranks_are_filtered_and_ties_take_the_middle() -> None:
    scores = np.array([[0.9, 0.5, 0.5, 0.5, 0.1]])
    known = np.array([[0, 0, 2], [0, 0, 0]])
    ranks = filtered_ranks(lambda rows, tails: scores, known[:1], known)
    # Tail 2: tail 0 is another truth and left out; 1 and 3 tie with it: places 1 to 3, the middle is 2.
    assert ranks[0, 0] == 2.0
    # Head 0 is alone on top.
    assert ranks[0, 1] == 1.0


def test_ranks_equal_pykeens_own() -> None:
    graph = _graph()
    import torch

    from xinglin.train.embed import _pykeen

    with _pykeen():
        from pykeen.evaluation import RankBasedEvaluator
        from pykeen.models import DistMult
        from pykeen.triples import CoreTriplesFactory

    train, held = split(graph, 0.2, 0)
    factory = CoreTriplesFactory(torch.from_numpy(train.triples), len(graph.keys), 2)
    model = DistMult(triples_factory=factory, embedding_dim=8, random_seed=0)
    peer = RankBasedEvaluator(filtered=True).evaluate(
        model,
        torch.from_numpy(held.triples),
        additional_filter_triples=[factory.mapped_triples],
        use_tqdm=False,
    )

    def score(rows: np.ndarray, tails: bool) -> np.ndarray:
        given = torch.from_numpy(np.ascontiguousarray(rows[:, :2] if tails else rows[:, 1:]))
        with torch.no_grad():
            return (model.predict_t(given) if tails else model.predict_h(given)).numpy()

    ranks = filtered_ranks(score, held.triples, graph.triples)
    assert (1 / ranks).mean() == pytest.approx(
        peer.get_metric("both.realistic.inverse_harmonic_mean_rank"), rel=1e-5
    )
    assert (ranks <= 10).mean() == pytest.approx(peer.get_metric("both.realistic.hits_at_10"))


def test_the_floor_counts_answers_of_the_relation() -> None:
    score = popularity(_graph())
    rows = np.array([[0, 1, 70]])
    tails = score(rows, True)[0]
    assert tails[70] == 10
    assert tails.sum() == 40
    assert score(rows, False)[0][0] == 1


def test_figures_carry_their_floor_and_the_paired_gain() -> None:
    ranks, floor = np.array([[1.0, 2.0], [4.0, 20.0]] * 30), np.full((60, 2), 10.0)
    found = figures(ranks, floor, 0)
    assert found["n"] == 60
    assert found["mrr"]["value"] == pytest.approx((0.75 + 0.15) / 2)
    assert found["hits_at_10"]["value"] == pytest.approx(0.75)
    assert found["floor_mrr"] == {"value": 0.1, "low": 0.1, "high": 0.1}
    assert found["gain_mrr"]["value"] == pytest.approx(0.35)
    assert found["gain_mrr"]["low"] < 0.35 < found["gain_mrr"]["high"]
