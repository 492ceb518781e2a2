"""Fitted activity models: a kernel machine and boosted trees, stacked, calibrated, with an interval and a domain.

A panel is the models of one table: all its tasks share the training molecules, so the kernel is computed once. What is
fitted where is told in ``xinglin.train.molecules.activity``; here it is only used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from xinglin.errors import MissingExtraError
from xinglin.measure.normalised import NormalisedInterval
from xinglin.measure.venn_abers import VennAbers
from xinglin.model.molecule.domain import Domain, nearness
from xinglin.model.molecule.features import Features
from xinglin.model.molecule.kernel import DescriptorScale, similarity

Array = NDArray[np.float64]
Kind = Literal["number", "probability"]
_BLOCK = 1024
"""Molecules predicted at once: bounds the kernel's memory."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """What one task's model says of some molecules; all of shape (molecules,)."""

    value: Array
    """A number in the table's unit, or the probability of label 1."""
    low: Array
    high: Array
    """Interval: of a number, one that holds the stated share of new cases; of a probability, Venn-Abers p0 and p1."""
    in_domain: NDArray[np.bool_]
    nearness: Array
    """Mean fragment similarity to the five nearest training molecules, in [0, 1]."""

    def take(self, rows: NDArray[Any]) -> Predictions:
        """Return the predictions of some molecules, by index or mask."""
        return Predictions(
            self.value[rows], self.low[rows], self.high[rows], self.in_domain[rows], self.nearness[rows]
        )


@dataclass(frozen=True)
class ActivityModel:
    """The model of one task; ``rows`` are its molecules among those of the panel."""

    task: str
    kind: Kind
    rows: NDArray[np.int64]
    """Which molecules of the panel have a label of this task."""
    dual: Array
    """Weight of each of ``rows`` in the kernel machine."""
    offset: float
    """What the kernel machine says of a molecule that is like none."""
    trees: str
    """LightGBM's text format; empty where cross-validation gave the trees no weight."""
    stack: tuple[float, float, float]
    """Constant, weight of the kernel machine, weight of the trees (of a probability: of their log-odds)."""
    domain: Domain
    interval: NormalisedInterval | None = None
    """Of a number."""
    inside: VennAbers | None = None
    """Of a probability, for molecules in the domain."""
    outside: VennAbers | None = None
    """Of a probability, for those outside."""

    @cached_property
    def _booster(self) -> Any:
        try:
            import lightgbm
        except ImportError as error:
            raise MissingExtraError("activity models", "drugs") from error
        return lightgbm.Booster(model_str=self.trees)

    def predict(
        self, fragments: NDArray[np.float32], whole: NDArray[np.float32], columns: Any
    ) -> Predictions:
        """Return predictions from the kernel to the panel's molecules, shape (molecules, panel), and tree inputs."""
        machine = whole[:, self.rows] @ self.dual + self.offset
        near = nearness(fragments[:, self.rows])
        trees = self._tree_score(columns, len(machine))
        score = self.stack[0] + self.stack[1] * machine + self.stack[2] * trees
        inside = self.domain.holds(near)
        if self.kind == "number":
            if self.interval is None:
                raise ValueError(f"{self.task}: a number without an interval")
            apart = np.abs(machine - trees) if self.trees else np.zeros(len(machine))
            half = self.interval.half_width(signs(near, apart))
            return Predictions(score, score - half, score + half, inside, near)
        if self.inside is None or self.outside is None:
            raise ValueError(f"{self.task}: a probability without Venn-Abers tables")
        value = expit(score)
        low, high = self.inside.interval(score)
        low_outside, high_outside = self.outside.interval(score)
        low, high = np.where(inside, low, low_outside), np.where(inside, high, high_outside)
        return Predictions(value, np.minimum(low, value), np.maximum(high, value), inside, near)

    def _tree_score(self, columns: Any, count: int) -> Array:
        if not self.trees:
            return np.zeros(count)
        raw = np.asarray(self._booster.predict(columns, num_threads=1), np.float64)
        return raw if self.kind == "number" else log_odds(raw)


@dataclass(frozen=True)
class Panel:
    """The models of one table."""

    name: str
    reference: Features
    """Of the training molecules, each once."""
    scale: DescriptorScale
    models: tuple[ActivityModel, ...]

    def predict(self, features: Features, tasks: Sequence[str] | None = None) -> dict[str, Predictions]:
        """Return each task's predictions of molecules.

        Args:
            features: of the molecules, in standard form.
            tasks: those wanted; None: all.
        """
        models = [model for model in self.models if tasks is None or model.task in tasks]
        parts: dict[str, list[Predictions]] = {model.task: [] for model in models}
        for start in range(0, len(features), _BLOCK):
            some = features.take(np.arange(start, min(start + _BLOCK, len(features))))
            alike = similarity(some, self.reference, self.scale)
            columns = some.columns()
            for model in models:
                parts[model.task].append(model.predict(alike.fragments, alike.whole, columns))
        return {task: _whole(found) for task, found in parts.items()}


def signs(near: Array, apart: Array) -> Array:
    """Return the signs of difficulty of a number: distance to the training molecules, and the two learners' disagreement."""
    return np.column_stack([1.0 - near, apart])


def log_odds(probability: Array) -> Array:
    """Return the log-odds of probabilities, cut at one in ten thousand."""
    return np.asarray(logit(np.clip(probability, 1e-4, 1 - 1e-4)))


def _whole(parts: list[Predictions]) -> Predictions:
    if not parts:
        none = np.zeros(0)
        return Predictions(none, none, none, np.zeros(0, bool), none)
    return Predictions(
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.low for part in parts]),
        np.concatenate([part.high for part in parts]),
        np.concatenate([part.in_domain for part in parts]),
        np.concatenate([part.nearness for part in parts]),
    )
