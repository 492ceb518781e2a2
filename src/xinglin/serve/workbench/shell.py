"""The frame of every page: styles, top bar, preferences, shortcuts, footer."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nicegui import app, ui

from xinglin.explain.sheet import STYLE
from xinglin.measure.markup import Child, Markup, tag
from xinglin.serve.workbench.desk import Visitor
from xinglin.serve.workbench.icons import blossom
from xinglin.types import DISCLAIMER

FOLDER = Path(__file__).parent
STYLES = (
    *(
        FOLDER / f"{name}.css"
        for name in (
            *("frame", "answer", "chat", "annotate", "federation", "models", "imaging"),
            *("challenges", "consents"),
        )
    ),
    STYLE,
    FOLDER / "print.css",
)
FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><g fill="#c4622d">'
    + "".join(
        f'<ellipse cx="12" cy="6.6" rx="3.6" ry="4.4" transform="rotate({72 * turn} 12 12)"/>'
        for turn in range(5)
    )
    + '</g><circle cx="12" cy="12" r="2.1" fill="#fff6ea"/></svg>'
)
NAVIGATION = (
    *(("case", "/"), ("chat", "/chat"), ("imaging", "/imaging"), ("history", "/history")),
    ("annotate", "/annotate"),
    *(("federation", "/federation"), ("models", "/models"), ("challenges", "/challenges")),
    *(("consents", "/consents"), ("graph", "/graph"), ("about", "/about")),
)
KEYS = (
    ("Ctrl + Enter", "key_analyse"),
    ("Ctrl + S", "key_save"),
    ("1  2  3", "key_answers"),
    ("/", "key_text"),
    ("Tab", "key_tab"),
    ("?", "key_help"),
    ("Esc", "key_esc"),
)
ANNOTATION_KEYS = (
    ("1  …  9  0", "key_label"),
    ("空格 Space", "key_confirm"),
    ("空格 Space", "key_several"),
    ("X", "key_none"),
    ("J  K  L", "key_sure"),
    ("M", "key_mark"),
    ("U", "key_undo"),
    ("N", "key_pass"),
    ("/", "key_search"),
    ("?", "key_help"),
    ("Esc", "key_esc"),
)
IMAGING_KEYS = (
    ("↑ ↓  滚轮 Wheel", "key_slice"),
    ("← →", "key_finding"),
    ("1  …  5", "key_window"),
    ("A  R", "key_decide"),
    ("M", "key_measure"),
    ("Ctrl + 滚轮 Wheel", "key_zoom"),
    ("?", "key_help"),
)
KEYS_OF = {"annotate": ANNOTATION_KEYS, "imaging": IMAGING_KEYS}
SCRIPT = """
window.xinglin = {
  press(key) {
    const button = document.querySelector(`[data-key="${key}"]`);
    if (!button || button.disabled || button.offsetParent === null) return false;
    button.click();
    return true;
  },
  async copy(selector, done) {
    const area = document.querySelector(selector);
    if (!area) return;
    try { await navigator.clipboard.writeText(area.value); }
    catch { area.focus(); area.select(); document.execCommand('copy'); }
    const look = {position: 'top', color: '', classes: 'xl-note xl-note-positive', timeout: 2000};
    Quasar.Notify.create({message: done, ...look});
  },
};
document.addEventListener('keydown', event => {
  const control = event.ctrlKey || event.metaKey, dialog = document.querySelector('.q-dialog');
  if (control && event.key === 'Enter') {
    if (!dialog && xinglin.press('analyse')) event.preventDefault();
    return;
  }
  if (control && event.key.toLowerCase() === 's') {
    event.preventDefault();
    if (!dialog) xinglin.press('save');
    return;
  }
  if (control || event.altKey || dialog || event.isComposing) return;
  if (event.target.closest('input, textarea, select, [contenteditable=true]')) return;
  const area = document.querySelector('[data-key=text], [data-key=search]');
  if ('123'.includes(event.key) && xinglin.press('answer-' + event.key)) event.preventDefault();
  else if (event.key === '/' && area) { area.focus(); event.preventDefault(); }
  else if (event.key === '?' && xinglin.press('help')) event.preventDefault();
});
"""


def fragment(content: Child, classes: str = "", element: str = "div") -> Any:
    """Show markup; the browser sanitises it once more."""
    shown = content if isinstance(content, Markup) else tag("span", content)
    return ui.html(str(shown), sanitize=True, tag=element).classes(classes)


@contextmanager
def frame(visitor: Visitor, page: str) -> Iterator[None]:
    """Draw the frame of a page; what is built inside becomes its content."""
    _prepare(visitor)
    fragment(tag("a", visitor.say("skip"), href="#main", cls="xl-skip"))
    with ui.element("header").classes("xl-top"):
        _navigation(visitor, page)
        ui.element("div").classes("xl-grow")
        _preferences(visitor, KEYS_OF.get(page, KEYS))
    with ui.element("main").classes(f"xl-main xl-{page}").props("id=main tabindex=-1"):
        yield
    other = "en" if visitor.lang == "zh" else "zh"
    footer = tag("footer", tag("b", DISCLAIMER[visitor.lang]), tag("span", DISCLAIMER[other], lang=other))
    fragment(footer, "xl-foot")


def _prepare(visitor: Visitor) -> None:
    """Set language, title and colours before the page is sent, so that nothing flashes."""
    client, chosen = visitor.client, app.storage.user.get("dark")
    client.page = copy.copy(client.page)
    client.page.language = "zh-CN" if visitor.lang == "zh" else "en-US"
    client.page.dark = chosen if isinstance(chosen, bool) else None
    client.title = visitor.say("title")
    for path in STYLES:
        version = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        ui.add_head_html(f'<link rel="stylesheet" href="/static/{path.stem}-{version}.css">')
    ui.add_body_html(f"<script>{SCRIPT}</script>")
    ui.colors(primary="#b4532a", negative="#b3261e", positive="#2f6b4f", warning="#9a6700", info="#4a6274")


def _navigation(visitor: Visitor, page: str) -> None:
    brand = tag(
        "a",
        blossom(),
        tag("span", tag("b", "杏林"), tag("span", "Xinglin", cls="xl-latin"), cls="xl-brand-name"),
        tag("span", visitor.say("brand_sub"), cls="xl-brand-sub"),
        href="/",
        cls="xl-brand",
    )
    links = [
        tag("a", visitor.say(f"nav_{name}"), href=path, aria_current="page" if name == page else None)
        for name, path in NAVIGATION
    ]
    fragment(tag("div", brand, tag("nav", links, aria_label="杏林 Xinglin"), cls="xl-nav"))


def _preferences(visitor: Visitor, keys: tuple[tuple[str, str], ...]) -> None:
    async def language() -> None:
        app.storage.user["lang"] = "en" if visitor.lang == "zh" else "zh"
        ui.navigate.reload()

    async def colours() -> None:
        shown = bool(await ui.run_javascript("return Quasar.Dark.isActive"))
        app.storage.user["dark"] = not shown
        ui.run_javascript(f"Quasar.Dark.set({'false' if shown else 'true'})")

    guarded = visitor.guarded
    other = "en" if visitor.lang == "zh" else "zh-CN"
    button = ui.button(visitor.say("to_language"), on_click=guarded(language)).props("flat no-caps dense")
    button.props["aria-label"] = visitor.say("to_language_label")
    button.props["lang"] = other
    button.props("data-key=language")
    dark = ui.button(on_click=guarded(colours)).props("flat dense data-key=dark")
    dark.props["aria-label"] = dark.props["title"] = visitor.say("to_dark")
    with dark:
        fragment(tag("span", "", cls="xl-moon", aria_hidden="true"))
    help_ = _shortcuts(visitor, keys)
    show = ui.button("?", on_click=help_.open).props("flat dense data-key=help")
    show.props["aria-label"] = show.props["title"] = visitor.say("shortcuts")
    if visitor.token is not None:
        leave = tag("button", visitor.say("log_out"), type="submit")
        fragment(
            tag("form", tag("span", visitor.user), leave, method="post", action="/logout", cls="xl-user")
        )


def _shortcuts(visitor: Visitor, keys: tuple[tuple[str, str], ...]) -> ui.dialog:
    rows = [
        tag("tr", tag("td", [tag("kbd", key) for key in several.split("  ")]), tag("td", visitor.say(name)))
        for several, name in keys
    ]
    with ui.dialog() as dialog, ui.card().classes("xl-dialog xl-dialog-narrow"):
        fragment(tag("h2", visitor.say("shortcuts")))
        fragment(tag("table", rows, cls="xl-keys"))
        ui.button(visitor.say("close"), on_click=dialog.close).props("flat no-caps").classes("xl-end")
    dialog.props["aria-label"] = visitor.say("shortcuts")
    return dialog
