"""The left side of the case page: the patient's header, the text, and what can be done with them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import events, ui

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.measure.markup import tag
from xinglin.records.intake import record_from_json
from xinglin.serve.workbench.desk import Visitor
from xinglin.serve.workbench.draft import MAX_TEXT, Draft
from xinglin.serve.workbench.icons import icon
from xinglin.serve.workbench.samples import SAMPLES
from xinglin.serve.workbench.shell import fragment

MAX_UPLOAD = 3 * 1024 * 1024
"""Below the service's own limit on a request, so that the page can say it in words."""
Act = Callable[[], Awaitable[None]]


class Entry:
    """The form over one draft; it tells the page when something was typed."""

    def __init__(
        self,
        visitor: Visitor,
        draft: Draft,
        *,
        edited: Callable[[], None],
        analyse: Act,
        save: Act,
        show: Act,
    ) -> None:
        self.visitor, self.draft = visitor, draft
        self.edited, self.analyse, self.save, self.show = edited, analyse, save, show
        self.before: Draft | None = None
        self.form: Any = None
        self.text: Any = None

    def build(self) -> None:
        """Draw the form."""
        self.place = ui.element("div").classes("xl-entry")
        self._draw()

    def _draw(self) -> None:
        self.place.clear()
        with self.place:
            with ui.element("section").classes("xl-card xl-header-card"):
                heading = tag("h2", icon("person"), tag("span", self.visitor.say("header")))
                fragment(tag("div", heading, tag("small", self.visitor.say("header_hint")), cls="xl-heading"))
                with ui.element("div").classes("xl-header"):
                    self._header()
            with ui.element("section").classes("xl-card xl-text-card"):
                self._complaint()

    def replace(self, draft: Draft) -> None:
        """Show another draft in place of this one; the earlier one can be restored."""
        self.before = None if self.draft.empty else self.draft
        self.draft = draft
        self._draw()

    # header

    def _header(self) -> None:
        say, draft = self.visitor.say, self.draft
        with self._field("age"):
            self._number("age", draft.age)
            self._choice("age_unit", {unit: say(unit) for unit in ("years", "months", "days")}, "xl-unit")
        with self._field("sex"):
            options = {"": say("unknown"), "male": say("male"), "female": say("female")}
            sex = ui.toggle(options, value=draft.sex, on_change=self._setter("sex"))
            sex.props('unelevated no-caps dense data-key=sex role="group"')
            sex.props["aria-label"] = say("sex")
        with self._field("motherhood"):
            options = {key or "": say(key or "unknown") for key in ("", "none", "pregnant", "lactating")}
            self._choice("motherhood", options)
        for name in ("allergies", "drugs"):
            with self._field(name):
                field = ui.input(value=getattr(draft, name), on_change=self._setter(name))
                field.props(f"outlined dense maxlength=500 autocomplete=off data-key={name}")
                field.props["placeholder"] = say("list_hint")
                field.props["aria-label"] = say(name)
        with self._field("egfr"):
            self._number("egfr", draft.egfr)
        with ui.element("div").classes("xl-field xl-weeks") as weeks:
            fragment(tag("span", say("weeks"), cls="xl-label", aria_hidden="true"))
            self._number("weeks", draft.weeks)
        weeks.bind_visibility_from(draft, "motherhood", lambda value: value == "pregnant")

    def _field(self, name: str) -> Any:
        with ui.element("div").classes(f"xl-field xl-{name}"):
            fragment(tag("span", self.visitor.say(name), cls="xl-label", aria_hidden="true"))
            return ui.element("div").classes("xl-controls")

    def _number(self, name: str, value: float | None) -> Any:
        # Without limits here: a number out of range is refused in words, never moved to the limit in silence.
        field = ui.number(value=value, on_change=self._setter(name))
        field.props(f"outlined dense hide-bottom-space data-key={name} inputmode=decimal")
        field.props["placeholder"] = "—"
        field.props["aria-label"] = self.visitor.say(name)
        return field.classes(f"xl-number-{name}")

    def _choice(self, name: str, options: dict[str, str], classes: str = "") -> None:
        chosen = ui.select(options, value=getattr(self.draft, name), on_change=self._setter(name))
        chosen.props(f"outlined dense options-dense data-key={name}").classes(classes)
        chosen.props["aria-label"] = self.visitor.say(name)

    def _setter(self, name: str) -> Callable[[Any], None]:
        def change(event: events.ValueChangeEventArguments[Any]) -> None:
            empty: Any = "" if isinstance(getattr(self.draft, name), str) else None
            setattr(self.draft, name, empty if event.value is None else event.value)
            self.edited()

        return change

    # text

    def _complaint(self) -> None:
        say, guarded = self.visitor.say, self.visitor.guarded
        with ui.element("div").classes("xl-text-head"):
            fragment(tag("h2", icon("page"), tag("span", say("complaint"))))
            with ui.element("div"):
                ui.button(say("clear"), on_click=guarded(self._clear)).props(
                    "flat no-caps dense data-key=clear"
                )
                ui.button(say("save"), on_click=guarded(self.save)).props("flat no-caps dense data-key=save")
                ui.button(say("print")).props("flat no-caps dense data-key=print").on(
                    "click", js_handler="() => window.print()"
                )
        # One character more than allowed: a longer paste is refused in words, never cut in silence.
        self.text = ui.textarea(value=self.draft.text, on_change=self._setter("text"))
        self.text.props(f"outlined data-key=text maxlength={MAX_TEXT + 1} spellcheck=false")
        self.text.props["placeholder"] = say("complaint_hint")
        self.text.props["aria-label"] = say("complaint")
        self.text.classes("xl-textarea")
        if self.draft.record is not None:
            with ui.element("div").classes("xl-record"):
                fragment(tag("span", icon("page", 15), say("record_loaded", name=self.draft.record_name)))
                ui.button(say("record_remove"), on_click=guarded(self._remove_record)).props(
                    "flat no-caps dense"
                )
        self._study()
        if self.before is not None:
            with ui.element("div").classes("xl-record xl-restore"):
                fragment(tag("span", say("restore_hint")))
                ui.button(say("restore"), on_click=guarded(self._restore)).props(
                    "flat no-caps dense data-key=restore"
                )
        with ui.element("div").classes("xl-actions"):
            main = ui.button(on_click=guarded(self.analyse)).props("unelevated no-caps data-key=analyse")
            with main.classes("xl-primary"):
                fragment(tag("span", say("analyse"), tag("kbd", "Ctrl+Enter")))
            with ui.button(say("samples")).props("outline no-caps data-key=samples"), ui.menu():
                for number, sample in enumerate(SAMPLES):
                    shown = sample.name(self.visitor.lang)
                    item = ui.menu_item(shown, on_click=guarded(self.sampler(number)))
                    item.props(f"data-key=sample-{number}")
            self.upload = ui.upload(on_upload=self._uploaded, auto_upload=True, max_file_size=MAX_UPLOAD)
            self.upload.on("rejected", guarded(self._refused), args=[])
            self.upload.props('accept=".json,application/json,application/fhir+json"').classes("xl-hidden")
            pick = ui.button(say("upload")).props("outline no-caps data-key=upload")
            pick.on("click", js_handler=f"() => runMethod({self.upload.id}, 'pickFiles', [])")

    def _study(self) -> None:
        """Offer the open CT studies: one of them may be this patient's."""
        say, visitor = self.visitor.say, self.visitor
        open_ = [
            one for one in visitor.desk.studies.of(visitor.user) if one.scan.modality == "CT" and one.detected
        ]
        if not open_:
            self.draft.study = ""
            return
        names = {"": say("no_study"), **{one.key: one.name or "CT" for one in open_}}
        if self.draft.study not in names:
            self.draft.study = ""
        with ui.element("div").classes("xl-record"):
            fragment(tag("span", icon("layers", 15), say("study_of_patient")))
            chosen = ui.select(names, value=self.draft.study, on_change=self._setter("study"))
            chosen.props("outlined dense options-dense data-key=study")
            chosen.props["aria-label"] = say("study_of_patient")

    def sampler(self, number: int) -> Act:
        """Return the act that loads an example and analyses it."""

        async def load() -> None:
            self.replace(Draft(text=SAMPLES[number].words))
            await self.analyse()

        return load

    async def _clear(self) -> None:
        self.replace(Draft())
        await self.show()

    async def _restore(self) -> None:
        if self.before is not None:
            self.draft, self.before = self.before, None
            self._draw()
            await self.show()

    async def _remove_record(self) -> None:
        self.draft.record, self.draft.record_name = None, ""
        self._draw()
        self.edited()

    async def _refused(self) -> None:
        raise InputTooLargeError(self.visitor.say("upload_large"))

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        await self.visitor.guarded(self._read_upload)(event)

    async def _read_upload(self, event: events.UploadEventArguments) -> None:
        name, data = event.file.name[:80], await event.file.read()
        self.upload.reset()
        try:
            decoded = json.loads(data.decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise InvalidInputError(self.visitor.say("upload_utf8", name=name)) from None
        except json.JSONDecodeError as error:
            raise InvalidInputError(self.visitor.say("upload_json", name=name, line=error.lineno)) from None
        except (RecursionError, ValueError):
            raise InvalidInputError(self.visitor.say("upload_json", name=name, line=1)) from None
        record_from_json(decoded)
        self.draft.record, self.draft.record_name = decoded, name
        self._draw()
        self.edited()
        await self.analyse()
