"""The game whose players are the units of a note and whose payoff is the log-odds of one answer.

Log-odds rather than probability: they add up where evidence is independent, and do not saturate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError
from xinglin.explain.attribution import Attribution, Method
from xinglin.explain.units import Unit, without

Score = Callable[[Sequence[str]], NDArray[np.float64]]
"""Texts -> natural-log probabilities, shape (texts, classes)."""
Progress = Callable[[int, int], None]
"""Variants answered and variants expected; may raise to cancel."""
Masks = NDArray[np.bool_]
Floats = NDArray[np.float64]
MAX_LOG_ODDS = 50.0
"""Bound of the log-odds, so that a probability of exactly 0 or 1 stays a number."""
LEAST = -1e4
"""Stands for the logarithm of 0."""
BATCH = 64


class Start(NamedTuple):
    """When a method began."""

    evaluations: int
    seconds: float


class Game:
    """A note, its units and the model that is asked about its variants; no variant is asked twice."""

    def __init__(
        self,
        score: Score,
        text: str,
        units: Sequence[Unit],
        target: int,
        name: str = "",
        *,
        batch: int = BATCH,
        threads: int = 1,
        progress: Progress | None = None,
    ) -> None:
        """Set up the game; nothing is asked yet.

        Args:
            score: the model; an exception of it passes through.
            text: the note.
            units: its units (:func:`xinglin.explain.segment`).
            target: column of the class that is explained.
            name: its name, for the attribution.
            batch: most variants asked at once.
            threads: calls of ``score`` that run side by side; above 1 it must be safe to share between threads.
            progress: called after every batch.

        Raises:
            InvalidInputError: there are no units.
        """
        if not units:
            raise InvalidInputError(
                "expected a note with words to explain, got only punctuation or filler words: 没有可解释的内容,"
                "请输入病情描述 (describe the case)"
            )
        self.text, self.units, self.target, self.name = text, tuple(units), target, name
        self._score, self._batch, self._threads, self._progress = score, batch, threads, progress
        self._known: dict[str, float] = {}
        self._asked = self._expected = 0

    def __len__(self) -> int:
        return len(self.units)

    @property
    def evaluations(self) -> int:
        """Variants that the model was asked so far."""
        return len(self._known)

    def expect(self, masks: int) -> None:
        """Announce masks to come, for the progress."""
        self._expected += masks

    def value(self, masks: Masks) -> Floats:
        """Return the log-odds of the target for each mask.

        Args:
            masks: shape (n, units); ``True``: the unit is kept.

        Raises:
            InvalidInputError: wrong shape, or the model's answer is no table of log-probabilities.
        """
        masks = np.asarray(masks, dtype=bool)
        if masks.ndim != 2 or masks.shape[1] != len(self):
            raise InvalidInputError(
                f"masks: expected shape (n, {len(self)}), got {masks.shape}: one column a unit"
            )
        values = np.empty(len(masks))
        for first in range(0, len(masks), self._batch):
            texts = [without(self.text, self.units, kept) for kept in masks[first : first + self._batch]]
            fresh = list(dict.fromkeys(text for text in texts if text not in self._known))
            if fresh:
                self._known.update(zip(fresh, self._ask(fresh).tolist(), strict=True))
            values[first : first + len(texts)] = [self._known[text] for text in texts]
            self._asked += len(texts)
            if self._progress is not None:
                self._progress(self._asked, max(self._asked, self._expected))
        return values

    def begin(self) -> Start:
        """Return the state before a method, for :meth:`explained`."""
        return Start(self.evaluations, perf_counter())

    def explained(
        self, method: Method, values: Floats, start: Start, *, reliability: float | None = None
    ) -> Attribution:
        """Return the attribution of what a method found."""
        base, full = self.value(ends(len(self)))
        return Attribution(
            method=method,
            units=self.units,
            values=tuple(values.tolist()),
            base=float(base),
            full=float(full),
            target=self.name,
            evaluations=self.evaluations - start.evaluations,
            seconds=perf_counter() - start.seconds,
            reliability=reliability,
        )

    def _ask(self, texts: list[str]) -> Floats:
        if self._threads == 1 or len(texts) == 1:
            return self._odds(self._score(texts), len(texts))
        parts = [texts[i :: self._threads] for i in range(min(self._threads, len(texts)))]
        with ThreadPoolExecutor(len(parts)) as pool:
            answers = list(pool.map(self._score, parts))
        found = np.empty(len(texts))
        for i, (part, answer) in enumerate(zip(parts, answers, strict=True)):
            found[i :: self._threads] = self._odds(answer, len(part))
        return found

    def _odds(self, answer: Floats, texts: int) -> Floats:
        """Log-odds of the target, shape (texts,), from the model's log-probabilities."""
        answer = np.asarray(answer, dtype=np.float64)
        if answer.ndim != 2 or len(answer) != texts or answer.shape[1] < 2:
            raise InvalidInputError(
                f"score: expected log-probabilities of shape ({texts}, classes), at least two classes; got "
                f"{answer.shape}: return one row a text"
            )
        if not 0 <= self.target < answer.shape[1]:
            raise InvalidInputError(
                f"target: expected a class below {answer.shape[1]}, got {self.target}: take it from the same model"
            )
        if np.isnan(answer).any() or (answer > 1e-6).any():
            raise InvalidInputError(
                "score: expected log-probabilities (at most 0), got NaN or a value above 0: return log_softmax"
            )
        # Against the other classes, not log(1 - p): that cancels where p is near 1.
        others = np.array(answer)
        others[:, self.target] = -np.inf
        most = np.maximum(others.max(axis=1), LEAST)
        with np.errstate(divide="ignore"):
            rest = most + np.log(np.exp(others - most[:, None]).sum(axis=1))
        odds = np.maximum(answer[:, self.target], LEAST) - np.maximum(rest, LEAST)
        bounded: Floats = np.clip(odds, -MAX_LOG_ODDS, MAX_LOG_ODDS)
        return bounded


def ends(parts: int) -> Masks:
    """Return two masks: nothing, and everything."""
    return np.array([[False] * parts, [True] * parts])


def probability(odds: Floats) -> Floats:
    """Return the probability of log-odds."""
    found: Floats = 1.0 / (1.0 + np.exp(-odds))
    return found
