"""One line of a result: a figure with its interval, n, and the reference of the same run beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from xinglin.measure import Figure, bootstrap


@dataclass(frozen=True, slots=True)
class Line:
    """One measured figure. ``None`` is *not measured* or *not available*, and the note says why."""

    name: str
    """What was measured."""
    figure: str
    """Which statistic of it."""
    value: float | None
    unit: str
    n: int
    low: float | None = None
    high: float | None = None
    reference: float | None = None
    """Measured in the same run, or published (source in the note)."""
    reference_name: str | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Our figure over the reference."""
        return self.value / self.reference if self.value is not None and self.reference else None

    def as_json(self) -> dict[str, Any]:
        """Return the common result format."""
        return asdict(self) | {"ratio": self.ratio}


def aim(value: float, limit: float, unit: str, *, at_most: bool = True) -> str:
    """Say whether a figure meets its aim."""
    met = value <= limit if at_most else value >= limit
    return f"aim {'<=' if at_most else '>='} {limit:g} {unit}: {'met' if met else 'MISSED'}"


def quantile(samples: Sequence[float], q: float) -> Figure:
    """Return a quantile of the samples with its bootstrap interval."""
    values = np.asarray(samples, float)
    return bootstrap(lambda index: float(np.quantile(values[index], q)), len(values), repetitions=300)


def quantiles(
    name: str,
    samples: Sequence[float],
    unit: str,
    note: Callable[[float, float], str] | str = "",
    **more: Any,
) -> list[Line]:
    """Return the lines p50 and p95 of the samples; ``note`` may be a function of (q, value)."""
    lines = []
    for q in (0.5, 0.95):
        figure = quantile(samples, q)
        said = note(q, figure.value) if callable(note) else note
        lines.append(
            Line(
                name,
                f"p{q * 100:.0f}",
                figure.value,
                unit,
                figure.n,
                figure.low,
                figure.high,
                note=said,
                **more,
            )
        )
    return lines


def shown(value: float | None) -> str:
    """Write a number with three or four significant digits."""
    if value is None:
        return "–"
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 3 - math.floor(math.log10(abs(value))) - 1)
    return f"{value:,.{digits}f}"
