"""Where a version comes from, as an SVG drawn here: data sets, parents, and what was made from them."""

from __future__ import annotations

from dataclasses import dataclass

from xinglin.apps.diagnosis.wording import Lang
from xinglin.measure.markup import Markup, tag, verbatim
from xinglin.release.registry.version import Version
from xinglin.serve.workbench.phrases import say

BOX, TALL, GAP, STEP = 196, 46, 18, 74
MOST = 24
"""Characters of a name in a box."""

Edges = list[tuple[Version, Version]]


@dataclass(frozen=True, slots=True)
class Node:
    """A box of the drawing."""

    key: str
    title: str
    line: str
    look: str
    """Class of the box: ``xm-data``, ``xm-weak``, ``xm-model`` or ``xm-this``."""


def nodes_of(version: Version, edges: Edges) -> tuple[list[list[Node]], list[tuple[str, str]]]:
    """Return the boxes in columns, sources first, and the arrows between them.

    A model stands one column to the right of the furthest of its parents; a data set one to the left of the first model
    that it was used for, and every data set of one name and digest is one box.
    """
    members = {version.checkpoint: version} | {one.checkpoint: one for pair in edges for one in pair}
    parents = {key: [p for p in one.manifest["parents"] if p in members] for key, one in members.items()}
    depth: dict[str, int] = {}

    def place(key: str) -> int:
        if key not in depth:
            depth[key] = 1 + max((place(parent) for parent in parents[key]), default=0)
        return depth[key]

    columns: list[list[Node]] = [[] for _ in range(max(map(place, members)) + 1)]
    arrows: list[tuple[str, str]] = [(parent, key) for key in members for parent in parents[key]]
    data: dict[str, tuple[int, Node]] = {}
    for key, one in members.items():
        look = "xm-this" if key == version.checkpoint else "xm-model"
        columns[depth[key]].append(Node(key, f"{one.name} {one.number}", key[:12], look))
        for item in one.manifest["data"]:
            source = f"{item.get('name')}\0{item.get('sha256')}"
            weak = "xm-weak" if item.get("weak") else "xm-data"
            node = Node(source, str(item.get("name", "?")), str(item.get("sha256", "?"))[:12], weak)
            before = data.get(source)
            data[source] = (min(depth[key] - 1, before[0] if before else depth[key]), node)
            arrows.append((source, key))
    for column, node in data.values():
        columns[column].append(node)
    return columns, arrows


def drawing(version: Version, edges: Edges, lang: Lang) -> Markup:
    """Return the drawing."""
    columns, arrows = nodes_of(version, edges)
    rows = max(len(column) for column in columns)
    width = len(columns) * BOX + (len(columns) - 1) * STEP + 4
    height = rows * TALL + (rows - 1) * GAP + 4
    at: dict[str, tuple[float, float]] = {}
    boxes = []
    for column, members in enumerate(columns):
        top = (height - len(members) * TALL - (len(members) - 1) * GAP) / 2
        for row, node in enumerate(members):
            x, y = 2 + column * (BOX + STEP), top + row * (TALL + GAP)
            at[node.key] = (x, y)
            boxes.append(_box(node, x, y))
    lines = [_arrow(at[source], at[target]) for source, target in arrows]
    head = tag("path", d="M0 0 L8 4 L0 8 Z")
    marker = tag(
        "marker",
        head,
        id="xm-tip",
        viewBox="0 0 8 8",
        refX=7,
        refY=4,
        markerWidth=7,
        markerHeight=7,
        orient="auto",
    )
    return tag(
        "svg",
        tag("title", say("model_lineage", lang)),
        tag("defs", marker),
        lines,
        boxes,
        cls="xm-lineage",
        viewBox=f"0 0 {width} {height:.0f}",
        width=width,
        role="img",
    )


def _box(node: Node, x: float, y: float) -> Markup:
    title = node.title if len(node.title) <= MOST else node.title[: MOST - 1] + "…"
    return tag(
        "g",
        tag("title", verbatim(f"{node.title} {node.line}")),
        tag("rect", x=x, y=f"{y:.1f}", width=BOX, height=TALL, rx=8),
        tag("text", verbatim(title), x=x + 10, y=f"{y + 19:.1f}"),
        tag("text", verbatim(node.line), x=x + 10, y=f"{y + 36:.1f}", cls="xm-digest"),
        cls=node.look,
    )


def _arrow(source: tuple[float, float], target: tuple[float, float]) -> Markup:
    x, y = source[0] + BOX, source[1] + TALL / 2
    to_x, to_y = target[0], target[1] + TALL / 2
    bend = STEP * 0.6
    path = f"M{x:.0f} {y:.1f} C{x + bend:.0f} {y:.1f} {to_x - bend:.0f} {to_y:.1f} {to_x - 2:.0f} {to_y:.1f}"
    return tag("path", d=path, cls="xm-arrow", marker_end="url(#xm-tip)")
