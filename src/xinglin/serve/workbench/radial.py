"""A concept and its neighbours as an SVG drawn here: spokes by relation, the strongest first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from urllib.parse import quote

from xinglin.measure.markup import Markup, tag
from xinglin.serve.workbench.neighbourhood import Edge, Neighbourhood

WIDTH, HEIGHT = 920, 730
INNER, OUTER = 62.0, 196.0
MAX_SPOKES = 64
LONGEST = {"zh": 11, "en": 24}
COLOURS = 12
"""Number of group colours in the style sheet."""


def chosen(edges: Sequence[Edge], limit: int = MAX_SPOKES) -> list[Edge]:
    """Return the edges to draw: every group keeps its strongest, groups are cut in proportion."""
    if len(edges) <= limit:
        return list(edges)
    kept: list[Edge] = []
    for _, rows in groupby(edges, key=lambda edge: edge.group):
        group = list(rows)
        kept += group[: max(1, limit * len(group) // len(edges))]
    return kept[:limit]


def radial(around: Neighbourhood, lang: str) -> Markup:
    """Return the drawing; every neighbour is a link to its own page."""
    edges = chosen(around.edges)
    groups = list(dict.fromkeys(edge.group for edge in edges))
    gap = math.radians(5) if len(groups) > 1 else 0.0
    step = (2 * math.pi - gap * len(groups)) / max(1, len(edges))
    angle, lines, spokes = -math.pi / 2, [], []
    for number, group in enumerate(groups):
        angle += gap / 2
        for edge in (edge for edge in edges if edge.group == group):
            line, spoke = _spoke(edge, angle + step / 2, number % COLOURS, lang)
            lines.append(line)
            spokes.append(spoke)
            angle += step
        angle += gap / 2
    return tag(
        "svg",
        tag("g", lines),
        tag("g", spokes),
        _middle(around),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        cls="xl-radial",
        role="img",
        aria_label=f"{around.display}: {len(edges)}",
    )


def _spoke(edge: Edge, angle: float, colour: int, lang: str) -> tuple[Markup, Markup]:
    cx, cy = WIDTH / 2, HEIGHT / 2
    cosine, sine = math.cos(angle), math.sin(angle)
    strength = max(0, 4 - edge.rank) if edge.rank < 9 else 1
    x, y = cx + OUTER * cosine, cy + OUTER * sine
    line = tag(
        "line",
        x1=f"{cx + INNER * cosine:.1f}",
        y1=f"{cy + INNER * sine:.1f}",
        x2=f"{x:.1f}",
        y2=f"{y:.1f}",
        cls=f"xl-g{colour}",
        stroke_width=f"{0.8 + 0.5 * strength:.1f}",
    )
    left = cosine < 0
    turn = math.degrees(angle) + (180 if left else 0)
    offset = -11 if left else 11
    longest = LONGEST[lang]
    shown = edge.display if len(edge.display) <= longest else edge.display[: longest - 1] + "…"
    label = tag(
        "text",
        shown,
        x=f"{offset}",
        y="4",
        transform=f"translate({x:.1f} {y:.1f}) rotate({turn:.1f})",
        text_anchor="end" if left else "start",
    )
    dot = tag("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=f"{3 + 0.7 * strength:.1f}", cls=f"xl-g{colour}")
    tip = tag("title", f"{edge.group}: {edge.display} {edge.qualifier}".strip())
    return line, tag("a", tip, dot, label, href=f"/graph?node={quote(edge.name)}")


def _middle(around: Neighbourhood) -> Markup:
    name = around.display
    size = 9 if around.kind != "finding" or not name.isascii() else 14
    words = (
        [name[at : at + 6] for at in range(0, min(len(name), 18), 6)]
        if not name.isascii()
        else _wrapped(name, size)
    )
    top = HEIGHT / 2 - 9 * (len(words) - 1) + 5
    lines = [tag("tspan", word, x=WIDTH / 2, y=f"{top + 18 * row:.0f}") for row, word in enumerate(words)]
    return tag(
        "g", tag("circle", cx=WIDTH / 2, cy=HEIGHT / 2, r=INNER - 4), tag("text", lines), cls="xl-middle"
    )


def _wrapped(name: str, width: int) -> list[str]:
    lines = [""]
    for word in name.split():
        if lines[-1] and len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines if len(lines) <= 4 else [*lines[:3], "…"]


def legend(around: Neighbourhood) -> Markup:
    """Return the groups with their colours and counts."""
    drawn = chosen(around.edges)
    groups = list(dict.fromkeys(edge.group for edge in drawn))
    counts = {group: sum(edge.group == group for edge in around.edges) for group in groups}
    rows = [
        tag("li", tag("i", cls=f"xl-g{number % COLOURS}"), group, tag("b", str(counts[group])))
        for number, group in enumerate(groups)
    ]
    return tag("ul", rows, cls="xl-graph-legend")
