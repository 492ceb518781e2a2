"""A simulated round: items, hard items with a trap, annotators, experts and a model who err on them together.

What is assumed is all here. Truth is uniform over the classes. A share of the items is hard: each has one wrong class
that looks right (its trap). Of every reader's mistakes a stated share falls on the hard items, and there most go to the
trap: so mistakes on hard items repeat each other. Elsewhere a mistake is any other class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.labels.votes import Votes

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WorldOptions:
    """The assumptions."""

    items: int = 20_000
    classes: int = 10
    hard: float = 0.08
    """Share of hard items."""
    on_hard: float = 0.5
    """Share of a reader's mistakes that falls on the hard items."""
    trapped: float = 0.8
    """Of the mistakes on a hard item, the share that goes to its trap."""
    annotators: int = 12
    accuracy: tuple[float, float] = (0.93, 0.985)
    """Over all items; drawn uniformly for each annotator."""
    experts: int = 4
    expert_accuracy: float = 0.995
    model_accuracy: float = 0.94
    """The model is a simulated voter, not a trained one."""


class World:
    """One draw of items and people; readers answer as often as they are asked, each time anew."""

    def __init__(self, seed: int, options: WorldOptions = WorldOptions()) -> None:
        self.options = options
        self._generator = generator = np.random.default_rng(seed)
        self.truth: Ints = generator.integers(0, options.classes, options.items)
        self.hard = generator.random(options.items) < options.hard
        self.trap: Ints = (
            self.truth + generator.integers(1, options.classes, options.items)
        ) % options.classes
        self.skills = generator.uniform(*options.accuracy, options.annotators)

    def read(self, items: Ints, accuracy: NDArray[np.float64]) -> Ints:
        """Labels of readers with these accuracies for these items, shape (readings,)."""
        o, generator = self.options, self._generator
        wrong_hard = np.minimum((1 - accuracy) * o.on_hard / o.hard, 1.0)
        wrong_easy = (1 - accuracy) * (1 - o.on_hard) / (1 - o.hard)
        hard = self.hard[items]
        wrong = generator.random(len(items)) < np.where(hard, wrong_hard, wrong_easy)
        trapped = hard & (generator.random(len(items)) < o.trapped)
        other = (self.truth[items] + generator.integers(1, o.classes, len(items))) % o.classes
        return np.where(wrong, np.where(trapped, self.trap[items], other), self.truth[items])

    def votes(self, each: int, model: bool = True) -> Votes:
        """``each`` labels of every item by different annotators, and the model's vote as the last annotator."""
        o, n = self.options, self.options.items
        chosen = np.argsort(self._generator.random((n, o.annotators)), axis=1)[:, :each]
        items, annotators = np.repeat(np.arange(n), each), chosen.ravel()
        labels = self.read(items, self.skills[annotators])
        if model:
            items = np.append(items, np.arange(n))
            annotators = np.append(annotators, np.full(n, o.annotators))
            labels = np.append(labels, self.read(np.arange(n), np.full(n, o.model_accuracy)))
        return Votes(items, annotators, labels, n, o.annotators + model, o.classes)

    def review(self, items: Ints, before: Ints) -> tuple[Ints, Ints]:
        """Experts (never the same one twice for an item) and their labels; ``before``: reviews an item has had."""
        experts = (items + before) % self.options.experts
        return experts, self.read(items, np.full(len(items), self.options.expert_accuracy))
