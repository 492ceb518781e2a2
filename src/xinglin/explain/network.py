"""The paths of one candidate as a small drawn graph: findings, disease, examinations, and every row's source.

Boxes are text in three columns, so that they wrap and stay legible at any width; the lines between them are SVG
that stretches with the columns. Sign by kind of line, strength by thickness; an unreviewed row has a dashed box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xinglin.explain.basis import CaseExplanation
from xinglin.explain.paths import Edge, Path
from xinglin.explain.phrases import Lang, plain, qualifier, say, shown, signed
from xinglin.measure.markup import Child, Markup, tag

HEIGHT = 100.0
"""Of the drawing of the lines; it stretches to the columns."""
THIN, THICK = 1.2, 6.0
"""Widths of the weakest and the strongest line, CSS pixels."""


@dataclass(frozen=True, slots=True)
class Node:
    """One box at either side."""

    name: str
    strength: float
    edge: Edge


def sides(paths: Sequence[Path]) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """Return the findings and the examinations of some paths, each once, the strongest first."""
    findings: dict[str, Node] = {}
    exams: dict[str, Node] = {}
    for path in paths:
        findings.setdefault(path.finding, Node(path.finding, path.finding_strength, path.finding_edge))
        if path.exam is not None and path.exam_edge is not None:
            exams.setdefault(path.exam, Node(path.exam, path.exam_strength, path.exam_edge))
    return (
        tuple(sorted(findings.values(), key=lambda node: -abs(node.strength))),
        tuple(sorted(exams.values(), key=lambda node: -node.strength)),
    )


def network(explanation: CaseExplanation, lang: Lang, *, evidence: bool) -> Markup:
    """Return the drawing.

    Args:
        explanation: with paths of its target.
        lang: of the names.
        evidence: whether strengths are the engine's evidence (shown as numbers) or the graph's qualifiers.
    """
    findings, exams = sides(explanation.paths)
    rows = max(len(findings), len(exams), 1)
    left = [_box(explanation, node, lang, number=evidence) for node in findings]
    right = [_box(explanation, node, lang, number=False) for node in exams]
    middle = tag("div", tag("b", shown(explanation.target.name, lang)), tag("small", explanation.target.code))
    heads = [
        tag("div", say(f"path_{name}", lang), cls="xw-head") for name in ("findings", "disease", "exams")
    ]
    none = tag("div", tag("small", say("no_exam", lang)), cls="xw-node")
    return tag(
        "div",
        tag("div", heads, cls="xw-heads"),
        tag(
            "div",
            tag("div", left, cls="xw-column"),
            _lines(findings, inward=True),
            tag("div", middle, cls="xw-middle"),
            _lines(exams, inward=False),
            tag("div", right or none, cls="xw-column"),
            cls="xw-net",
            style=f"--rows:{rows}",
        ),
        cls="xw-paths",
    )


def _box(explanation: CaseExplanation, node: Node, lang: Lang, *, number: bool) -> Markup:
    words: list[Child] = [qualifier(node.edge.qualifier, lang)]
    if number:
        words.append(tag("b", signed(node.strength)))
    name = explanation.named(node.name)
    return tag(
        "div",
        tag("b", shown(name, lang)),
        tag("small", [tag("span", word) for word in words]),
        cls="xw-node xw-authored" if node.edge.authored else "xw-node",
        title=f"{plain(name, lang)} · {node.edge.source}",
    )


def _lines(nodes: Sequence[Node], *, inward: bool) -> Markup:
    """Curves between the centres of evenly spread boxes and the centre of the disease."""
    top = max((abs(node.strength) for node in nodes), default=1.0)
    curves = []
    for place, node in enumerate(nodes):
        y, centre = HEIGHT * (place + 0.5) / len(nodes), HEIGHT / 2
        start, end = (y, centre) if inward else (centre, y)
        width = THIN + (THICK - THIN) * abs(node.strength) / top
        kind = "for" if node.strength > 0 else "against"
        curves.append(
            tag(
                "path",
                d=f"M0 {start:.2f}C50 {start:.2f} 50 {end:.2f} 100 {end:.2f}",
                cls=f"xw-line-{kind if inward else 'exam'}",
                stroke_width=f"{width:.1f}",
                vector_effect="non-scaling-stroke",
            )
        )
    return tag(
        "svg",
        curves,
        viewBox=f"0 0 100 {HEIGHT:g}",
        preserveAspectRatio="none",
        fill="none",
        cls="xw-lines",
        aria_hidden="true",
    )


def sources(explanation: CaseExplanation, lang: Lang) -> Markup:
    """Return every row of the drawing with its source and who has read it."""
    findings, exams = sides(explanation.paths)
    rows = [_source(explanation, node, lang) for node in (*findings, *exams)]
    return tag("table", tag("tbody", rows), cls="xw-table xw-sources")


def _source(explanation: CaseExplanation, node: Node, lang: Lang) -> Markup:
    edge = node.edge
    given = say("authored", lang) if edge.authored else edge.source
    read = say("reviewed", lang, name=edge.reviewed_by) if edge.reviewed_by else None
    kin = None
    if node.name != edge.target:
        kin = tag("small", say("by_kin", lang, name=explanation.named(edge.target)))
    return tag(
        "tr",
        tag("th", shown(explanation.named(node.name), lang), kin, scope="row"),
        tag("td", qualifier(edge.qualifier, lang)),
        tag("td", given, " " if read else None, read),
    )
