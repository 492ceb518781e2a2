"""Which items to label next: against a slow choice, and what each reason alone must come to."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from xinglin.errors import InvalidInputError
from xinglin.labels.select import K_CENTER, MARGIN, Mix, at_random, select


def pool(seed: int, size: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, features and graph distances, all without ties."""
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.ones(4), size)
    features = generator.normal(size=(size, 5)) * generator.uniform(0.1, 9, (size, 1))
    distances = np.where(generator.random((size, 6)) < 0.4, np.inf, generator.uniform(0, 4, (size, 6)))
    return probabilities, features, distances


def slow(count: int, labelled: list[int], parts: tuple[np.ndarray, ...], mix: Mix) -> list[int]:
    """One candidate, one anchor, one labelled item after another."""
    probabilities, features, distances = parts
    doubt = [1 - (sorted(row)[-1] - sorted(row)[-2]) for row in probabilities.tolist()]
    free = [i for i in range(len(doubt)) if i not in labelled]
    if mix.uncertainty and mix.shortlist:
        free = sorted(free, key=lambda i: -doubt[i])[: mix.shortlist * count]
    seen, chosen, most = list(labelled), [], 0.0

    def cosine(i: int, j: int) -> float:
        a, b = features[i], features[j]
        return float(a @ b / np.sqrt(a @ a) / np.sqrt(b @ b))

    def gain(i: int) -> float:
        return sum(
            max(0.0, 0.5 ** distances[i, a] - max([0.5 ** distances[j, a] for j in seen], default=0.0))
            for a in range(distances.shape[1])
        )

    while free and len(chosen) < count:
        gains = {i: gain(i) for i in free}
        most = most or max(gains.values())
        scores = {}
        for i in free:
            novelty = min(((1 - cosine(i, j)) / 2 for j in seen), default=1.0)
            scores[i] = doubt[i] ** mix.uncertainty * novelty**mix.diversity
            scores[i] *= 1 + mix.coverage * (gains[i] / most if most else 0.0)
        best = max(scores, key=lambda i: scores[i])
        free.remove(best)
        seen.append(best)
        chosen.append(best)
    return chosen


@given(
    st.integers(0, 1000),
    st.lists(st.integers(0, 29), max_size=8),
    st.integers(1, 12),
    st.sampled_from([0.0, 1.0, 2.0]),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sampled_from([0.0, 0.5, 3.0]),
    st.sampled_from([0, 1, 3]),
)
@settings(max_examples=40, deadline=None)
def test_the_choice_is_the_slow_one(
    seed: int, labelled: list[int], count: int, u: float, d: float, c: float, shortlist: int
) -> None:
    probabilities, features, distances = parts = pool(seed)
    mix = Mix(u, d, c, shortlist)
    if not u and (c or not d or not labelled):
        return  # equal scores, of which either choice takes any
    found = select(
        *(30, count, np.array(labelled, int)),
        probabilities=probabilities,
        features=features,
        distances=distances,
        mix=mix,
        seed=seed,
    )
    assert found.tolist() == slow(count, sorted(set(labelled)), parts, mix)


def test_doubt_alone_is_the_smallest_margin() -> None:
    probabilities, features, _ = pool(0)
    margin = np.diff(np.sort(probabilities, axis=1)[:, -2:], axis=1).ravel()
    found = select(30, 7, np.array([3]), probabilities=probabilities, features=features, mix=MARGIN)
    assert found.tolist() == [i for i in np.argsort(margin) if i != 3][:7]


@given(st.integers(0, 200))
@settings(max_examples=20, deadline=None)
def test_farthest_first_is_at_most_twice_the_best_radius(seed: int) -> None:
    """Gonzalez 1985, over the metric sqrt(2 - 2 cosine)."""
    features = np.random.default_rng(seed).normal(size=(12, 3))
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    apart = np.sqrt(np.maximum(2 - 2 * unit @ unit.T, 0))

    def radius(centres: list[int]) -> float:
        return float(apart[:, centres].min(axis=1).max())

    found = select(12, 2, np.array([0]), features=features, mix=K_CENTER).tolist()
    best = min(radius([0, *pair]) for pair in combinations(range(1, 12), 2))
    assert radius([0, *found]) <= 2 * best + 1e-9


