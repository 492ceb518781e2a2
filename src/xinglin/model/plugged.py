"""A model that another distribution brings: an entry point of ``xinglin.models``, called without arguments to open it.

What it returns is called with a sequence of texts and returns, for each, labels with probabilities: ``{label: p}``, each p
in [0, 1], together at most 1. It is somebody else's model: no checkpoint of ours, no calibration, no gate; whoever shows its
answers says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xinglin.errors import PluginError
from xinglin.store.plugins import Plugin, blamed, load

Ranked = list[tuple[str, float]]
"""Labels with their probabilities, the likeliest first; of equal ones, the first by name."""


class PluggedModel:
    """An installed model, opened."""

    def __init__(self, name: str) -> None:
        """Open it.

        Raises:
            UnknownNameError, PluginError: as ``store.plugins.load``; or what it opens cannot be called.
        """
        self.plugin: Plugin
        self.plugin, make = load("models", name)
        with blamed(self.plugin):
            opened = make()
        if not callable(opened):
            raise PluginError(f"{self.plugin}: expected a model to call, got {type(opened).__name__}")
        self._model: Callable[[Sequence[str]], Sequence[Mapping[str, float]]] = opened

    def __call__(self, texts: Sequence[str]) -> list[Ranked]:
        """Return the ranked labels of each text.

        Raises:
            PluginError: it failed, or did not answer each text with probabilities.
        """
        with blamed(self.plugin):
            answers = list(self._model(tuple(texts)))
        if len(answers) != len(texts):
            raise PluginError(f"{self.plugin}: expected {len(texts)} answers, got {len(answers)}")
        return [self._ranked(answer) for answer in answers]

    def _ranked(self, answer: Any) -> Ranked:
        if not isinstance(answer, Mapping) or not all(
            isinstance(label, str) and _probability(p) for label, p in answer.items()
        ):
            raise PluginError(f"{self.plugin}: expected labels with probabilities in [0, 1]")
        if math.fsum(answer.values()) > 1 + 1e-6:
            raise PluginError(f"{self.plugin}: probabilities of one text sum to more than 1")
        return sorted(answer.items(), key=lambda pair: (-pair[1], pair[0]))


def _probability(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value <= 1.0
