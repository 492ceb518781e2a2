"""The confirmed diagnosis: found by name or ICD-10 code, returned to the case as its label."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from nicegui import events, ui

from xinglin.apps.diagnosis import remember
from xinglin.errors import InvalidInputError
from xinglin.graph.knowledge import Disease, Knowledge
from xinglin.measure.markup import tag
from xinglin.serve.workbench.desk import Visitor
from xinglin.serve.workbench.shell import fragment
from xinglin.terms.codes import ICD10_WHO
from xinglin.types import Code

if TYPE_CHECKING:
    from xinglin.serve.workbench.case import CasePage

SHOWN = 8
ICD10 = re.compile(r"[A-TV-Z][0-9]{2}(?:\.[0-9]{1,2})?")


def diseases_like(knowledge: Knowledge, words: str, limit: int = SHOWN) -> list[Disease]:
    """Return diseases whose name, alias or ICD-10 code holds the words: the closest first."""
    wanted = words.strip().lower()
    if not wanted:
        return []
    found: list[tuple[int, int, str, Disease]] = []
    for disease in knowledge.diseases.values():
        code = disease.icd10.lower()
        spellings = [
            name.lower() for name in (disease.name, disease.en, *disease.aliases, *disease.aliases_en)
        ]
        if code.startswith(wanted):
            found.append((0, len(code), disease.name, disease))
        elif holding := [name for name in spellings if wanted in name]:
            starts = any(name.startswith(wanted) for name in holding)
            found.append((1 if starts else 2, min(map(len, holding)), disease.name, disease))
    return [disease for *_, disease in sorted(found, key=lambda row: row[:3])[:limit]]


class Confirmation:
    """Search field, list of matches, and the button that records."""

    def __init__(self, visitor: Visitor, page: CasePage) -> None:
        self.visitor, self.page = visitor, page
        self.chosen: Code | None = None

    def build(self) -> None:
        """Draw the field."""
        say = self.visitor.say
        self.chosen = None
        with ui.element("div").classes("xl-confirm"):
            self.field = ui.input(on_change=self._searched).props(
                "outlined dense autocomplete=off maxlength=100 debounce=120 data-key=confirm-search"
            )
            self.field.props["placeholder"] = say("confirm_hint")
            self.field.props["aria-label"] = say("confirm_hint")
            self.field.on("keydown.enter", self.visitor.guarded(self._first), args=[])
            button = ui.button(say("confirm_do"), on_click=self.visitor.guarded(self._record))
            button.props("unelevated no-caps data-key=confirm")
            self.matches = ui.element("div").classes("xl-matches").props("role=listbox")
            self.matches.set_visibility(False)

    def _searched(self, event: events.ValueChangeEventArguments[Any]) -> None:
        words = event.value or ""
        if self.chosen is not None and words == self._label(self.chosen):
            return
        self.chosen = None
        self.matches.clear()
        self.matches.set_visibility(bool(words.strip()))
        if not words.strip():
            return
        self.options = self._options(words)
        with self.matches:
            for code in self.options:
                button = ui.button(on_click=self.visitor.guarded(self._chooser(code)))
                with button.props("flat no-caps dense align=left role=option"):
                    shown = code.display or self.visitor.say("confirm_code", code=code.value)
                    fragment(tag("span", tag("code", code.value), " ", shown))
            if not self.options:
                fragment(tag("small", self.visitor.say("confirm_none")))

    def _options(self, words: str) -> list[Code]:
        zh = self.visitor.lang == "zh"
        found = diseases_like(self.visitor.desk.differential.knowledge, words)
        codes = [Code(ICD10_WHO, item.icd10, item.name if zh else item.en) for item in found]
        typed = words.strip().upper()
        if ICD10.fullmatch(typed) and not any(code.value == typed for code in codes):
            codes.append(Code(ICD10_WHO, typed))
        return codes

    def _label(self, code: Code) -> str:
        return f"{code.value} {code.display}".strip()

    def _chooser(self, code: Code) -> Any:
        async def choose() -> None:
            self.chosen = code
            self.field.set_value(self._label(code))
            self.matches.set_visibility(False)

        return choose

    async def _first(self) -> None:
        if self.chosen is not None:
            await self._record()
        elif (self.field.value or "").strip() and self.options:
            await self._chooser(self.options[0])()

    async def _record(self) -> None:
        if self.chosen is None:
            raise InvalidInputError(self.visitor.say("confirm_choose"))
        case = await self.page.save()
        store, user = self.visitor.desk.store, self.visitor.user
        await asyncio.to_thread(remember.confirm_case, store, case, self.chosen, actor=user)
        self.visitor.notify(self.visitor.say("confirmed", name=self._label(self.chosen)))
