"""The history of a challenge: every person's score as it was told over time, as an SVG drawn here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from xinglin.apps.diagnosis.wording import Lang
from xinglin.measure.markup import Markup, tag, verbatim
from xinglin.release.challenge.metrics import Metric
from xinglin.release.challenge.record import Entered
from xinglin.serve.workbench.federation_chart import legend
from xinglin.serve.workbench.phrases import say

WIDTH, HEIGHT = 720, 280
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 14, 34
DRAWN = 8
"""As many people as there are colours."""

Steps = list[tuple[datetime, float]]


def history(
    entries: Sequence[Entered], order: Sequence[str], until: datetime, metric: Metric, lang: Lang
) -> Markup:
    """Return the chart and its legend.

    Args:
        entries: of a challenge, in order.
        order: people by rank; the first ones are drawn.
        until: right end of the time axis.
        metric: whose figures they are.
        lang: of the words.
    """
    steps: dict[str, Steps] = {who: [] for who in order[:DRAWN]}
    for one in entries:
        if one.state == "accepted" and one.entrant in steps:
            steps[one.entrant].append((datetime.fromisoformat(one.time), float(one.told["value"])))
    steps = {who: found for who, found in steps.items() if found}
    if not steps:
        return tag("p", say("board_none", lang), cls="xl-muted")
    shown = _drawing(steps, until, metric, lang)
    names = [(who, f"xf-s{place}") for place, who in enumerate(steps)]
    more = tag("p", say("history_more", lang, count=DRAWN), cls="xl-muted") if len(order) > DRAWN else None
    return tag("div", shown, legend(names), more)


def _drawing(steps: Mapping[str, Steps], until: datetime, metric: Metric, lang: Lang) -> Markup:
    values = [value for found in steps.values() for _, value in found]
    times = [time for found in steps.values() for time, _ in found]
    first, last = min(times).timestamp(), max(until, *times).timestamp()
    spread = max(values) - min(values) or 0.02
    low, high = max(0.0, min(values) - 0.15 * spread), max(values) + 0.15 * spread
    if metric.binary:
        high = min(1.0, high)

    def x(time: datetime) -> float:
        inner = WIDTH - LEFT - RIGHT
        return LEFT + inner * ((time.timestamp() - first) / (last - first) if last > first else 0.0)

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

    grid = []
    for part in range(5):
        value = low + (high - low) * part / 4
        place = f"{y(value):.1f}"
        grid.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=place, y2=place, cls="xf-grid"))
        grid.append(tag("text", f"{value:.3f}", x=LEFT - 8, y=f"{y(value) + 4:.1f}", cls="xf-tick xf-end"))
    ends = [
        tag("text", f"{min(times):%m-%d}", x=LEFT, y=HEIGHT - 10, cls="xf-tick"),
        tag("text", f"{max(until, *times):%m-%d}", x=WIDTH - RIGHT, y=HEIGHT - 10, cls="xf-tick xf-end"),
    ]
    curves = [
        _steps([(x(time), y(value), value) for time, value in found], WIDTH - RIGHT, who, f"xf-s{place}")
        for place, (who, found) in enumerate(steps.items())
    ]
    label = say("history_label", lang, metric=metric.zh if lang == "zh" else metric.en, count=len(steps))
    return tag(
        "svg",
        tag("g", grid, ends),
        tag("g", curves),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        cls="xf-chart",
        role="img",
        aria_label=label,
    )


def _steps(points: Sequence[tuple[float, float, float]], end: float, who: str, look: str) -> Markup:
    """A score holds until the next one is told."""
    path = [f"{points[0][0]:.1f},{points[0][1]:.1f}"]
    for before, (x, y, _) in pairwise(points):
        path += [f"{x:.1f},{before[1]:.1f}", f"{x:.1f},{y:.1f}"]
    path.append(f"{end:.1f},{points[-1][1]:.1f}")
    dots = [
        tag(
            "circle",
            tag("title", verbatim(f"{who}: {value:.4f}")),
            cx=f"{x:.1f}",
            cy=f"{y:.1f}",
            r="3.4",
            cls=look,
        )
        for x, y, value in points
    ]
    return tag("g", tag("polyline", points=" ".join(path), cls=look), dots)
