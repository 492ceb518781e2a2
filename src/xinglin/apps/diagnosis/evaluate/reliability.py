"""Two plots as self-contained SVG, drawn without a plotting library: a few lines each, and the core stays light.

*Reliability*: is a confidence of 80 % right in 80 % of the cases? Equal-mass bins of top-label confidence, each
with the Wilson interval of its accuracy (Murphy and Winkler 1977; DeGroot and Fienberg 1983), a panel a mode and
arm. *Risk and coverage*: how accurate are the answers if only the surest cases are answered? A panel a mode, a
line an arm (``measure.risk``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from xinglin.apps.diagnosis.evaluate.row import CaseResult
from xinglin.errors import InvalidInputError
from xinglin.measure import aurc, proportion, risk_curve

BINS = 10
SIZE, MARGIN, COLUMNS = 220, 42, 3
LEGEND = 60
"""Pixels below a panel of curves for the names of its arms."""
FIRST, POINTS = 20, 200
"""A curve starts at a twentieth of the cases, and is drawn through at most so many points."""
COLOURS = ("#6b7280", "#2563a8", "#b4532a", "#2f855a", "#7b4ea3", "#a8882b")


def reliability_svg(title: str, cases: Sequence[CaseResult]) -> str:
    """Return the plot of every (mode, arm) whose cases carry probabilities.

    Raises:
        InvalidInputError: no case carries a probability (an uncalibrated label space has no reliability).
    """
    panels = _pairs(cases)
    step = SIZE + MARGIN
    parts = _opened(f"{title}: confidence and accuracy", len(panels), step)
    for place, ((mode, arm), pairs) in enumerate(panels.items()):
        left, top = MARGIN + step * (place % COLUMNS), 46 + step * (place // COLUMNS)
        parts.append(_panel(f"{mode}, {arm} (n = {len(pairs)})", pairs, left, top))
    return "\n".join([*parts, "</svg>\n"])


def risk_svg(title: str, cases: Sequence[CaseResult]) -> str:
    """Return the risk-coverage plot of every mode whose cases carry probabilities, with the area of each arm.

    Raises:
        InvalidInputError: no case carries a probability.
    """
    modes: dict[str, dict[str, list[tuple[float, bool]]]] = {}
    for (mode, arm), pairs in _pairs(cases).items():
        modes.setdefault(mode, {})[arm] = pairs
    step = SIZE + MARGIN + LEGEND
    parts = _opened(f"{title}: accuracy and share answered", len(modes), step)
    for place, (mode, arms) in enumerate(modes.items()):
        left, top = MARGIN + step * (place % COLUMNS), 46 + step * (place // COLUMNS)
        parts += _curves(mode, arms, left, top)
    return "\n".join([*parts, "</svg>\n"])


def _pairs(cases: Sequence[CaseResult]) -> dict[tuple[str, str], list[tuple[float, bool]]]:
    """Confidence of the first label and whether it is right, by mode and arm."""
    panels: dict[tuple[str, str], list[tuple[float, bool]]] = {}
    for case in cases:
        if case.ranked and case.ranked[0][1] is not None:
            label, confidence = case.ranked[0]
            panels.setdefault((case.mode, case.arm), []).append(
                (float(confidence or 0.0), label in case.truth)
            )
    if not panels:
        raise InvalidInputError("no case carries a probability: this label space is not calibrated")
    return panels


def _opened(title: str, panels: int, step: int) -> list[str]:
    """The head of a picture of so many panels."""
    width, height = step * min(COLUMNS, panels) + MARGIN, step * -(-panels // COLUMNS) + 60
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{MARGIN}" y="20" font-size="14" font-weight="bold">{escape(title)}</text>',
    ]


def _curves(mode: str, arms: Mapping[str, list[tuple[float, bool]]], left: int, top: int) -> list[str]:
    """One panel: accuracy from the lowest tenth that holds every curve to 1, share answered from 0 to 1."""
    curves = {}
    for arm, pairs in arms.items():
        confidence, hit = np.array([c for c, _ in pairs]), np.array([hit for _, hit in pairs])
        curves[arm] = (1.0 - risk_curve(confidence, hit), aurc(confidence, hit))
    # The first cases alone say little, and would stretch the axis.
    lowest = min(float(curve[len(curve) // FIRST :].min()) for curve, _ in curves.values())
    floor = min(0.9, int(lowest * 10) / 10)

    def y(value: float) -> float:
        return round(top + (1.0 - max(0.0, value - floor) / (1.0 - floor)) * SIZE, 1)

    n = len(next(iter(arms.values())))
    parts = [
        f'<text x="{left}" y="{top - 6}">{escape(mode)} (n = {n})</text>',
        f'<rect x="{left}" y="{top}" width="{SIZE}" height="{SIZE}" fill="none" stroke="#bbb"/>',
    ]
    for share in (0.0, 0.5, 1.0):
        x, at = round(left + share * SIZE, 1), floor + share * (1.0 - floor)
        parts.append(
            f'<text x="{x}" y="{top + SIZE + 14}" text-anchor="middle" fill="#555">{share:.0%}</text>'
        )
        parts.append(f'<text x="{left - 6}" y="{y(at) + 4}" text-anchor="end" fill="#555">{at:.2f}</text>')
    for number, (arm, (curve, area)) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        shown = np.unique(np.linspace(len(curve) // FIRST, len(curve) - 1, POINTS).astype(int))
        line = " ".join(f"{round(left + (k + 1) / len(curve) * SIZE, 1)},{y(float(curve[k]))}" for k in shown)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        legend = top + SIZE + 30 + 14 * number
        parts.append(
            f'<line x1="{left}" y1="{legend - 4}" x2="{left + 16}" y2="{legend - 4}" stroke="{colour}" '
            'stroke-width="2"/>'
        )
        parts.append(
            f'<text x="{left + 22}" y="{legend}" fill="#333">{escape(arm)}: all answered {curve[-1]:.3f}, '
            f"AURC {area:.3f}</text>"
        )
    return parts


def _panel(name: str, pairs: Sequence[tuple[float, bool]], left: int, top: int) -> str:
    def x(value: float) -> float:
        return round(left + value * SIZE, 1)

    def y(value: float) -> float:
        return round(top + (1 - value) * SIZE, 1)

    confidence = np.array([c for c, _ in pairs])
    correct = np.array([hit for _, hit in pairs])
    parts = [
        f'<text x="{left}" y="{top - 6}">{escape(name)}</text>',
        f'<rect x="{left}" y="{top}" width="{SIZE}" height="{SIZE}" fill="none" stroke="#bbb"/>',
        f'<line x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}" stroke="#bbb" stroke-dasharray="4 3"/>',
    ]
    for tick in (0.0, 0.5, 1.0):
        parts.append(f'<text x="{x(tick)}" y="{y(0) + 14}" text-anchor="middle" fill="#555">{tick:g}</text>')
        parts.append(f'<text x="{left - 6}" y="{y(tick) + 4}" text-anchor="end" fill="#555">{tick:g}</text>')
    for part in np.array_split(np.argsort(confidence, kind="stable"), min(BINS, max(1, len(pairs) // 5))):
        figure = proportion(int(correct[part].sum()), len(part))
        at = x(float(confidence[part].mean()))
        parts.append(
            f'<line x1="{at}" y1="{y(figure.low)}" x2="{at}" y2="{y(figure.high)}" stroke="#b4532a"/>'
        )
        parts.append(f'<circle cx="{at}" cy="{y(figure.value)}" r="3.5" fill="#b4532a"/>')
    return "\n".join(parts)
