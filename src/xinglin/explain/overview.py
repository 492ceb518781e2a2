"""What a model goes by over a whole data set: the mean strength of each unit, by class and by subgroup.

A unit is known by its name (finding, analyte) or else by its text. Figures are means of the values of the
explanations in which the unit occurs, with the number of cases; intervals are bootstrapped over cases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin.errors import InvalidInputError
from xinglin.explain.attribution import Attribution
from xinglin.explain.units import Kind, Unit
from xinglin.measure import Figure, bootstrap

LENGTH = 20
"""Units listed."""
MIN_CASES = 3
"""Cases in which a unit must occur to be listed: a mean over one or two says what those cases were."""
REPETITIONS = 200


@dataclass(frozen=True, slots=True)
class Driver:
    """One unit over the cases in which it occurs."""

    name: str
    kind: Kind
    strength: Figure
    """Mean absolute contribution to the log-odds, with its 95 % interval; ``n`` is the number of cases."""
    direction: float
    """Mean contribution with its sign; > 0: it speaks for the explained answer."""


@dataclass(frozen=True, slots=True)
class Subgroup:
    """The cases of one value of one grouping, for instance women."""

    grouping: str
    value: str
    cases: int
    drivers: tuple[Driver, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """A data set's explanations in one view."""

    cases: int
    drivers: tuple[Driver, ...]
    """The units that move the cases most in sum (mean strength times cases), as shap's summary orders them."""
    by_class: Mapping[str, tuple[Driver, ...]]
    """Explained class -> its strongest units; the classes with the most cases first."""
    subgroups: tuple[Subgroup, ...]
    points: Mapping[str, tuple[float, ...]]
    """Unit -> its contribution in each case where it occurs: what the beeswarm draws, the strongest unit first."""


def summarise(
    attributions: Sequence[Attribution],
    groups: Mapping[str, Sequence[str | None]] | None = None,
    *,
    length: int = LENGTH,
    min_cases: int = MIN_CASES,
    seed: int = 0,
) -> Overview:
    """Gather explanations of many cases.

    Args:
        attributions: one a case, all by one method; each explains its own target.
        groups: grouping (性别, 年龄段) -> its value for each case; ``None`` where it is not known: such a case is
            in no subgroup.
        length: units listed in each part.
        min_cases: cases in which a unit must occur to be listed.
        seed: of the intervals.

    Raises:
        InvalidInputError: no explanations, several methods, or a grouping of another length.
    """
    groups = groups or {}
    methods = {attribution.method for attribution in attributions}
    if len(methods) != 1:
        raise InvalidInputError(
            f"summarise: expected explanations by one method, got {', '.join(sorted(methods)) or 'none'}"
        )
    for grouping, values in groups.items():
        if len(values) != len(attributions):
            raise InvalidInputError(
                f"groups: expected a value of {grouping} for each of {len(attributions)} cases, got {len(values)}"
            )

    def drivers(chosen: Iterable[int]) -> tuple[Driver, ...]:
        return _drivers([attributions[i] for i in chosen], length, min_cases, seed)

    everything = range(len(attributions))
    overall = drivers(everything)
    targets = _places(attribution.target for attribution in attributions)
    kinds = {
        (grouping, value): cases for grouping, v in groups.items() for value, cases in _places(v).items()
    }
    listed = [driver.name for driver in overall]
    return Overview(
        cases=len(attributions),
        drivers=overall,
        by_class={target: drivers(cases) for target, cases in targets.items()},
        subgroups=tuple(
            Subgroup(grouping, value, len(cases), drivers(cases))
            for (grouping, value), cases in kinds.items()
        ),
        points={name: tuple(_by_name(attributions)[name].values()) for name in listed},
    )


def unit_name(unit: Unit) -> str:
    """Return what a unit is known by over cases: its name, or its text in lower case."""
    return unit.name or unit.text.lower()


def _by_name(attributions: Sequence[Attribution]) -> dict[str, dict[int, float]]:
    """Unit -> case -> contribution; a unit told twice in a case counts with its sum."""
    found: dict[str, dict[int, float]] = {}
    for case, attribution in enumerate(attributions):
        for unit, value in zip(attribution.units, attribution.values, strict=True):
            row = found.setdefault(unit_name(unit), {})
            row[case] = row.get(case, 0.0) + value
    return found


def _drivers(
    attributions: Sequence[Attribution], length: int, min_cases: int, seed: int
) -> tuple[Driver, ...]:
    kinds = {unit_name(unit): unit.kind for attribution in attributions for unit in attribution.units}
    rows = {
        name: np.array(list(row.values()))
        for name, row in _by_name(attributions).items()
        if len(row) >= min_cases
    }
    # By the sum: what moves many cases comes before what moves three of them a little more.
    strongest = sorted(rows, key=lambda name: (-float(np.abs(rows[name]).sum()), name))[:length]
    return tuple(
        Driver(name, kinds[name], _mean(np.abs(rows[name]), seed), float(rows[name].mean()))
        for name in strongest
    )


def _mean(values: NDArray[np.float64], seed: int) -> Figure:
    return bootstrap(
        lambda index: float(values[index].mean()), len(values), seed=seed, repetitions=REPETITIONS
    )


def _places(values: Iterable[str | None]) -> dict[str, list[int]]:
    """Value -> the cases that have it, the most frequent first."""
    found: dict[str, list[int]] = {}
    for place, value in enumerate(values):
        if value is not None:
            found.setdefault(value, []).append(place)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))
