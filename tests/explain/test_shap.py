"""Our Shapley and Owen values are shap's own, to 1e-6."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.explain.scores import Table, letters, random_game
from xinglin.explain import Explainable, segment
from xinglin.explain.exact import shapley
from xinglin.explain.partition import owen, text_tree


@pytest.fixture(scope="module")
def shap() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        # shap compiles for seven seconds otherwise; the figures are the same.
        patch.setenv("NUMBA_DISABLE_JIT", "1")
        yield pytest.importorskip("shap")


class Masker:
    """What shap asks of a masker: our masks, handed through."""

    def __init__(self, parts: int, clustering: np.ndarray | None = None) -> None:  # type: ignore[type-arg]
        self.parts, self.clustering = parts, clustering

    def shape(self, note: object) -> tuple[int, int]:
        return 1, self.parts

    def __call__(self, mask: Any, note: object) -> tuple[Any]:
        return (np.asarray(mask, bool)[None],)


def values_of(explainer: Any, game: Explainable, **options: Any) -> Any:
    return explainer(np.ones((1, len(game))), silent=True, **options).values[0]


@pytest.mark.parametrize("count", [1, 5, 8])
def test_exact_equals_shap_exact(shap: Any, count: int) -> None:
    game = Table(count, 11)
    theirs = values_of(shap.explainers.Exact(game.value, Masker(count)), game)
    assert shapley(game) == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize(
    ("count", "budget", "step"), [(5, 500, 10), (13, 100, 10), (30, 300, 10), (30, 300, 24)]
)
def test_partition_equals_shap_partition(shap: Any, count: int, budget: int, step: int) -> None:
    game = random_game(count, 12, interactions=40)
    tree = text_tree(game.text, game.units)
    explainer = shap.explainers.Partition(game.value, Masker(count, tree))
    theirs = values_of(explainer, game, max_evals=budget, batch_size=step)
    ours = owen(random_game(count, 12, interactions=40), tree, budget=budget, step=step)
    assert ours == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("budget", [40, 500])
def test_partition_equals_shap_partition_on_any_game(shap: Any, budget: int) -> None:
    count = 9
    tree = text_tree(letters(count), segment(letters(count)))
    explainer = shap.explainers.Partition(Table(count, 5).value, Masker(count, tree))
    theirs = values_of(explainer, Table(count, 5), max_evals=budget, batch_size=10)
    assert owen(Table(count, 5), tree, budget=budget) == pytest.approx(theirs, abs=1e-6)
