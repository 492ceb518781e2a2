"""Owen values over a tree of neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.explain.scores import letters, random_game, word_score
from xinglin.errors import InvalidInputError
from xinglin.explain import Game, partition_values, segment
from xinglin.explain.partition import full_cost, owen, text_tree


def brute_force(game: Game, tree: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """The definition, without a budget: a group is split with and without its sibling, in every context."""
    parts = len(game)
    values = np.zeros(parts)

    def below(node: int) -> list[int]:
        if node < parts:
            return [node]
        return [leaf for child in tree[node - parts, :2] for leaf in below(int(child))]

    def worth(kept: list[int]) -> float:
        mask = np.zeros((1, parts), bool)
        mask[0, kept] = True
        return float(game.value(mask)[0])

    def split(node: int, context: list[int], weight: float) -> None:
        if node < parts:
            values[node] += weight * (worth([*context, node]) - worth(context))
            return
        first, second = (int(child) for child in tree[node - parts, :2])
        for child, other in ((first, second), (second, first)):
            split(child, context, weight / 2)
            split(child, [*context, *below(other)], weight / 2)

    split(2 * parts - 2, [], 1.0)
    return values


@pytest.mark.parametrize(("count", "seed"), [(1, 0), (2, 1), (5, 2), (7, 3)])
def test_without_a_budget_equals_brute_force(count: int, seed: int) -> None:
    game = random_game(count, seed)
    tree = text_tree(game.text, game.units)
    budget = full_cost(tree, count)
    assert owen(game, tree, budget=budget) == pytest.approx(
        brute_force(random_game(count, seed), tree), abs=1e-9
    )
    assert game.evaluations <= budget


def test_a_model_that_adds_up_is_explained_exactly() -> None:
    weights = {f"w{i:02}": float(w) for i, w in enumerate(np.random.default_rng(0).normal(size=20))}
    note = letters(20)
    found = partition_values(Game(word_score(weights), note, segment(note), 0), budget=2000)
    assert found.values == pytest.approx(tuple(weights.values()), abs=1e-9)
    assert found.method == "shap"


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 24), st.integers(0, 1000), st.integers(2, 80), st.integers(0, 3))
def test_efficiency_whatever_the_budget(count: int, seed: int, budget: int, tree: int) -> None:
    game = random_game(count, seed)
    found = partition_values(game, budget=budget, seed=tree)
    assert sum(found.values) == pytest.approx(found.full - found.base, abs=1e-9)
    assert found.evaluations <= budget + 1


def test_a_null_unit_gets_nothing_and_twins_get_the_same() -> None:
    note = letters(4)
    game = Game(word_score({"w00": 1.5, "w01": 1.5}), note, segment(note), 0)
    found = partition_values(game)
    assert found.values == pytest.approx((1.5, 1.5, 0.0, 0.0), abs=1e-9)


def test_the_same_seed_means_the_same_values_and_the_tree_moves_with_it() -> None:
    runs = {
        seed: [partition_values(random_game(15, 4), budget=60, seed=seed).values for _ in range(2)]
        for seed in (0, 1)
    }
    assert runs[0][0] == runs[0][1]
    assert runs[1][0] == runs[1][1]
    assert runs[0][0] != runs[1][0]


def test_the_tree_follows_the_punctuation() -> None:
    note = "头痛 发热,咳嗽 咳痰 气促 乏力。腹痛 腹泻"
    units = segment(note)
    tree = text_tree(note, units)
    assert len(units) == 8
    sides = sorted(tree[-1, :2].astype(int).tolist())
    sizes = [int(tree[node - 8, 3]) if node >= 8 else 1 for node in sides]
    assert sorted(sizes) == [2, 6]
    assert tree[:, 3].max() == 8


@pytest.mark.parametrize("count", [2, 3, 17, 46, 200])
@pytest.mark.parametrize("seed", [0, 7])
def test_the_tree_is_hardly_deeper_than_a_balanced_one(count: int, seed: int) -> None:
    note = "。".join(letters(count).split())
    tree = text_tree(note, segment(note), seed)
    assert tree.shape == (count - 1, 4)
    depth = np.zeros(2 * count - 1, int)
    for row in range(count - 2, -1, -1):
        depth[tree[row, :2].astype(int)] = depth[count + row] + 1
    assert depth.max() <= np.ceil(np.log2(count)) + 1
    assert sorted(tree[:, :2].ravel().tolist()) == list(range(2 * count - 2))


def test_a_note_of_20000_characters_is_bounded() -> None:
    note = ("反复胸痛3天,伴气促、乏力,体温38.2℃。" * 1000)[:20_000]
    game = Game(word_score({"胸痛": 1.0}), note, segment(note), 0)
    found = partition_values(game, budget=60)
    assert found.evaluations <= 60
    assert found.gap == pytest.approx(0.0, abs=1e-9)


def test_a_wrong_budget_or_tree_is_refused() -> None:
    game = random_game(5, 0)
    with pytest.raises(InvalidInputError, match="at least 2, got 1"):
        partition_values(game, budget=1)
    with pytest.raises(InvalidInputError, match=r"expected shape \(4, 4\) for 5 units, got \(2, 4\)"):
        partition_values(game, tree=text_tree(letters(3), segment(letters(3))))
