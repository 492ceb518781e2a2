"""What a report shows of a model over a whole data set: drivers, by class, by subgroup, and how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from xinglin.explain.basis import Pair, Versions
from xinglin.explain.faithfulness import FIGURES, MAX_RANDOMISED, MIN_STABILITY, Faithfulness
from xinglin.explain.overview import Overview
from xinglin.measure import Figure, bootstrap, proportion
from xinglin.types import DISCLAIMER

SIGN = {"comprehensiveness": 1.0, "sufficiency": -1.0, "deletion": -1.0, "insertion": 1.0}
"""1 where a higher figure is better than its floor."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of faithfulness over the cases that were checked."""

    name: str
    value: Figure
    """Mean over cases."""
    chance: float | None
    """Mean of random orders on the same cases; ``None`` for checks that have no such floor."""
    gain: Figure | None
    """Mean of (value - chance), turned so that > 0 is better than random; its 95 % interval is paired by case."""
    failed: bool
    """On the wrong side of its floor or limit in the mean."""


@dataclass(frozen=True, slots=True)
class Trust:
    """The checks of the explanations behind an overview."""

    checks: tuple[Check, ...]
    passed: Figure
    """Share of the checked cases whose own explanation failed no check (Wilson)."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """A model's explanations over a data set."""

    source: str
    """Name of the data set or file."""
    digest: str
    """SHA-256 of the file."""
    overview: Overview
    class_cases: Mapping[str, int]
    """Explained class -> its cases."""
    stated: Mapping[str, int]
    """Grouping (性别, 年龄段) -> cases in which it is known."""
    left_out: Mapping[str, int]
    """Reason -> cases that could not be explained."""
    abstained: int
    """Explained cases for which the answer claims no ranking."""
    target: Pair | None
    """The disease explained in every case; ``None``: each case's own first candidate."""
    trust: Trust | None
    method: str
    seed: int
    versions: Versions
    time: str
    english: Mapping[str, str] = field(default_factory=dict)
    """English of the Chinese names of units, classes and subgroups."""

    def named(self, name: str) -> Pair:
        """Return a Chinese name with its English, or twice the Chinese where there is none."""
        return name, self.english.get(name, name)


def trust_of(checked: Sequence[Faithfulness], *, seed: int = 0) -> Trust | None:
    """Gather the checks of some cases; ``None`` for no case.

    Args:
        checked: one a case, a random choice of the cases.
        seed: of the intervals.
    """
    if not checked:
        return None
    checks = []
    for name in FIGURES:
        ours = np.array([getattr(item, name) for item in checked])
        floor = np.array([getattr(item.chance, name) for item in checked])
        gain = _mean(SIGN[name] * (ours - floor), seed)
        checks.append(Check(name, _mean(ours, seed), float(floor.mean()), gain, gain.value < 0))
    stability = _mean(np.array([item.stability for item in checked]), seed)
    checks.append(Check("stability", stability, None, None, stability.value < MIN_STABILITY))
    likeness = [item.randomised for item in checked if item.randomised is not None]
    if likeness:
        value = _mean(np.array(likeness), seed)
        checks.append(Check("randomised", value, None, None, value.value > MAX_RANDOMISED))
    return Trust(tuple(checks), proportion(sum(not item.failed for item in checked), len(checked)))


def as_json(cohort: Cohort) -> dict[str, Any]:
    """Return a cohort as plain data (docs/explain.md)."""
    return {"disclaimer": [DISCLAIMER["zh"], DISCLAIMER["en"]], **asdict(cohort)}


def _mean(values: np.ndarray[Any, np.dtype[np.float64]], seed: int) -> Figure:
    return bootstrap(lambda index: float(values[index].mean()), len(values), seed=seed)
