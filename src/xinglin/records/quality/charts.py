"""The pictures of the report: plain SVG, legible without colour, each with its words for a screen reader."""

from __future__ import annotations

from collections.abc import Sequence

from xinglin.measure import Figure
from xinglin.measure.markup import Markup, tag
from xinglin.records.quality.drift import Drift

WIDTH = 132


def share_bar(share: Figure) -> Markup:
    """A share of 0 to 1 with its interval."""
    value, low, high = (WIDTH * min(max(x, 0.0), 1.0) for x in (share.value, share.low, share.high))
    return tag(
        "svg",
        tag("rect", x=0, y=4, width=WIDTH, height=8, rx=4, cls="q-track"),
        tag("rect", x=0, y=4, width=_n(max(value, 1.5)), height=8, rx=4, cls="q-bar"),
        tag("path", d=f"M{_n(low)} 8H{_n(high)}M{_n(low)} 3V13M{_n(high)} 3V13", cls="q-whisker"),
        viewBox=f"-1 0 {WIDTH + 2} 16",
        cls="q-share",
        role="img",
        aria_label=percent(share),
    )


def percent(share: Figure) -> str:
    """A share with its interval in words: ``19.3 % (16.9–22.1)``."""
    return f"{_percent(share.value)} % ({_percent(share.low)}–{_percent(share.high)})"


def _percent(value: float) -> str:
    shown = 100 * value
    if shown in (0.0, 100.0):
        return f"{shown:.0f}"
    return f"{shown:.1f}" if shown >= 0.1 else f"{shown:.2g}"


def two_histograms(drift: Drift) -> Markup:
    """The site above the line, the others below it, on one scale."""
    n = len(drift.here)
    width, half = 232, 44
    tallest = max(*drift.here, *drift.elsewhere, 1e-9)
    step = width / n
    bars: list[Markup] = []
    for place, (up, down) in enumerate(zip(drift.here, drift.elsewhere, strict=True)):
        x, bar = _n(place * step + 0.6), _n(max(step - 1.2, 0.8))
        high, deep = half * up / tallest, half * down / tallest
        bars.append(tag("rect", x=x, y=_n(half - high), width=bar, height=_n(high), cls="q-here"))
        bars.append(tag("rect", x=x, y=half + 1, width=bar, height=_n(deep), cls="q-rest"))
    axis = tag("path", d=f"M0 {half + 0.5}H{width}", cls="q-axis")
    first, last = drift.labels[0], drift.labels[-1]
    words = f"{drift.site}; {drift.field[1]}: {first} – {last}"
    if drift.kind == "number":
        ends = [
            tag("text", first, x=0, y=2 * half + 13, cls="q-tick"),
            tag("text", last, x=width, y=2 * half + 13, cls="q-tick q-end"),
        ]
    else:
        ends = [
            tag("text", _short(label, step), x=_n((place + 0.5) * step), y=2 * half + 13, cls="q-tick q-mid")
            for place, label in enumerate(drift.labels)
            if n <= 8
        ]
    return tag(
        "svg",
        bars,
        axis,
        ends,
        viewBox=f"0 0 {width} {2 * half + 18}",
        cls="q-histogram",
        role="img",
        aria_label=words,
    )


def heat(value: float, found: bool, worth: float, base: float = 0.0) -> str:
    """The style of a cell by its effect: the stronger the darker; ``base`` is the effect of no drift."""
    strength = min(max((value - base) / max(5 * (worth - base), 1e-9), 0.0), 1.0)
    return f"--q-heat:{strength:.2f}" if found else f"--q-heat:{min(strength, 0.12):.2f}"


def stacked(shares: Sequence[tuple[str, float]]) -> Markup:
    """Groups side by side as one bar; what is too narrow for its name has none."""
    width, x = 640.0, 0.0
    parts: list[Markup] = []
    for place, (name, share) in enumerate(shares):
        wide = width * share
        parts.append(
            tag(
                "rect",
                tag("title", f"{name} {100 * share:.1f} %"),
                x=_n(x),
                y=0,
                width=_n(max(wide - 1.5, 0.4)),
                height=26,
                cls=f"q-part q-part-{place % 6}",
            )
        )
        label = _short(name, wide - 8)
        if label and label != "…":
            parts.append(tag("text", label, x=_n(x + 5), y=17.5, cls="q-part-name"))
        x += wide
    words = ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares[:8])
    return tag("svg", parts, viewBox=f"0 0 {width:.0f} 26", cls="q-stacked", role="img", aria_label=words)


def _short(text: str, room: float) -> str:
    """As much of a text as fits into so many units of the drawing; empty when nothing does."""
    taken = 0.0
    for place, character in enumerate(text):
        taken += 11.0 if ord(character) > 0x2E80 else 6.0
        if taken > room:
            return text[: place - 1] + "…" if place > 2 else ""
    return text


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
