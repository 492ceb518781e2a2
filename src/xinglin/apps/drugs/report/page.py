"""One HTML document that needs no other file: our script and style are inside, and nothing else may run or load."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xinglin.measure.markup import Child, Markup, tag, verbatim
from xinglin.types import DISCLAIMER

HERE = Path(__file__).parent


def both(zh: str, en: str) -> list[Child]:
    """Return Chinese, and English beside it."""
    return [zh, " ", tag("span", verbatim(en), cls="en", lang="en")]


def card(zh: str, en: str, *children: Child, cls: str | None = None) -> Markup:
    """Return a titled section."""
    return tag("section", tag("h2", both(zh, en)), *children, cls=cls)


def document(title: str, brand: tuple[str, str], head: Sequence[Child], body: Sequence[Child]) -> str:
    """Return the whole page, with the disclaimer at its foot.

    Args:
        title: of window and page.
        brand: Chinese and English, above the title.
        head: below the title.
        body: sections.
    """
    script = (HERE / "viewer.js").read_text(encoding="utf-8")
    style = (HERE / "report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    top = tag("header", tag("p", both(*brand), cls="x-brand"), tag("h1", verbatim(title)), *head)
    foot = tag("footer", tag("p", DISCLAIMER["zh"]), tag("p", verbatim(DISCLAIMER["en"]), lang="en"))
    parts = (
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("title", verbatim(title)),
        tag("style", Markup(style)),
    )
    inner = tag("body", tag("main", top, *body, foot), tag("script", Markup(script)))
    return f"<!DOCTYPE html>\n{tag('html', tag('head', *parts), inner, lang='zh-CN')}\n"


def viewer(name: str, scene: dict[str, Any], label: tuple[str, str]) -> list[Markup]:
    """Return a view of a scene (``scene.py``) and its data.

    Args:
        name: unique in the page.
        scene: JSON values.
        label: what is seen, Chinese and English.
    """
    # "<" cannot end the element early when it is written as an escape of JSON.
    data = json.dumps(scene, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    canvas = tag("canvas", tabindex="0", role="img", aria_label=f"{label[0]} {label[1]}")
    switch = tag("label", tag("input", type="checkbox", checked=True), " ", both("残基名", "residue names"))
    hint = tag(
        "span", both("拖动或方向键旋转,滚轮缩放", "drag or arrow keys turn, the wheel zooms"), cls="x-muted"
    )
    title = tag("b", "", data_title=True)
    without = tag(
        "noscript",
        both(
            "此视图需要 JavaScript(随页内附,不联网)。",
            "This view needs JavaScript, which is inside the page.",
        ),
    )
    return [
        tag(
            "div",
            canvas,
            tag("div", title, switch, hint, cls="x-view-foot"),
            without,
            cls="x-view",
            data_scene=name,
        ),
        tag("script", Markup(data), type="application/json", id=name),
    ]
