"""Reliability plot as a self-contained SVG: is a confidence of 80 % right in 80 % of the cases?

Equal-mass bins of top-label confidence, each with the Wilson interval of its accuracy (Murphy and Winkler
1977; DeGroot and Fienberg 1983). One panel a mode and arm. Drawn here rather than by a plotting library: it
is a few rectangles, and the core stays light.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from xinglin.apps.diagnosis.evaluate.row import CaseResult
from xinglin.errors import InvalidInputError
from xinglin.measure import proportion

BINS = 10
SIZE, MARGIN, COLUMNS = 220, 42, 3


def reliability_svg(title: str, cases: Sequence[CaseResult]) -> str:
    """Return the plot of every (mode, arm) whose cases carry probabilities.

    Raises:
        InvalidInputError: no case carries a probability (an uncalibrated label space has no reliability).
    """
    panels: dict[tuple[str, str], list[tuple[float, bool]]] = {}
    for case in cases:
        if case.ranked and case.ranked[0][1] is not None:
            label, confidence = case.ranked[0]
            panels.setdefault((case.mode, case.arm), []).append(
                (float(confidence or 0.0), label in case.truth)
            )
    if not panels:
        raise InvalidInputError("no case carries a probability: this label space is not calibrated")
    step = SIZE + MARGIN
    rows = -(-len(panels) // COLUMNS)
    width, height = step * min(COLUMNS, len(panels)) + MARGIN, step * rows + 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{MARGIN}" y="20" font-size="14" font-weight="bold">{escape(title)}: confidence and accuracy</text>',
    ]
    for place, ((mode, arm), pairs) in enumerate(panels.items()):
        left, top = MARGIN + step * (place % COLUMNS), 46 + step * (place // COLUMNS)
        parts.append(_panel(f"{mode}, {arm} (n = {len(pairs)})", pairs, left, top))
    return "\n".join([*parts, "</svg>\n"])


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
