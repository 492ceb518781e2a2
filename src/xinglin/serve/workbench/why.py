"""The tab *Why* of a case: explained when it is first looked at, with a bar; the drawing is the report's own."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import date
from typing import Any

from nicegui import events, ui

from xinglin.apps.diagnosis import remember
from xinglin.apps.diagnosis.explain_words import METHODS, Method
from xinglin.explain.basis import CaseExplanation
from xinglin.explain.report import page, sections
from xinglin.measure.markup import tag
from xinglin.serve.explaining import Question
from xinglin.serve.workbench.desk import Visitor
from xinglin.serve.workbench.shell import fragment

LOOK = 0.2
"""Seconds between two looks at the progress."""
OFFERED: tuple[Method, ...] = tuple(name for name in METHODS if name != "exact")
"""Methods of the page: ``auto`` is exact where that is quick."""


class StoppedError(Exception):
    """The reader no longer waits."""


class Job:
    """One explanation on its way, as the page and its thread both see it."""

    def __init__(self) -> None:
        self.share = 0.0
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Ask the thread to stop at its next step."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopped.is_set()

    def report(self, done: int, of: int) -> None:
        """Take the progress; raises to cancel."""
        if self.stopped:
            raise StoppedError
        self.share = done / of


class Why:
    """The panel of one answer."""

    def __init__(self, visitor: Visitor, question: Question, candidates: list[dict[str, Any]]) -> None:
        self.visitor, self.question = visitor, question
        self.names = {item["code"]["id"]: item["code"]["display"] for item in candidates}
        self.job: Job | None = None
        self.shown: CaseExplanation | None = None

    def build(self) -> None:
        """Draw the choices, the bar and the place of the explanation; nothing is computed yet."""
        say, guarded = self.visitor.say, self.visitor.guarded
        with ui.element("section").classes("xl-card xl-basis-head"):
            if len(self.names) > 1:
                self._choice("why_target", self.names, next(iter(self.names)), self._aim, "target")
            methods: dict[str, str] = {name: say(f"why_{name}") for name in OFFERED}
            self._choice("why_method", methods, "auto", self._by, "method")
            ui.element("div").classes("xl-grow")
            self.save = ui.button(say("why_download"), on_click=guarded(self._download))
            self.save.props("outline no-caps data-key=why-download").set_enabled(False)
        with ui.element("section").classes("xl-card xl-basis-wait") as self.waiting:
            fragment(tag("p", say("why_running")))
            self.bar = ui.linear_progress(0.0, show_value=False).props("data-key=why-bar rounded")
            self.bar.props["aria-label"] = say("why_running")
            ui.button(say("cancel"), on_click=self.stop).props("flat no-caps data-key=why-cancel")
        self.waiting.set_visibility(False)
        self.timer = ui.timer(LOOK, self._look, active=False)
        self.place = ui.element("div").classes("xl-basis")

    def _choice(self, label: str, options: dict[str, str], first: str, act: Any, key: str) -> None:
        async def choose(event: events.ValueChangeEventArguments[Any]) -> None:
            await self.visitor.guarded(act)(event.value)

        with ui.element("div").classes("xl-basis-choice"):
            fragment(tag("span", self.visitor.say(label), cls="xl-label", aria_hidden="true"))
            chosen = ui.select(options, value=first, on_change=choose)
        chosen.props(f"outlined dense options-dense data-key=why-{key}").classes(f"xl-basis-{key}")
        chosen.props["aria-label"] = self.visitor.say(label)

    async def open(self) -> None:
        """Explain, unless that was done or is being done."""
        if self.shown is None and self.job is None:
            await self._explain()

    def stop(self) -> None:
        """Give up what is being computed."""
        if self.job is not None:
            self.job.stop()

    async def _aim(self, disease: str) -> None:
        await self._again(target=None if disease == next(iter(self.names)) else disease)

    async def _by(self, method: Method) -> None:
        await self._again(method=method)

    async def _again(self, **changes: Any) -> None:
        self.stop()
        self.question = replace(self.question, **changes)
        await self._explain()

    async def _explain(self) -> None:
        job = self.job = Job()
        try:
            found = self.visitor.desk.explaining.known(self.question) or await self._made(job)
        except StoppedError:
            return
        finally:
            if self.job is job:  # no other one was asked for meanwhile
                self.job = None
                self._wait(False)
        if not job.stopped:
            self._show(found)

    async def _made(self, job: Job) -> CaseExplanation:
        desk, question = self.visitor.desk, self.question
        self._wait(True)
        found = await asyncio.to_thread(desk.explaining.explain, question, job.report)
        await asyncio.to_thread(remember.remember_explanation, desk.store, found, actor=self.visitor.user)
        return found

    def _wait(self, on: bool) -> None:
        self.waiting.set_visibility(on)
        self.place.set_visibility(not on)
        self.timer.active = on
        self.bar.set_value(0.0)

    def _look(self) -> None:
        if self.job is not None:
            self.bar.set_value(round(self.job.share, 3))

    def _show(self, found: CaseExplanation) -> None:
        self.shown = found
        self.save.set_enabled(True)
        self.place.clear()
        with self.place:
            fragment(tag("div", sections(found, self.visitor.lang), cls="xw"))

    async def _download(self) -> None:
        if self.shown is not None:
            name = f"xinglin-why-{date.today().isoformat()}.html"
            ui.download.content(page(self.shown, "both"), name, "text/html")