@given(st.integers(0, 200))
@settings(max_examples=20, deadline=None)
def test_coverage_is_near_the_best_there_is(seed: int) -> None:
    """Greedy choice of a submodular gain reaches 1 - 1/e of the best (Nemhauser, Wolsey and Fisher 1978)."""
    _, _, distances = pool(seed, 12)
    near = 0.5**distances

    def covered(chosen: list[int]) -> float:
        return float(near[chosen].max(axis=0).sum())

    # doubt is the same everywhere, so that the gain alone decides
    even = np.full((12, 2), 0.5)
    mix = Mix(uncertainty=1.0, diversity=0.0, coverage=1e9, shortlist=0)
    found = select(12, 3, np.array([], int), probabilities=even, distances=distances, mix=mix).tolist()
    best = max(covered(list(trio)) for trio in combinations(range(12), 3))
    assert covered(found) >= (1 - 1 / np.e) * best - 1e-9


def test_duplicates_are_not_bought_twice() -> None:
    """Ten copies of one doubtful item: doubt alone takes copies, the mix takes one."""
    features = np.vstack([np.tile([[1.0, 0, 0]], (10, 1)), np.eye(3)[1:]])
    probabilities = np.vstack([np.tile([[0.5, 0.5]], (10, 1)), [[0.7, 0.3], [0.8, 0.2]]])
    labelled = np.array([], int)
    alone = select(12, 3, labelled, probabilities=probabilities, features=features, mix=MARGIN)
    assert max(alone) < 10
    mixed = select(12, 3, labelled, probabilities=probabilities, features=features, mix=Mix(shortlist=0))
    assert sorted(min(i, 9) if i < 10 else i for i in mixed.tolist()) == [9, 10, 11]


def test_sparse_and_dense_features_agree_whatever_their_scale() -> None:
    probabilities, features, _ = pool(3)
    features[4] = 0.0
    labelled = np.array([1, 2])
    dense = select(30, 9, labelled, probabilities=probabilities, features=features)
    sparse = select(30, 9, labelled, probabilities=probabilities, features=csr_matrix(features * 7))
    assert dense.tolist() == sparse.tolist()


@given(st.integers(0, 50), st.integers(0, 40))
@settings(max_examples=30, deadline=None)
def test_a_batch_is_of_distinct_unlabelled_items(seed: int, count: int) -> None:
    probabilities, features, _ = pool(seed)
    labelled = np.unique(np.random.default_rng(seed).integers(0, 30, 10))
    chosen = select(30, count, labelled, probabilities=probabilities, features=features, mix=Mix(shortlist=0))
    by_chance = at_random(30, count, labelled, seed=seed)
    for found in (chosen, by_chance):
        assert len(found) == min(count, 30 - len(labelled))
        assert len(set(found.tolist()) | set(labelled.tolist())) == len(found) + len(labelled)
    np.testing.assert_array_equal(by_chance, at_random(30, count, labelled, seed=seed))


def test_ties_fall_by_the_seed_not_by_the_place() -> None:
    even = np.full((50, 2), 0.5)
    first = [select(50, 1, np.array([], int), probabilities=even, seed=seed).tolist() for seed in range(20)]
    assert len({pick[0] for pick in first}) > 5
    assert first[3] == select(50, 1, np.array([], int), probabilities=even, seed=3).tolist()


def test_blocks_do_not_change_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    probabilities, features, _ = pool(5)
    labelled = np.arange(6)
    whole = select(30, 8, labelled, probabilities=probabilities, features=features)
    monkeypatch.setattr("xinglin.labels.select.BLOCK", 13)
    assert select(30, 8, labelled, probabilities=probabilities, features=features).tolist() == whole.tolist()


def test_wrong_input_is_refused() -> None:
    probabilities, features, distances = pool(0)
    none = np.array([], int)
    for message, call in (
        ("nothing to choose by", lambda: select(30, 1, none)),
        ("nothing to choose by", lambda: select(30, 1, none, features=features, mix=MARGIN)),
        (r"probabilities \(31", lambda: select(31, 1, none, probabilities=probabilities)),
        ("sum to 1", lambda: select(30, 1, none, probabilities=probabilities * 2)),
        (r"features \(31", lambda: select(31, 1, none, features=features)),
        ("finite features", lambda: select(30, 1, none, features=features * np.inf)),
        ("distances", lambda: select(30, 1, none, distances=-distances, mix=Mix(coverage=1.0))),
        (r"indices in 0\.\.29", lambda: select(30, 1, np.array([30]), features=features)),
        ("vector of indices", lambda: at_random(30, 1, np.array([0.5]))),
        ("count >= 0", lambda: select(30, -1, none, features=features)),
        ("numbers >= 0", lambda: Mix(uncertainty=-1)),
    ):
        with pytest.raises(InvalidInputError, match=message):
            call()
