"""A planted signal: a model trained on one word must be explained by that word, in at least 99 of 100 notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from benchmarks._explain_planted import LABELS, PIECES, PLANTED, _notes, _trained
from benchmarks._explain_torch import log_softmax_of

from xinglin.explain import Attribution, Game, lime_values, occlusion_values, partition_values, segment

WORDS = (*PIECES, PLANTED)


def marked(text: str) -> Game:
    start = text.index(PLANTED)
    units = segment(text, [((start, start + len(PLANTED)), "finding", PLANTED)])
    return Game(lambda texts: np.zeros((len(texts), 2)), text, units, 0)


def present(texts: Sequence[str]) -> np.ndarray:  # type: ignore[type-arg]
    return np.array([[1.0] + [float(word in text) for word in WORDS] for text in texts])


@pytest.fixture(scope="module")
def weights() -> np.ndarray:  # type: ignore[type-arg]
    """Logistic regression on which words stand in a note, trained by plain gradient descent."""
    notes = _notes(400, seed=0)
    x, y = present([text for text, _ in notes]), np.array([label == 0 for _, label in notes], float)
    found = np.zeros(x.shape[1])
    for _ in range(400):
        found += 2.0 * x.T @ (y - 1 / (1 + np.exp(-x @ found))) / len(y)
    assert ((x @ found > 0) == y).mean() > 0.99
    return found


METHODS: dict[str, Callable[[Game], Attribution]] = {
    "shap": lambda game: partition_values(game, budget=200),
    "lime": lambda game: lime_values(game, samples=200),
    "occlusion": occlusion_values,
}


@pytest.mark.parametrize("method", METHODS)
def test_a_trained_word_is_put_first(weights: np.ndarray, method: str) -> None:  # type: ignore[type-arg]
    def score(texts: Sequence[str]) -> np.ndarray:  # type: ignore[type-arg]
        odds = present(texts) @ weights
        return -np.logaddexp(0.0, np.stack([-odds, odds], axis=1))

    texts = [text for text, label in _notes(200, seed=1) if label == 0]
    assert len(texts) == 100
    first = []
    for text in texts:
        units = marked(text).units
        found = METHODS[method](Game(score, text, units, 0))
        first.append(units[int(found.order[0])].name == PLANTED)
    assert sum(first) >= 99


@pytest.mark.slow
def test_a_transformer_trained_on_the_word_is_explained_by_it(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    classifier = _trained(tmp_path, 600, 4.0)
    score = log_softmax_of(classifier)
    texts = [text for text, label in _notes(200, seed=1) if label == 0]
    first = []
    for text in texts:
        units = marked(text).units
        found = partition_values(Game(score, text, units, LABELS.index("有")), budget=200)
        first.append(units[int(found.order[0])].name == PLANTED)
    assert len(first) == 100
    assert sum(first) >= 99
