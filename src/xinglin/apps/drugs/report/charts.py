"""The two charts of a design: what was found at which price of calls, and which aims stand against each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xinglin.measure.markup import Markup, tag, verbatim

WIDTH, HEIGHT = 520, 320
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 14, 46
MOST_DOTS = 1500


def learning_svg(curve: Sequence[tuple[int, float, float]]) -> Markup:
    """Return best reward and mean of the ten best against calls."""
    if len(curve) < 2:
        return Markup("")
    calls = np.array([point[0] for point in curve], float)
    frame = _Frame(0.0, float(calls[-1]), 0.0, max(0.1, float(np.ceil(10 * max(p[1] for p in curve)) / 10)))
    lines = []
    for column, name in ((1, "x-curve"), (2, "x-curve-2")):
        path = " ".join(
            f"{'M' if i == 0 else 'L'}{frame.x(point[0]):.1f} {frame.y(point[column]):.1f}"
            for i, point in enumerate(curve)
        )
        lines.append(tag("path", d=path, cls=name))
    return frame.drawn(
        lines,
        "调用次数 calls",
        "奖励 reward",
        "学习曲线 Learning curve: reward of the best and of the ten best",
    )


def pareto_svg(points: Sequence[tuple[float, float]], front: Sequence[int], x: str, y: str) -> Markup:
    """Return all molecules as dots, those that no other beats in both values marked.

    Args:
        points: (x, y) of each molecule.
        front: indices of the marked.
        x: name of the horizontal axis.
        y: of the vertical one.
    """
    if not points:
        return Markup("")
    at = np.asarray(points, float)
    low, high = at.min(axis=0), at.max(axis=0)
    pad = np.maximum((high - low) * 0.06, 0.02)
    frame = _Frame(low[0] - pad[0], high[0] + pad[0], low[1] - pad[1], high[1] + pad[1])
    marked = set(front)
    rest = [index for index in range(len(points)) if index not in marked]
    step = max(1, len(rest) // MOST_DOTS)
    dots = [_dot(frame, at[index], "x-dot", 3) for index in rest[::step]]
    dots += [_dot(frame, at[index], "x-front", 4.5) for index in front]
    return frame.drawn(dots, x, y, f"{y} / {x}")


def _dot(frame: _Frame, point: np.ndarray, cls: str, radius: float) -> Markup:
    return tag("circle", cx=f"{frame.x(point[0]):.1f}", cy=f"{frame.y(point[1]):.1f}", r=radius, cls=cls)


class _Frame:
    """Axes with round ticks."""

    def __init__(self, left: float, right: float, low: float, high: float) -> None:
        self._x0, self._x1, self._y0, self._y1 = left, right, low, high

    def x(self, value: float) -> float:
        """Return the horizontal place of a value."""
        return LEFT + (value - self._x0) / (self._x1 - self._x0) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Return the vertical place of a value."""
        return HEIGHT - BOTTOM - (value - self._y0) / (self._y1 - self._y0) * (HEIGHT - TOP - BOTTOM)

    def drawn(self, inner: Sequence[Markup], x: str, y: str, label: str) -> Markup:
        """Return the whole chart."""
        parts: list[Markup] = []
        for value in _ticks(self._x0, self._x1):
            at = self.x(value)
            parts.append(tag("line", x1=at, x2=at, y1=TOP, y2=HEIGHT - BOTTOM, cls="x-grid"))
            parts.append(
                tag("text", verbatim(f"{value:g}"), x=at, y=HEIGHT - BOTTOM + 16, text_anchor="middle")
            )
        for value in _ticks(self._y0, self._y1):
            at = self.y(value)
            parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at, cls="x-grid"))
            parts.append(tag("text", verbatim(f"{value:g}"), x=LEFT - 6, y=at + 4, text_anchor="end"))
        middle = (TOP + HEIGHT - BOTTOM) / 2
        parts += [
            tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=HEIGHT - BOTTOM, y2=HEIGHT - BOTTOM, cls="x-axis"),
            tag("line", x1=LEFT, x2=LEFT, y1=TOP, y2=HEIGHT - BOTTOM, cls="x-axis"),
            *inner,
            tag("text", verbatim(x), x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 8, text_anchor="middle"),
            tag(
                "text",
                verbatim(y),
                x=14,
                y=middle,
                text_anchor="middle",
                transform=f"rotate(-90 14 {middle})",
            ),
        ]
        return tag("svg", *parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=label)


def _ticks(low: float, high: float) -> list[float]:
    """Round values between two, about five of them."""
    rough = (high - low) / 5
    base = 10.0 ** np.floor(np.log10(rough))
    step = next(base * factor for factor in (1, 2, 5, 10) if base * factor >= rough * 0.999)
    first = np.ceil(low / step)
    return [
        float(np.round((first + i) * step, 10)) for i in range(int((high - first * step) / step + 1e-9) + 1)
    ]
