"""Models made by hand whose explanation is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from xinglin.explain.game import Game, Score
from xinglin.explain.units import segment


def word_score(
    weights: Mapping[str, float], pairs: Mapping[tuple[str, str], float] | None = None, bias: float = -1.0
) -> Score:
    """Log-probabilities of (target, other): the log-odds are a sum over words and pairs of words that stand in a text."""

    def score(texts: Sequence[str]) -> np.ndarray:  # type: ignore[type-arg]
        odds = [
            bias
            + sum(weight for word, weight in weights.items() if word in text)
            + sum(weight for (a, b), weight in (pairs or {}).items() if a in text and b in text)
            for text in texts
        ]
        return -np.logaddexp(0.0, np.stack([-np.array(odds), np.array(odds)], axis=1))

    return score


def letters(count: int) -> str:
    """A note of that many words, w00 w01 and so on."""
    return " ".join(f"w{i:02}" for i in range(count))


def random_game(count: int, seed: int, interactions: int = 6) -> Game:
    """Words with random weights and random pairs."""
    generator = np.random.default_rng(seed)
    names = letters(count).split()
    weights = {name: float(generator.normal()) for name in names}
    pairs = {
        (names[a], names[b]): float(generator.normal())
        for a, b in generator.integers(0, count, size=(interactions, 2))
        if a != b
    }
    return Game(word_score(weights, pairs), letters(count), segment(letters(count)), 0, "target")


class Table:
    """Any game at all: a random worth for every set of parts."""

    def __init__(self, parts: int, seed: int) -> None:
        self.parts, self.evaluations = parts, 0
        self.worth = np.random.default_rng(seed).normal(size=2**parts)

    def __len__(self) -> int:
        return self.parts

    def expect(self, masks: int) -> None:
        """No progress here."""

    def value(self, masks: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        self.evaluations += len(masks)
        return self.worth[masks @ (1 << np.arange(self.parts))]
