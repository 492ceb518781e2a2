"""The classes to choose from: one key each for a small scheme, a search box for a large one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import events, ui

from xinglin.labels.scheme import Scheme, SchemeClass
from xinglin.measure.markup import Markup, tag
from xinglin.serve.workbench.desk import Visitor
from xinglin.serve.workbench.shell import fragment
from xinglin.types import Code

KEYS = "1234567890"
SHOWN = 10
Chosen = Callable[[Code], Awaitable[None]]


def found_in(scheme: Scheme, words: str, limit: int = SHOWN) -> list[SchemeClass]:
    """Return the classes whose code begins with the words or whose name holds them, the closest first."""
    wanted = " ".join(words.lower().split())
    ranked: list[tuple[int, int, int, SchemeClass]] = []
    for place, one in enumerate(scheme.classes):
        names = [name.lower() for name in (one.zh, one.en) if name]
        holding = [name for name in names if wanted in name]
        if one.code.value.lower().startswith(wanted):
            ranked.append((0, len(one.code.value), place, one))
        elif holding:
            starts = any(name.startswith(wanted) for name in holding)
            ranked.append((1 if starts else 2, min(map(len, holding)), place, one))
    return [one for *_, one in sorted(ranked, key=lambda row: row[:3])[:limit]]


class Choice:
    """The panel; ``chosen(code)`` is told which class was picked."""

    def __init__(self, visitor: Visitor, scheme: Scheme, chosen: Chosen) -> None:
        self.visitor, self.scheme, self.chosen = visitor, scheme, chosen
        self.large = len(scheme.classes) > len(KEYS)
        self.used: Counter[Code] = Counter()
        self.shown: list[SchemeClass] = []
        self.buttons: list[tuple[Code, Any]] = []
        self.current: Code | None = None

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
            (one for one in self.scheme.classes if one.code in often), key=lambda one: often[one.code]
        )
        if used:
            self._show(used, self.visitor.say("choose_used"))
        else:
            self._show(
                list(self.scheme.classes[:SHOWN]),
                self.visitor.say("choose_first", count=len(self.scheme.classes)),
            )

    def mark(self, code: Code | None) -> None:
        """Mark the class that was chosen, while the model's vote waits for an answer."""
        self.current = code
        for own, button in self.buttons:
            button.classes(add="xa-current") if own == code else button.classes(remove="xa-current")

    def allow(self, allowed: bool) -> None:
        """Allow a choice, or refuse it while one is being written down."""
        self.place.set_visibility(allowed)

    async def _searched(self, event: events.ValueChangeEventArguments[Any]) -> None:
        await self.visitor.guarded(self._find)(str(event.value or ""))

    async def _find(self, words: str) -> None:
        if not words.strip():
            self.refresh()
            return
        found = await asyncio.to_thread(found_in, self.scheme, words)
        if str(self.search.value or "") != words:
            return  # more was typed meanwhile
        say = self.visitor.say
        note = "choose_none" if not found else "choose_more" if len(found) == SHOWN else "choose_found"
        self._show(found, say(note, count=len(found)))

    def _show(self, classes: list[SchemeClass], note: str) -> None:
        self.note.set_content(str(tag("span", note)) if note else "")
        if classes == self.shown and self.buttons:
            self.mark(self.current)
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
        self.mark(self.current)

    def _picker(self, code: Code) -> Callable[[], Awaitable[None]]:
        async def pick() -> None:
            self.used[code] += 1
            await self.chosen(code)

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
