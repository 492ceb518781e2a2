"""Anything with parts and an answer is explained: here a small volume whose parts are octants."""

from __future__ import annotations

import numpy as np
import pytest

from xinglin import explain
from xinglin.explain import Explainable
from xinglin.explain.exact import shapley
from xinglin.explain.lime_words import lime_weights
from xinglin.explain.occlusion import occlusion
from xinglin.explain.partition import Tree, owen


class Octants:
    """A volume of noise with a bright octant, and a model that answers by the mean brightness."""

    def __init__(self) -> None:
        self.volume = np.random.default_rng(0).random((4, 4, 4))
        self.volume[2:, :2, 2:] += 2.0
        self.evaluations = 0

    def __len__(self) -> int:
        return 8

    def expect(self, masks: int) -> None:
        """No progress bar here."""

    def value(self, masks: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        self.evaluations += len(masks)
        blocks = masks.reshape(-1, 2, 2, 2).repeat(2, 1).repeat(2, 2).repeat(2, 3)
        return (self.volume * blocks).mean(axis=(1, 2, 3))


HALVES: Tree = np.array(
    [[0, 1, 1, 2], [2, 3, 2, 2], [4, 5, 3, 2], [6, 7, 4, 2], [8, 9, 5, 4], [10, 11, 6, 4], [12, 13, 7, 8]],
    float,
)


def test_the_methods_ask_for_nothing_but_the_protocol() -> None:
    volume = Octants()
    assert isinstance(volume, Explainable)
    assert not isinstance(volume.volume, Explainable)
    exact = shapley(volume)
    assert int(exact.argmax()) == 0b101
    assert exact.sum() == pytest.approx(volume.volume.mean())
    assert owen(volume, HALVES) == pytest.approx(exact)
    assert occlusion(volume) == pytest.approx(exact)
    assert int(lime_weights(volume, samples=200).argmax()) == 0b101


def test_every_door_of_the_room_opens() -> None:
    assert len(explain.__all__) >= 18
    for name in explain.__all__:
        assert getattr(explain, name).__name__ == name
    with pytest.raises(AttributeError, match="no door 'shap'"):
        _ = explain.shap
