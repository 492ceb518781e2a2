"""Two panels of which one is shown: a list of tabs as a screen reader and a keyboard know it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nicegui import ui

from xinglin.serve.workbench.desk import Visitor

Act = Callable[[], Awaitable[None]]


class Tabs:
    """The list; the first panel is the one that is shown."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.panels: dict[str, tuple[Any, Any]] = {}
        self.list = ui.element("div").classes("xl-tabs").props("role=tablist")

    @contextmanager
    def panel(self, name: str, act: Act | None = None) -> Iterator[None]:
        """Draw a panel; what is built inside becomes its content.

        Args:
            name: ``tab_NAME`` is its phrase, ``tab-NAME`` the key of its tab.
            act: run each time it is chosen.
        """
        with self.list:
            tab = ui.element("button").props(f"type=button role=tab data-key=tab-{name}")
            tab.on("click", self.visitor.guarded(self._chooser(name, act)), args=[])
            with tab:
                ui.html(self.visitor.say(f"tab_{name}"), sanitize=True, tag="span")
        place = ui.element("div").classes("xl-panel").props("role=tabpanel")
        place.props["aria-label"] = self.visitor.say(f"tab_{name}")
        self.panels[name] = (tab, place)
        self._select(next(iter(self.panels)))
        with place:
            yield

    def _chooser(self, name: str, act: Act | None) -> Act:
        async def choose() -> None:
            self._select(name)
            if act is not None:
                await act()

        return choose

    def _select(self, name: str) -> None:
        for other, (tab, place) in self.panels.items():
            tab.props(f"aria-selected={'true' if other == name else 'false'}")
            place.props("hidden") if other != name else place.props(remove="hidden")
