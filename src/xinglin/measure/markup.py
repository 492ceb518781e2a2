"""HTML by construction: every string is escaped unless it is markup already.

A page of the workbench sends it to the browser through ``ui.html``, which runs it through DOMPurify once more.
"""

from __future__ import annotations

import html
from collections.abc import Iterable

from xinglin.measure.typography import full_width

EMPTY = frozenset({"br", "hr", "img", "meta"})


class Markup(str):
    """HTML that is already safe."""

    __slots__ = ()


Child = str | Markup | Iterable["Child"] | None


def escaped(child: Child) -> Markup:
    """Return a child as safe HTML; a plain string is typeset and escaped, ``None`` is nothing."""
    if child is None:
        return Markup("")
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return verbatim(full_width(child))
    return Markup("".join(escaped(item) for item in child))


def verbatim(text: str) -> Markup:
    """Return text escaped and otherwise exactly as it is: what a clinician typed."""
    return Markup(html.escape(text))


def tag(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Markup:
    """Return one element.

    Args:
        name: the element.
        children: text (escaped) or markup.
        attributes: ``cls`` is ``class``; an underscore is a hyphen; ``None`` and ``False`` leave it out.
    """
    shown = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        plain = "class" if key == "cls" else key.rstrip("_").replace("_", "-")
        shown.append(f" {plain}" if value is True else f' {plain}="{html.escape(str(value))}"')
    opening = f"<{name}{''.join(shown)}>"
    return Markup(opening if name in EMPTY else f"{opening}{escaped(children)}</{name}>")


def html_page(title: str, style: str, body: Markup, lang: str) -> str:
    """Return one HTML document that needs no other file and may load none: no script, no picture, no link.

    Args:
        title: of the window, as plain text.
        style: CSS, trusted.
        body: the body element.
        lang: of the document, BCP 47.
    """
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag(
            "meta",
            http_equiv="Content-Security-Policy",
            content="default-src 'none'; style-src 'unsafe-inline'",
        ),
        tag("title", verbatim(title)),
        tag("style", Markup(style)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang=lang)}\n"
