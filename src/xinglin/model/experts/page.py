"""The load of the experts as a page: a heat map of departments and experts, and each layer's figures."""

from __future__ import annotations

import math

from xinglin.measure.markup import Markup, html_page, tag, verbatim
from xinglin.model.experts.load import ExpertLoad
from xinglin.types import DISCLAIMER

CELL, GAP, ROW, LEFT, TOP = 26, 18, 24, 150, 46
SCALE = 2.0
"""Ratio to an even share at which a colour is full: twice as often, or half as often."""
STYLE = """
body{font:15px/1.6 system-ui,"Noto Sans CJK SC",sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;
color:#1d2733;background:#fff}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .4rem}
table{border-collapse:collapse}th,td{padding:.25rem .8rem;text-align:right;border-bottom:1px solid #d8dee6}
th:first-child,td:first-child{text-align:left}.map{overflow-x:auto}.quiet{color:#5a6675}footer{margin-top:2rem}
"""


def load_page(load: ExpertLoad, name: str) -> str:
    """Return the report as one HTML document that needs no other file.

    Args:
        load: what was measured.
        name: of the model.
    """
    experts = load.choices.shape[2]
    tokens = int(load.choices.sum())
    body = tag(
        "body",
        tag("h1", "专家负荷 Expert load"),
        tag("p", verbatim(name), f" · {experts} 个专家 experts · {len(load.layers)} 层 layers · "
            f"{sum(load.documents):,} 篇文本 texts · {tokens:,} 次选择 choices", cls="quiet"),
        tag("h2", "按科室 By department"),
        tag("p", "每格是该专家在本科室本层选择中所占的份额与平均份额之比。红色多于平均,蓝色少于平均,白色相等。"
            "Each cell: an expert's share of the department's choices in a layer, against an even share. "
            "Red: more than even; blue: less; white: even."),
        tag("div", heat_svg(load), cls="map"),
        tag("h2", "按层 By layer"),
        _figures(load),
        tag("p", "熵 1 为完全均匀;峰值为最忙的专家与平均之比;互信息说明专家的选择透露多少科室信息,"
            f"旁为随机分派科室 {load.permutations} 次的平均(以文本为单位置换,p 经 Holm 校正)。"
            "Entropy 1 is perfectly even; peak: the busiest expert against the mean; mutual information: how much the "
            "choice of experts tells of the department, beside its mean when departments are dealt anew to the texts "
            "(p corrected by Holm). It does not say that an expert knows a department's medicine.", cls="quiet"),
        tag("footer", DISCLAIMER["zh"], " ", DISCLAIMER["en"], cls="quiet"),
    )  # fmt: skip
    return html_page("专家负荷 Expert load", STYLE, body, "zh")


def _figures(load: ExpertLoad) -> Markup:
    heads = ("层 Layer", "熵 Entropy", "峰值 Peak", "互信息 Information (bits)", "随机 By chance", "p")
    rows = [
        tag("tr", tag("td", str(place + 1)), *(
            tag("td", text) for text in (
                f"{one.entropy:.3f}", f"{one.peak:.2f}", f"{one.information:.4f}", f"{one.chance:.4f}", f"{one.p:.3f}"
            )
        ))
        for place, one in enumerate(load.layers)
    ]  # fmt: skip
    return tag("table", tag("thead", tag("tr", [tag("th", head) for head in heads])), tag("tbody", rows))


def heat_svg(load: ExpertLoad) -> Markup:
    """Return the heat map as SVG: a panel a layer, a row a department, a column an expert."""
    ratios = load.shares() * load.choices.shape[2]
    departments, layers, experts = ratios.shape
    panel = experts * CELL + GAP
    width, height = LEFT + layers * panel, TOP + departments * ROW + 8
    drawn: list[Markup] = []
    for layer in range(layers):
        left = LEFT + layer * panel
        drawn.append(_text(left + experts * CELL / 2, 16, f"第 {layer + 1} 层 layer {layer + 1}", "middle"))
        drawn += [_text(left + (e + 0.5) * CELL, 38, str(e + 1), "middle") for e in range(experts)]
        for department in range(departments):
            for expert in range(experts):
                ratio = float(ratios[department, layer, expert])
                said = f"{load.departments[department]}, {layer + 1}.{expert + 1}: {ratio:.2f}"
                drawn.append(
                    tag(
                        "rect", tag("title", verbatim(said)), x=left + expert * CELL, y=TOP + department * ROW,
                        width=CELL - 1, height=ROW - 1, fill=colour(ratio), stroke="#e3e7ec", stroke_width=0.5,
                    )
                )  # fmt: skip
    for place, (name, count) in enumerate(zip(load.departments, load.documents, strict=True)):
        drawn.append(_text(LEFT - 8, TOP + (place + 0.7) * ROW, f"{name} ({count})", "end"))
    return tag(
        "svg", drawn, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width} {height}", width=width,
        height=height, role="img", font_family="system-ui, 'Noto Sans CJK SC', sans-serif", font_size=12,
        aria_label="专家负荷热图 heat map of expert load",
    )  # fmt: skip


def _text(x: float, y: float, words: str, anchor: str) -> Markup:
    return tag("text", verbatim(words), x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, fill="#1d2733")


def colour(ratio: float) -> str:
    """Return a colour of a ratio to an even share: white at 1, red above, blue below, full at ``SCALE`` and ``1/SCALE``."""
    strength = max(-1.0, min(1.0, math.log(max(ratio, 1e-9)) / math.log(SCALE)))
    full = (178, 34, 34) if strength > 0 else (33, 84, 160)
    mixed = [round(255 + (part - 255) * abs(strength)) for part in full]
    return "#{:02x}{:02x}{:02x}".format(*mixed)
