"""LIME on our units is lime's own."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tests.explain.scores import letters, random_game, word_score
from xinglin.errors import InvalidInputError, MissingExtraError
from xinglin.explain import Game, lime_values, segment
from xinglin.explain.lime_words import draw, kernel


@pytest.mark.parametrize("seed", [0, 3])
def test_equals_the_text_explainer_of_lime(seed: int) -> None:
    lime_text = pytest.importorskip("lime.lime_text")
    game = random_game(8, 21)
    explainer = lime_text.LimeTextExplainer(feature_selection="none", random_state=seed)

    def classify(texts: list[str]) -> np.ndarray:  # type: ignore[type-arg]
        masks = np.array([[unit.text in text for unit in game.units] for text in texts])
        return np.stack([-game.value(masks), game.value(masks)], axis=1)

    theirs = explainer.explain_instance(game.text, classify, labels=(1,), num_features=8, num_samples=120)
    expected = np.zeros(8)
    for word, weight in theirs.as_list(label=1):
        expected[[unit.text for unit in game.units].index(word)] = weight
    found = lime_values(random_game(8, 21), samples=120, seed=seed)
    assert found.values == pytest.approx(expected, abs=1e-9)
    assert found.method == "lime"


def test_equals_the_regression_of_lime_with_the_same_samples() -> None:
    lime_base = pytest.importorskip("lime.lime_base")
    sklearn = pytest.importorskip("sklearn.metrics")
    game = random_game(6, 5)
    masks = draw(6, 80, 2)
    distances = sklearn.pairwise_distances(
        masks.astype(float), masks[:1].astype(float), metric="cosine"
    ).ravel()
    _, weights, _, _ = lime_base.LimeBase(kernel, random_state=2).explain_instance_with_data(
        masks.astype(float), game.value(masks)[:, None], 100 * distances, 0, 6, feature_selection="none"
    )
    found = lime_values(random_game(6, 5), samples=80, seed=2)
    assert dict(enumerate(found.values)) == pytest.approx(dict(weights), abs=1e-9)


def test_seeds_draw_other_samples_and_the_same_seed_the_same() -> None:
    runs = [lime_values(random_game(9, 1), samples=60, seed=seed).values for seed in (0, 0, 1)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_the_sign_and_order_of_an_additive_model_are_found() -> None:
    note = letters(5)
    game = Game(word_score({"w00": 3.0, "w02": -2.0, "w04": 1.0}), note, segment(note), 0)
    found = lime_values(game, samples=400)
    assert [game.units[i].text for i in found.order[:2]] == ["w00", "w04"]
    assert int(np.argmin(found.values)) == 2
    assert found.values[1] == pytest.approx(0.0, abs=0.1)


def test_one_unit_works_and_one_sample_does_not() -> None:
    note = "w00"
    found = lime_values(Game(word_score({"w00": 2.0}), note, segment(note), 0), samples=50)
    assert found.values[0] > 0.0  # small: the empty note is far away by the kernel, and the ridge shrinks
    with pytest.raises(InvalidInputError, match="at least 2, got 1"):
        lime_values(random_game(3, 0), samples=1)


def test_without_lime_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lime.lime_base", None)
    with pytest.raises(MissingExtraError, match=r"LIME needs .*xinglin\[explain\]"):
        lime_values(random_game(3, 0))
