"""A metric over the rounds, a line a hospital and their mean, as an SVG drawn here."""

from __future__ import annotations

import math
from collections.abc import Sequence

from xinglin.apps.diagnosis.wording import Lang
from xinglin.federate.overview import Round, SiteRound
from xinglin.measure.markup import Markup, tag, verbatim
from xinglin.serve.workbench.phrases import say

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 76, 14, 14, 44
COLOURS = 8
"""Colours in the style sheet; further hospitals take them again, dashed."""
COUNTS = ("n", "examples")
"""Metrics that count and do not score."""
BETWEEN_0_AND_1 = ("accuracy", "auc", "f1", "recall", "precision", "sensitivity", "specificity", "hit")
MOST_LABELS = 9

Points = list[tuple[int, float]]


def metrics_of(rounds: Sequence[Round]) -> list[str]:
    """Return the names of the metrics that hospitals reported: of evaluation first, then of training."""
    found: dict[str, None] = {}
    for part in ("evaluate", "train"):
        for one in rounds:
            for site in one.sites:
                for name in getattr(site, part):
                    if name not in COUNTS:
                        found.setdefault(name)
    return list(found)


def value_of(site: SiteRound, metric: str) -> float | None:
    """Return a hospital's value of a metric, of evaluation before training; ``None`` where there is no finite one."""
    told = site.evaluate if metric in site.evaluate else site.train
    value = told.get(metric)
    return float(value) if value is not None and math.isfinite(value) else None


def lines_of(rounds: Sequence[Round], metric: str) -> tuple[dict[str, Points], Points]:
    """Return each hospital's points (round, value), and those of the mean weighted by examples."""
    sites: dict[str, Points] = {}
    mean: Points = []
    for one in rounds:
        weights, total = 0.0, 0.0
        for site in one.sites:
            value = value_of(site, metric)
            if value is None:
                continue
            sites.setdefault(site.site, []).append((one.number, value))
            weight = float(site.evaluate.get("n", site.examples or 0))
            weights, total = weights + weight, total + weight * value
        if weights:
            mean.append((one.number, total / weights))
    return dict(sorted(sites.items())), mean


def chart(rounds: Sequence[Round], metric: str, lang: Lang) -> Markup:
    """Return the chart and its legend; an empty one says so."""
    sites, mean = lines_of(rounds, metric)
    values = [value for points in (*sites.values(), mean) for _, value in points]
    if not values:
        return tag("p", say("metrics_none", lang), cls="xl-muted")
    numbers = sorted({number for points in sites.values() for number, _ in points})
    ticks = _ticks(values, metric)
    low, high = ticks[0], ticks[-1]
    first, last = numbers[0], numbers[-1]

    def x(number: float) -> float:
        inner = WIDTH - LEFT - RIGHT
        return LEFT + inner * ((number - first) / (last - first) if last > first else 0.5)

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low)

    grid = [
        [
            tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=f"{y(tick):.1f}", y2=f"{y(tick):.1f}", cls="xf-grid"),
            tag("text", _short(tick), x=LEFT - 8, y=f"{y(tick) + 4:.1f}", cls="xf-tick xf-end"),
        ]
        for tick in ticks
    ]
    step = max(1, math.ceil(len(numbers) / MOST_LABELS))
    below = [
        tag("text", str(number), x=f"{x(number):.1f}", y=HEIGHT - BOTTOM + 18, cls="xf-tick xf-middle")
        for place, number in enumerate(numbers)
        if place % step == 0
    ]
    axis = tag(
        "text",
        say("round", lang),
        x=f"{(LEFT + WIDTH - RIGHT) / 2:.0f}",
        y=HEIGHT - 4,
        cls="xf-tick xf-middle",
    )
    curves = [
        _curve([(x(n), y(v), n, v) for n, v in points], name, _look(place), lang)
        for place, (name, points) in enumerate(sites.items())
    ]
    if len(sites) > 1:
        shown = say("mean_by_examples", lang)
        curves.append(_curve([(x(n), y(v), n, v) for n, v in mean], shown, "xf-mean", lang))
    drawing = tag(
        "svg",
        tag("g", grid),
        tag("g", below),
        axis,
        tag("g", curves),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        cls="xf-chart",
        role="img",
        aria_label=say("chart_label", lang, metric=metric, first=first, last=last, sites=len(sites)),
    )
    names = [(name, _look(place)) for place, name in enumerate(sites)]
    if len(sites) > 1:
        names.append((say("mean_by_examples", lang), "xf-mean"))
    return tag("div", drawing, legend(names))


