"""The waterfall: from the score of an empty note, unit by unit, to the score of the whole note.

Drawn as a table whose bars are placed in percent, so that it stays legible on a telephone and on paper.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor, log10

from xinglin.explain.basis import CaseExplanation
from xinglin.explain.phrases import Lang, say, shown, signed
from xinglin.measure.markup import Child, Markup, escaped, tag, verbatim

ROWS = 10
"""Units with a row of their own; the others share one."""
MARGIN = 0.04
"""Share of the width left free at either end."""
TICKS = 4
"""About so many marks on the axis."""


@dataclass(frozen=True, slots=True)
class Step:
    """One row: a bar from ``start`` to ``end`` in log-odds."""

    label: Markup
    start: float
    end: float
    total: bool = False
    """A sum (empty or whole note), drawn from nothing."""


def steps(explanation: CaseExplanation, lang: Lang, rows: int = ROWS) -> tuple[Step, ...]:
    """Return the rows: empty note, the strongest units, the others together, what no unit explains, whole note.

    Each begins where the one before ends, and the last ends at the score of the whole note.
    """
    attribution = explanation.attribution
    if attribution is None:
        return ()
    order = sorted(range(len(attribution.values)), key=lambda i: -abs(attribution.values[i]))
    alone = order if len(order) <= rows + 1 else order[:rows]
    found = [Step(say("base", lang), attribution.base, attribution.base, total=True)]
    for number in alone:
        unit = attribution.units[number]
        label: list[Child] = [tag("b", verbatim(unit.text))]
        if unit.name is not None and unit.text not in (unit.name, explanation.named(unit.name)[1]):
            label.append(tag("small", shown(explanation.named(unit.name), lang)))
        elif unit.name is not None and lang != "zh":
            label.append(tag("small", verbatim(explanation.named(unit.name)[1])))
        found.append(_next(found[-1], escaped(label), attribution.values[number]))
    others = order[len(alone) :]
    if others:
        rest = say("rest", lang, count=len(others))
        found.append(_next(found[-1], rest, sum(attribution.values[i] for i in others)))
    for name, value in (("between", attribution.rest), ("gap", attribution.gap)):
        if abs(value) > 5e-3:
            found.append(_next(found[-1], say(name, lang), value))
    found.append(Step(say("full", lang), attribution.full, attribution.full, total=True))
    return tuple(found)


def _next(before: Step, label: Markup, value: float) -> Step:
    return Step(label, before.end, before.end + value)


def waterfall(explanation: CaseExplanation, lang: Lang) -> Markup:
    """Return the drawing."""
    rows = steps(explanation, lang)
    ends = [value for row in rows for value in (row.start, row.end)]
    low, high = min(ends), max(ends)
    room = MARGIN * max(high - low, 0.1)
    low, high = low - room, high + room

    def at(value: float) -> float:
        return 100 * (value - low) / (high - low)

    ticks = axis(low, high)
    grid = [
        tag("i", cls="xw-zero" if tick == 0 else "xw-grid", style=f"left:{at(tick):.2f}%") for tick in ticks
    ]
    body = [_row(row, at, grid, last=number == len(rows) - 1) for number, row in enumerate(rows)]
    scale = [tag("span", f"{tick:g}".replace("-", "−"), style=f"left:{at(tick):.2f}%") for tick in ticks]
    foot = tag(
        "div", tag("span"), tag("div", scale, cls="xw-axis"), tag("span"), cls="xw-step", aria_hidden="true"
    )
    return tag("div", body, foot, cls="xw-fall")


def axis(low: float, high: float) -> list[float]:
    """Return round values between two ends, about :data:`TICKS` of them; 0 is one of them if it lies between."""
    rough = (high - low) / TICKS
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [round(step * n, 9) + 0.0 for n in range(ceil(low / step), floor(high / step) + 1)]


def _row(row: Step, at: Callable[[float], float], grid: list[Markup], *, last: bool) -> Markup:
    left, right = sorted((at(row.start), at(row.end)))
    value = row.end - row.start
    kind = "total" if row.total else "for" if value > 0 else "against"
    bar = tag("i", cls=f"xw-bar xw-bar-{kind}", style=f"left:{left:.2f}%;width:{max(right - left, 0.4):.2f}%")
    link = None if last else tag("i", cls="xw-link", style=f"left:{at(row.end):.2f}%")
    number = f"{row.end:.2f}".replace("-", "−") if row.total else signed(value)
    return tag(
        "div",
        tag("div", tag("span", row.label), cls="xw-label"),
        tag("div", grid, link, bar, cls="xw-track"),
        tag("div", number, cls=f"xw-value xw-word-{kind}"),
        cls="xw-step xw-sum" if row.total else "xw-step",
    )
