"""Asking for a search of the study and watching it: a button, a bar, and an end before its time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from xinglin.measure.markup import tag
from xinglin.serve.workbench.desk import Visitor
from xinglin.serve.workbench.imaging_study import Study

EVERY = 0.3
"""Seconds between two looks at a search."""


class Searching:
    """The search of one study on the page; a page that is reloaded finds a search that runs."""

    def __init__(self, visitor: Visitor, study: Study, searched: Callable[[], Awaitable[None]]) -> None:
        self.visitor, self.study, self.searched = visitor, study, searched

    def build(self) -> None:
        """Draw it."""
        say, guarded = self.visitor.say, self.visitor.guarded
        with ui.element("div").classes("xi-search"):
            self.begin = ui.button(say("find"), on_click=guarded(self._begin))
            self.begin.props("unelevated no-caps color=primary data-key=find")
            self.bar = ui.linear_progress(0.0, show_value=False).props("data-key=find-progress rounded")
            with ui.element("div").classes("xl-row") as self.under:
                self.told = ui.html("", sanitize=True).classes("xl-label").props("aria-live=polite")
                self.end = ui.button(say("find_cancel"), on_click=guarded(self._end))
                self.end.props("flat dense no-caps data-key=find-cancel")
            self.problem = ui.html("", sanitize=True)
        self.timer = ui.timer(EVERY, guarded(self._look), active=self._running)
        self._show()

    @property
    def _running(self) -> bool:
        return self.study.search is not None and not self.study.search.over

    async def _begin(self) -> None:
        self.visitor.desk.studies.search(self.study.key, self.visitor.user)
        self._show()
        self.timer.activate()

    async def _end(self) -> None:
        if self.study.search is not None:
            self.study.search.cancel()

    async def _look(self) -> None:
        self.timer.deactivate()
        if self.study.search is not None and self.study.search.state == "done":
            await self.searched()
            return
        self._show()
        if self._running:
            self.visitor.desk.studies.get(self.study.key, self.visitor.user)  # it is being looked at
            self.timer.activate()

    def _show(self) -> None:
        search, say, running = self.study.search, self.visitor.say, self._running
        self.begin.set_visibility(not running)
        self.bar.set_visibility(running)
        self.under.set_visibility(running)
        if search is None:
            return
        share = search.done / search.total if search.total else 0.0
        self.bar.set_value(round(share, 3))
        word = "find_waiting" if search.state == "waiting" else "find_lungs"
        said = say("find_windows", done=search.done, total=search.total) if search.total else say(word)
        self.told.set_content(str(tag("span", said)))
        words = search.problem if search.state == "failed" else None
        self.problem.set_content("" if words is None else str(tag("p", words, cls="xi-warning")))
