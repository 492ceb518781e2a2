"""Routes as a page: every route drawn from the target to what is bought, Chinese first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from xinglin.apps.drugs.routes.search import Found, Route
from xinglin.apps.drugs.routes.stock import Stock
from xinglin.apps.drugs.safety import duties
from xinglin.records.molecules.parsing import read_smiles
from xinglin.types import DISCLAIMER

WIDTH, HEIGHT, GAP, ROW = 210, 140, 90, 175
ENDED = {
    "enough routes": ("已找到所需条数", "as many as asked for"),
    "nothing left to expand": ("模板用尽", "nothing left to try"),
    "expansions": ("达到展开上限", "bound on expansions reached"),
    "AiZynthFinder": (
        "由 AiZynthFinder 检索,原料清单为其自有",
        "searched by AiZynthFinder, in its own stock",
    ),
    "seconds": ("达到时间上限", "bound on time reached"),
}
STYLE = """
body{font-family:"Noto Sans SC","PingFang SC","Microsoft YaHei",system-ui,sans-serif;margin:2rem auto;max-width:1200px;
padding:0 1rem;color:#1d2521;background:#fafbf9}
h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.15rem;margin:2rem 0 .4rem}h3{font-size:1rem;margin:1.2rem 0 .3rem}
.en{color:#5c6a63}.card{background:#fff;border:1px solid #d9e0db;border-radius:8px;padding:1rem;overflow-x:auto}
.note{background:#fff6e0;border:1px solid #e6cf8b;border-radius:6px;padding:.6rem .8rem;margin:.6rem 0}
table{border-collapse:collapse;font-size:.9rem;margin-top:.6rem}td,th{border-bottom:1px solid #e4e9e6;padding:.25rem .6rem;
text-align:left;vertical-align:top}code{font-size:.85rem;word-break:break-all}
"""


def page(found: Sequence[tuple[str, Found, float | None]], stock: Stock) -> str:
    """Return the HTML page.

    Args:
        found: name of the input, what the search came to, and the SA score of the target where no route was found.
        stock: what the routes end in.
    """
    body = "".join(_target(name, one, accessibility, stock) for name, one, accessibility in found)
    return (
        '<!doctype html><html lang="zh"><head><meta charset="utf-8"><title>合成路线 Routes</title>'
        f"<style>{STYLE}</style></head><body><h1>合成路线 <span class='en'>Synthetic routes</span></h1>"
        f"<p>原料清单:{escape(stock.name)}({len(stock):,} 种)。<span class='en'>Stock: {escape(stock.name)}, "
        f"{len(stock):,} molecules.</span></p>"
        "<p class='note'>路线由专利反应的模板推得,未经实验验证;得分不是成功率,条件、选择性与安全须由化学家判断。"
        "<br><span class='en'>Derived from templates of patent reactions, not tried in a laboratory; a score is no yield. "
        "Conditions, selectivity and safety are for a chemist to judge.</span></p>"
        f"{body}<p class='note'>{DISCLAIMER['zh']}<br><span class='en'>{DISCLAIMER['en']}</span></p></body></html>"
    )


def _target(name: str, found: Found, accessibility: float | None, stock: Stock) -> str:
    zh, en = ENDED.get(found.ended, (found.ended, found.ended))
    said = (
        f"<p>展开 {found.expansions} 次,{found.seconds:.1f} 秒;{zh}。"
        f"<span class='en'>{found.expansions} expansions, {found.seconds:.1f} s; {en}.</span></p>"
    )
    if found.in_stock:
        said += "<p>目标本身可购。<span class='en'>The target itself is in stock.</span></p>"
    if found.refused:
        said += (
            f"<p>含管制化学品而弃去的步骤:{len(found.refused)}。"
            f"<span class='en'>Steps left out for a controlled chemical: {len(found.refused)}.</span></p>"
        )
    if not found.routes:
        said += "<p class='note'><b>在所给界限内未找到路线。</b><span class='en'>No route found within the bounds.</span>"
        if accessibility is not None:
            said += (
                f"<br>仅作退而求其次的参考:合成可及性 SA 得分 {accessibility:.1f}(1 易,10 难),并非路线。"
                f"<span class='en'>As a fallback only: SA score {accessibility:.1f} (1 easy, 10 hard), which is no "
                "route.</span>"
            )
        said += "</p>"
    cards = "".join(_route(number, route, stock) for number, route in enumerate(found.routes, 1))
    return f"<h2>{escape(name)}</h2>{said}{cards}"


def _route(number: int, route: Route, stock: Stock) -> str:
    leaves = sorted(set(route.leaves()))
    lines = "".join(
        f"<tr><td><code>{escape(leaf)}</code></td><td>{_price(stock.price(leaf))}</td><td>{_duty(leaf)}</td></tr>"
        for leaf in leaves
    )
    total = _total(route, stock)
    priced = "" if total is None else f",原料价 price {total:g}"
    return (
        f"<h3>路线 {number}:{route.steps} 步,最长 {route.longest} 步,代价 {route.cost:.2f}{priced} "
        f"<span class='en'>Route {number}: {route.steps} steps, longest chain {route.longest}, "
        f"cost {route.cost:.2f}</span></h3>"
        f"<div class='card'>{_drawing(route, stock)}"
        "<table><tr><th>原料 to buy</th><th>价 price</th><th>须申报 to declare</th></tr>"
        f"{lines}</table></div>"
    )


def _total(route: Route, stock: Stock) -> float | None:
    """Sum of the prices of all leaves, None where one is not known."""
    prices = [stock.price(leaf) for leaf in route.leaves()]
    known = [price for price in prices if price is not None]
    return sum(known) if known and len(known) == len(prices) else None


def _price(price: float | None) -> str:
    return "—" if price is None else f"{price:g}"


def _duty(smiles: str) -> str:
    return "<br>".join(
        f"{escape(duty.zh)}<br><span class='en'>{escape(duty.en)}</span>" for duty in duties(smiles)
    )


def _drawing(route: Route, stock: Stock) -> str:
    """One SVG: the target on the left, what is bought on the right."""
    pieces: list[str] = []
    rows = _place(route, 0, 0, pieces)[1]
    depth = route.longest + 1
    width = depth * WIDTH + (depth - 1) * GAP + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{rows * ROW}" '
        f'viewBox="0 0 {width} {rows * ROW}" font-size="11" font-family="sans-serif">{"".join(pieces)}</svg>'
    )


def _place(route: Route, column: int, row: int, pieces: list[str]) -> tuple[float, int]:
    """Draw a subtree from a row downwards; returns the height of its root's middle and the rows used."""
    x = column * (WIDTH + GAP) + 4
    used, middles = 0, []
    for child in route.children:
        middle, rows = _place(child, column + 1, row + used, pieces)
        middles.append(middle)
        used += rows
    used = max(used, 1)
    own = sum(middles) / len(middles) if middles else row * ROW + ROW / 2
    for middle in middles:
        start, end = x + WIDTH, x + WIDTH + GAP
        pieces.append(
            f'<path d="M{end} {middle} H{start + GAP * 0.6} V{own} H{start}" fill="none" '
            'stroke="#7b8a82" stroke-width="1.5"/>'
        )
    bought = route.step is None
    colour = "#2f7d4f" if bought else "#7b8a82"
    top = own - HEIGHT / 2
    pieces.append(
        f'<rect x="{x}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#fff" stroke="{colour}" '
        f'stroke-width="{2 if bought else 1}"/>{_structure(route.smiles, x, top)}'
    )
    label = "可购 in stock" if route.step is None else f"得分 score {route.step.score:.2f}"
    pieces.append(f'<text x="{x + 6}" y="{top + HEIGHT + 14}" fill="{colour}">{label}</text>')
    return own, used


def _structure(smiles: str, x: float, y: float) -> str:
    from rdkit.Chem.Draw.rdMolDraw2D import MolDraw2DSVG, PrepareAndDrawMolecule

    drawer = MolDraw2DSVG(WIDTH - 8, HEIGHT - 8)
    options: Any = drawer.drawOptions()
    options.clearBackground, options.padding = False, 0.08
    PrepareAndDrawMolecule(drawer, read_smiles(smiles))
    drawer.FinishDrawing()
    text = re.sub(r"<\?xml.*?\?>|<!--.*?-->", "", drawer.GetDrawingText(), flags=re.DOTALL)
    return text.replace("<svg ", f'<svg x="{x + 4}" y="{y + 4}" ', 1)
