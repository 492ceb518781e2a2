"""The classes to choose from: one key each for a small scheme, a search box for a large one.

Under a single-label scheme a class picked is the label. Under a multi-label one picking switches a class on and off, and
the label is given with a key of its own.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import events, ui

from xinglin.labels.answer import Answer
from xinglin.labels.scheme import Scheme, SchemeClass
from xinglin.labels.scheme_search import SchemeSearch
from xinglin.measure.markup import Markup, tag
from xinglin.serve.workbench.desk import Visitor
from xinglin.serve.workbench.shell import fragment
from xinglin.types import Code

KEYS = "1234567890"
SHOWN = 10
Chosen = Callable[[tuple[Code, ...]], Awaitable[None]]


class Choice:
    """The panel; ``chosen(answer)`` is told what was picked: the label, or what is switched on so far."""

    def __init__(self, visitor: Visitor, scheme: Scheme, chosen: Chosen) -> None:
        self.visitor, self.scheme, self.chosen = visitor, scheme, chosen
        self.picked: tuple[Code, ...] = ()
        self.index: SchemeSearch | None = None
        self.large = len(scheme.classes) > len(KEYS)
        self.used: Counter[Code] = Counter()
        self.shown: list[SchemeClass] = []
        self.buttons: list[tuple[Code, Any]] = []

    def build(self) -> None:
        """Draw the panel."""
        say = self.visitor.say
        if self.large:
            self.search = (
                ui.input(on_change=self._searched)
                .classes("xa-search")
                .props("outlined dense autocomplete=off maxlength=100 debounce=60 data-key=search clearable")
            )
            self.search.props["placeholder"] = self.search.props["aria-label"] = say("choose_search")
        self.note = ui.html("", sanitize=True).classes("xa-choice-note").props("aria-live=polite")
        self.place = ui.element("div").classes("xa-choices").props("role=group")
        self.place.props["aria-label"] = say("choose_label")
        self.refresh()

    def refresh(self) -> None:
        """Show the classes one uses most, at first the scheme's own first ones; a small scheme whole, in its order."""
        if not self.large:
            self._show(list(self.scheme.classes), "")
            return
        if self.search.value:
            self.search.set_value("")
        often = {code: place for place, (code, _) in enumerate(self.used.most_common(SHOWN))}
        used = sorted(
            (one for one in self.scheme.classes if one.code in often or one.code in self.picked),
            key=lambda one: (one.code not in self.picked, often.get(one.code, SHOWN)),
        )[:SHOWN]
        if used:
            self._show(used, self.visitor.say("choose_used"))
        else:
            self._show(
                list(self.scheme.classes[:SHOWN]),
                self.visitor.say("choose_first", count=len(self.scheme.classes)),
            )

    def mark(self, answer: Answer) -> None:
        """Mark the classes that are chosen: while the model's vote waits for an answer, and those switched on."""
        self.picked = answer
        for own, button in self.buttons:
            on = own in answer
            button.classes(add="xa-current") if on else button.classes(remove="xa-current")
            if self.scheme.multi:
                button.props(f"aria-pressed={'true' if on else 'false'}")

    def allow(self, allowed: bool) -> None:
        """Allow a choice, or refuse it while one is being written down."""
        self.place.set_visibility(allowed)

    async def _searched(self, event: events.ValueChangeEventArguments[Any]) -> None:
        await self.visitor.guarded(self._find)(str(event.value or ""))

    async def _find(self, words: str) -> None:
        if not words.strip():
            self.refresh()
            return
        found = await asyncio.to_thread(self._search, words)
        if str(self.search.value or "") != words:
            return  # more was typed meanwhile
        say = self.visitor.say
        note = "choose_none" if not found else "choose_more" if len(found) == SHOWN else "choose_found"
        self._show(found, say(note, count=len(found)))

    def _search(self, words: str) -> list[SchemeClass]:
        if self.index is None:  # a second for 100,000 classes; a page that is never searched never pays it
            self.index = SchemeSearch(self.scheme)
        return self.index.find(words, SHOWN)

    def _show(self, classes: list[SchemeClass], note: str) -> None:
        self.note.set_content(str(tag("span", note)) if note else "")
        if classes == self.shown and self.buttons:
            self.mark(self.picked)
            return
        self.shown = classes
        self.buttons = []
        self.place.clear()
        with self.place:
            for number, one in enumerate(classes):
                button = ui.element("button").classes("xa-choice").props("type=button")
                if number < len(KEYS):
                    button.props(f"data-key=label-{KEYS[number]}")
                button.props["data-code"] = one.code.value
                button.props["title"] = self._tip(one)
                button.on("click", self.visitor.guarded(self._picker(one.code)), args=[])
                with button:
                    fragment(self._worded(one, KEYS[number] if number < len(KEYS) else ""), "xa-choice-words")
                self.buttons.append((one.code, button))
        self.mark(self.picked)

    def _picker(self, code: Code) -> Callable[[], Awaitable[None]]:
        async def pick() -> None:
            self.used[code] += 1
            if not self.scheme.multi:
                await self.chosen((code,))
                return
            self.mark(self.scheme.answer({*self.picked} ^ {code}))
            if self.large:
                self.refresh()
            await self.chosen(self.picked)

        return pick

    def _worded(self, one: SchemeClass, key: str) -> Markup:
        zh = self.visitor.lang == "zh"
        first, second = (one.zh or one.en, one.en if one.zh else "")
        if not zh and one.en:
            first, second = one.en, one.zh
        definition = (
            (one.definition_zh or one.definition_en) if zh else (one.definition_en or one.definition_zh)
        )
        return tag(
            "span",
            tag("kbd", key) if key else tag("span", "", cls="xa-no-key"),
            tag(
                "span",
                tag("b", first),
                tag("small", second, cls="xa-other") if second else None,
                tag("small", definition, cls="xa-definition") if definition else None,
                cls="xa-names",
            ),
            tag("code", one.code.value),
        )

    def _tip(self, one: SchemeClass) -> str:
        parts = [one.definition_zh, one.definition_en]
        parts += [f"+ {item}" for item in one.include] + [f"− {item}" for item in one.exclude]
        return "\n".join(part for part in parts if part)
