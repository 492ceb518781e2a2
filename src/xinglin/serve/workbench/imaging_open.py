"""The page on which a study is opened: files or a folder are sent, a series chosen."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from nicegui import events, ui

from xinglin.errors import InvalidInputError
from xinglin.measure.markup import tag
from xinglin.serve.workbench.desk import Visitor
from xinglin.serve.workbench.icons import icon
from xinglin.serve.workbench.imaging_intake import Choice, archived, choices
from xinglin.serve.workbench.imaging_script import UPLOAD
from xinglin.serve.workbench.imaging_study import Study
from xinglin.serve.workbench.shell import fragment

MODALITIES = ("CT", "MR", "PT")


class OpenPage:
    """Sending, choosing, and what is open already."""

    def __init__(self, visitor: Visitor, beside: str | None) -> None:
        self.visitor = visitor
        self.beside = beside
        """Key of the study that the next one is the prior of."""
        self.key = visitor.desk.studies.begin(visitor.user)

    def build(self) -> None:
        """Draw the page."""
        say = self.visitor.say
        with ui.element("div").classes("xi-open"):
            hint = tag("p", say("imaging_hint"), cls="xl-muted")
            fragment(tag("div", tag("h1", icon("layers", 22), say("imaging")), hint), "xl-title")
            with ui.element("section").classes("xl-card"):
                with ui.element("div").classes("xi-drop"):
                    self._picker("open_files", "files", "multiple", "")
                    self._picker("open_folder", "folder", "webkitdirectory multiple", "xi-second")
                with ui.element("div").classes("xi-stated"):
                    fragment(tag("span", say("stated_modality"), cls="xl-label"))
                    shown = {"": say("stated_none"), **{name: name for name in MODALITIES}}
                    self.stated = ui.select(shown, value="").props(
                        "outlined dense options-dense data-key=stated"
                    )
                    self.stated.props["aria-label"] = say("stated_modality")
                self._archive()
                fragment(tag("p", "", cls="xi-told", data_key="upload-told", aria_live="polite"))
                self.told = ui.html("", sanitize=True)
                self.list = ui.element("div").classes("xi-series")
            open_ = [
                study for study in self.visitor.desk.studies.of(self.visitor.user) if study.key != self.beside
            ]
            if open_:
                with ui.element("section").classes("xl-card xi-series"):
                    fragment(tag("h2", icon("list"), say("open_studies")))
                    for study in open_:
                        self._opened(study)
        ui.on("xinglin_sent", self._sent)
        ui.run_javascript(UPLOAD)

    def _archive(self) -> None:
        say = self.visitor.say
        with ui.element("div").classes("xi-stated xi-archive"):
            fragment(tag("span", say("open_archived"), cls="xl-label"))
            fields = [
                ui.input(label=say(word)).props(f"outlined dense data-key={word.replace('_', '-')}")
                for word in ("archived_dataset", "archived_record")
            ]
            button = ui.button(
                say("open"),
                on_click=self.visitor.guarded(partial(self._archived, fields[0], fields[1])),
            )
            button.props("outline no-caps data-key=open-archived")

    async def _archived(self, dataset: ui.input, record: ui.input) -> None:
        store, user = self.visitor.desk.store, self.visitor.user
        names = [str(field.value or "").strip() for field in (dataset, record)]
        if not all(names):
            raise InvalidInputError(self.visitor.say("archived_both"))
        await self._offered(await asyncio.to_thread(archived, store, names[0], names[1], user))

    def _picker(self, word: str, name: str, how: str, classes: str) -> None:
        with ui.element("label").classes(f"xi-picker {classes}"):
            fragment(tag("span", self.visitor.say(word)))
            field = ui.element("input").props(f"type=file {how} data-key={name}")
            field.on("change", js_handler=f"event => xinglinSend(event.target, {self.key!r})")

    def _opened(self, study: Study) -> None:
        say = self.visitor.say

        async def close() -> None:
            self.visitor.desk.studies.close(study.key, self.visitor.user)
            ui.navigate.reload()

        with ui.element("div").classes("xl-row"):
            name = tag("b", study.name), tag("span", f" {study.scan.modality or '?'}", cls="xl-muted")
            fragment(tag("a", name, href=self._address(study)))
            ui.button(say("close_study"), on_click=self.visitor.guarded(close)).props("flat no-caps")

    def _address(self, study: Study) -> str:
        if self.beside is None:
            return f"/imaging?study={study.key}"
        return f"/imaging?study={self.beside}&prior={study.key}"

    async def _sent(self, event: events.GenericEventArguments) -> None:
        await self.visitor.guarded(self._received)(event.args)

    async def _received(self, told: Any) -> None:
        if not isinstance(told, dict) or told.get("key") != self.key:
            return
        if told.get("failed"):
            raise InvalidInputError(str(told["failed"])[:300])
        say, studies, user = self.visitor.say, self.visitor.desk.studies, self.visitor.user
        self.told.set_content(str(tag("p", say("reading"), cls="xl-muted")))
        try:
            found, problems = await asyncio.to_thread(choices, studies.upload(self.key, user))
        finally:
            self.told.set_content("")
        if problems:
            line = say("unreadable_files", count=len(problems), first=problems[0][:200])
            self.told.set_content(str(tag("p", line, cls="xi-warning")))
        if not found:
            raise InvalidInputError(problems[0] if problems else say("upload_empty"))
        await self._offered(found)

    async def _offered(self, found: list[Choice]) -> None:
        """Open the one that can be opened, or let one be chosen."""
        say = self.visitor.say
        stacks = [choice for choice in found if choice.series is None or choice.series.may_stack]
        if len(stacks) == 1:
            await self._open(stacks[0])
            return
        self.list.clear()
        with self.list:
            fragment(tag("h2", say("choose_series")))
            for number, choice in enumerate(found):
                self._offer(number, choice)

    def _offer(self, number: int, choice: Choice) -> None:
        say, series = self.visitor.say, choice.series
        button = ui.element("button").classes("xi-finding").props(f"type=button data-key=series-{number}")
        button.on("click", self.visitor.guarded(partial(self._open, choice)), args=[])
        line = choice.name
        if series is not None:
            about = {
                "number": series.number or "?",
                "modality": series.modality or "?",
                "count": len(series.files),
            }
            line = say("series_line", **about) + (f" · {say('series_scout')}" if series.scout else "")
        with button:
            fragment(tag("span", str(number + 1), cls="xi-number"))
            fragment(tag("span", tag("b", choice.name or line), tag("small", line)))

    async def _open(self, choice: Choice) -> None:
        studies, user = self.visitor.desk.studies, self.visitor.user
        self.told.set_content(str(tag("p", self.visitor.say("reading"), cls="xl-muted")))

        def made() -> Study:
            scan = choice.read(str(self.stated.value) or None)
            study = studies.open(user, choice.name or scan.modality or "", scan)
            if choice.volume is None:
                studies.end(self.key, user)
            return study

        try:
            study = await asyncio.to_thread(made)
        finally:
            self.told.set_content("")
        ui.navigate.to(self._address(study))