def legend(names: Sequence[tuple[str, str]]) -> Markup:
    """Return the names with the look of their lines."""
    keys = [
        tag(
            "li",
            tag(
                "svg",
                tag("line", x1=1, x2=23, y1=5, y2=5, cls=look),
                viewBox="0 0 24 10",
                width=24,
                height=10,
            ),
            tag("span", verbatim(name)),
        )
        for name, look in names
    ]
    return tag("ul", keys, cls="xf-legend")


def table(rounds: Sequence[Round], metric: str, lang: Lang) -> Markup:
    """Return the last round in numbers: the chart for those who cannot see it."""
    last = rounds[-1]
    rows = []
    for site in last.sites:
        value = value_of(site, metric)
        rows.append(
            tag(
                "tr",
                tag("th", verbatim(site.site), scope="row"),
                tag("td", state(site.state, lang)),
                tag("td", "—" if site.examples is None else f"{site.examples:,}", cls="xl-number"),
                tag("td", "—" if value is None else f"{value:.4f}", cls="xl-number"),
            )
        )
    heads = (
        (say("site", lang), None),
        (say("site_state", lang), None),
        (say("examples", lang), "xl-number"),
        (metric, "xl-number"),
    )
    head = tag("tr", [tag("th", verbatim(name), scope="col", cls=cls) for name, cls in heads])
    caption = tag("caption", f"{say('last_round', lang)}: {last.number}", cls="xl-label")
    body = tag("table", caption, tag("thead", head), tag("tbody", rows), cls="xl-table")
    return tag("div", body, cls="xl-scroll")


def state(name: str, lang: Lang) -> Markup:
    """Return what a hospital did as a word with a colour."""
    return tag("span", say(f"site_{name}", lang), cls=f"xl-pill xf-state-{name}")


def _look(place: int) -> str:
    return f"xf-s{place % COLOURS}" + (" xf-dashed" if place >= COLOURS else "")


def _curve(points: Sequence[tuple[float, float, int, float]], name: str, look: str, lang: Lang) -> Markup:
    """Return a line with its points; it is broken where a round is missing."""
    runs: list[list[str]] = []
    before: int | None = None
    for x, y, number, _ in points:
        if before is None or number != before + 1:
            runs.append([])
        runs[-1].append(f"{x:.1f},{y:.1f}")
        before = number
    dots = [
        tag(
            "circle",
            tag("title", verbatim(f"{name} · {say('round', lang)} {number}: {value:.4f}")),
            cx=f"{x:.1f}",
            cy=f"{y:.1f}",
            r="2.6",
            cls=look,
        )
        for x, y, number, value in points
    ]
    return tag("g", [tag("polyline", points=" ".join(run), cls=look) for run in runs], dots)


def _ticks(values: Sequence[float], metric: str) -> list[float]:
    """Return about five round numbers that enclose the values; shares stay within 0 and 1."""
    low, high = min(values), max(values)
    spread = max((high - low) or abs(high) * 0.1 or 0.1, 1e-6 * max(abs(low), abs(high)), 1e-6)
    step = 10.0 ** math.floor(math.log10(spread / 4))
    step *= next(factor for factor in (1, 2, 2.5, 5, 10) if spread / (step * factor) <= 5)
    start, end = math.floor(low / step), math.ceil(high / step)
    share = any(word in metric.lower() for word in BETWEEN_0_AND_1) and low >= 0.0 and high <= 1.0
    if start == end:
        start, end = start - 1, end + 1
    ticks = [round(n * step, 10) for n in range(start, end + 1)]
    return [tick for tick in ticks if 0.0 <= tick <= 1.0] if share else ticks


def _short(value: float) -> str:
    return f"{value:.6g}"
