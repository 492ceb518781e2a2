"""The page of a target: box and pocket to turn, its numbers, and what was done to the structure."""

from __future__ import annotations

import numpy as np

from xinglin.apps.drugs.report.page import both, card, document, viewer
from xinglin.apps.drugs.report.scene import bare_ligand, scene
from xinglin.apps.drugs.target.remarks import Remark, places
from xinglin.apps.drugs.target.target import Target
from xinglin.measure.markup import Child, Markup, tag, verbatim


def target_page(target: Target) -> str:
    """Return the page of a target as one HTML document."""
    about = dict(target.about or {})
    reference = about.get("reference")
    ligands = [bare_ligand(target.box.origin, np.asarray(reference, float))] if reference else []
    center = ", ".join(f"{value:g}" for value in target.box.center)
    size = " × ".join(f"{edge:g}" for edge in target.box.size)
    facts: list[Child] = [
        _fact("受体原子", "receptor atoms", f"{len(target.atoms()):,}"),
        _fact("盒子中心", "centre of box", f"({center}) Å"),
        _fact("边长", "edges", f"{size} Å"),
        _fact("依据", "from", target.box.origin),
    ]
    view = viewer("pocket", scene(target, ligands), ("盒子与口袋", "box and pocket"))
    legend = both(
        "红线为搜索盒;橙色为参考配体;按元素着色:氧红、氮蓝、硫黄。",
        "Red lines: the box that is searched; orange: the reference ligand; oxygen red, nitrogen blue, sulfur yellow.",
    )
    body: list[Child] = [
        card("口袋与盒子", "Pocket and box", *view, tag("p", legend, cls="x-muted"), _pockets(target)),
        _remarks(target.remarks),
        card("盒内残基", "Residues in the box", tag("p", verbatim(" ".join(about.get("lining", ()))), cls="x-places")),
        card("来源", "Provenance", tag("p", tag("code", verbatim(f"source SHA-256 {about.get('source_sha256', '–')}"))),
             tag("p", tag("code", verbatim(f"target {target.digest}")))),
    ]  # fmt: skip
    return document(
        target.name, ("杏林 · 对接靶点", "Xinglin · docking target"), [tag("ul", *facts, cls="x-facts")], body
    )


def _fact(zh: str, en: str, value: str) -> Markup:
    return tag("li", both(zh, en), " ", tag("b", verbatim(value)))


def _pockets(target: Target) -> Markup | None:
    pockets = dict(target.about or {}).get("pockets", ())
    if not pockets:
        return None
    rows = [
        tag("tr", tag("td", str(rank), cls="n"), tag("td", verbatim(", ".join(f"{v:g}" for v in pocket["center"])), cls="n"),
            tag("td", f"{pocket['volume']:g}", cls="n"))
        for rank, pocket in enumerate(pockets, 1)
    ]  # fmt: skip
    head = tag("tr", tag("th", both("次序", "rank"), cls="n"), tag("th", both("中心", "centre, Å"), cls="n"),
               tag("th", both("掩埋体积", "buried volume, Å³"), cls="n"))  # fmt: skip
    return tag("div", tag("table", tag("thead", head), tag("tbody", rows)), cls="x-scroll")


def _remarks(remarks: tuple[Remark, ...]) -> Markup:
    if not remarks:
        return card("结构检查", "What was done", tag("p", both("未发现异常。", "Nothing odd was found.")))
    items = [
        tag(
            "li",
            tag("b", "⚠ ", aria_hidden="true") if remark.warning else None,
            both(remark.zh, remark.en),
            tag("div", verbatim(places(remark.where).strip()), cls="x-places") if remark.where else None,
            cls="x-warn" if remark.warning else None,
        )
        for remark in sorted(remarks, key=lambda item: not item.warning)
    ]
    return card("结构检查与处理", "What was odd, and what was done", tag("ul", items, cls="x-remarks"))
