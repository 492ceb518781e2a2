"""Outpatient note and referral letter: drafted from the answer, edited, copied, downloaded, kept."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from nicegui import ui

from xinglin.apps.diagnosis.note import outpatient_note, referral_letter
from xinglin.measure.markup import tag
from xinglin.measure.typography import full_width
from xinglin.serve.workbench.desk import Visitor
from xinglin.serve.workbench.shell import fragment

if TYPE_CHECKING:
    from xinglin.serve.workbench.case import CasePage

MAX_NOTE = 50_000
PLACE = "\ue000"
"""Stands for the patient's words while a draft is typeset; a private character of Unicode."""


class Papers:
    """The buttons and the dialog."""

    def __init__(self, visitor: Visitor, page: CasePage) -> None:
        self.visitor, self.page = visitor, page
        self.kind = "note"
        self.dialog: Any = None

    def build(self) -> None:
        """Draw the two buttons."""
        for kind in ("note", "referral"):
            button = ui.button(self.visitor.say(kind), on_click=self.visitor.guarded(self._opener(kind)))
            button.props(f"outline no-caps data-key={kind}")

    def _opener(self, kind: str) -> Any:
        async def show() -> None:
            self.page.current()
            self.kind = kind
            draft = self.page.entry.draft
            kept = draft.note if kind == "note" else ""
            self._open(kept or self._drafted(), bool(kept) and draft.note_of != draft.print_of_case())

        return show

    def _drafted(self) -> str:
        result = self.page.current()
        write = referral_letter if self.kind == "referral" else outpatient_note
        clinic = self.visitor.desk.differential.profile.name
        named = "" if clinic == "clinic" else clinic
        # Our own sentences are typeset for Chinese; the patient's words stay exactly as typed.
        draft = full_width(write(PLACE, result.rendered, self.visitor.lang, clinic=named))
        return draft.replace(PLACE, result.text.strip())

    def _open(self, content: str, old: bool) -> None:
        say, guarded = self.visitor.say, self.visitor.guarded
        if self.dialog is not None:
            self.dialog.delete()
        with ui.dialog() as self.dialog, ui.card().classes("xl-dialog xl-dialog-wide"):
            fragment(tag("h2", say(self.kind)))
            fragment(tag("p", say("note_old" if old else "note_hint"), cls="xl-old" if old else "xl-muted"))
            self.area = ui.textarea(value=content).props(f"outlined data-key=paper maxlength={MAX_NOTE}")
            self.area.props["aria-label"] = say(self.kind)
            self.area.classes("xl-paper")
            with ui.element("div").classes("xl-actions"):
                done = say("copied")
                ui.button(say("copy")).props("unelevated no-caps data-key=copy").on(
                    "click", js_handler=f"() => xinglin.copy('[data-key=paper]', {done!r})"
                )
                ui.button(say("download"), on_click=guarded(self._download)).props(
                    "outline no-caps data-key=download"
                )
                if self.kind == "note":
                    ui.button(say("keep_note"), on_click=guarded(self._keep)).props(
                        "outline no-caps data-key=keep-note"
                    )
                ui.button(say("redraft"), on_click=guarded(self._redraft)).props("outline no-caps")
                ui.element("div").classes("xl-grow")
                ui.button(say("close"), on_click=self.dialog.close).props("flat no-caps data-key=close")
        self.dialog.props["aria-label"] = say(self.kind)
        self.dialog.open()

    async def _download(self) -> None:
        # With a byte order mark: the editor of an old Windows shows it right.
        data = (self.area.value or "").encode("utf-8-sig")
        ui.download.content(data, f"xinglin-{self.kind}-{date.today().isoformat()}.txt")

    async def _keep(self) -> None:
        draft = self.page.entry.draft
        draft.note, draft.note_of = self.area.value or "", draft.print_of_case()
        await self.page.save()
        self.visitor.notify(self.visitor.say("note_saved"))

    async def _redraft(self) -> None:
        self.area.set_value(self._drafted())
