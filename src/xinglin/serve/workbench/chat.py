"""The chat page: a conversation sentence by sentence, emergencies first, the sources at the side."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from fastapi import Request
from nicegui import ui

from xinglin.apps.assistant.assistant import Turn
from xinglin.apps.assistant.conversation import MAX_MESSAGE, Message, conversation
from xinglin.apps.assistant.evidence import Sentence
from xinglin.errors import MissingDataError
from xinglin.measure.markup import Markup, tag
from xinglin.serve.chat_text import bibliography
from xinglin.serve.workbench.desk import Visitor, visit
from xinglin.serve.workbench.icons import icon
from xinglin.serve.workbench.shell import fragment, frame

EXAMPLES = ("chat_example_1", "chat_example_2", "chat_example_3")
KEPT = 40
"""Messages of a page that are kept as its conversation."""


class ChatPage:
    """One conversation of one page; gone with it."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.messages: list[Message] = []
        self.answers = 0
        self.listed: dict[int, Markup] = {}
        """Sources of each answer."""
        self.stopping = False

    def build(self) -> None:
        """Draw the page."""
        say = self.visitor.say
        fragment(tag("h1", icon("ask", 22), say("chat")), "xl-title")
        with ui.element("div").classes("xc-columns"):
            with ui.element("div").classes("xc-talk"):
                with ui.element("section").classes("xl-card") as self.start:
                    fragment(tag("p", say("chat_hint")))
                    with ui.element("div").classes("xc-examples"):
                        for name in EXAMPLES:
                            chosen = self.visitor.guarded(self._asker(say(name)))
                            ui.button(say(name), on_click=chosen).props("outline no-caps dense")
                self.log = ui.element("div").classes("xc-log").props("role=log aria-live=polite")
                self._box()
            with ui.element("aside").classes("xl-card xc-side") as side:
                side.props["aria-label"] = say("chat_sources")
                fragment(tag("h2", icon("book"), say("chat_sources")), "xl-heading")
                self.sources = ui.html("", sanitize=True)
        self._show_sources(None)

    def _box(self) -> None:
        say = self.visitor.say
        with ui.element("div").classes("xc-box"):
            self.text = ui.textarea().props(
                f"outlined autogrow rows=1 maxlength={MAX_MESSAGE} data-key=text autocomplete=off"
            )
            self.text.props["placeholder"] = self.text.props["aria-label"] = say("chat_ask")
            self.send = ui.button(say("chat_send"), on_click=self.visitor.guarded(self._send))
            self.send.props("unelevated no-caps data-key=analyse")
            self.stop = ui.button(say("chat_stop"), on_click=self.visitor.guarded(self._stop))
            self.stop.props("outline no-caps data-key=stop")
            self.stop.set_visibility(False)
            self.new = ui.button(say("chat_new"), on_click=lambda: ui.navigate.reload())
            self.new.props("flat no-caps")
            self.new.set_visibility(False)

    def _asker(self, question: str) -> Any:
        async def ask() -> None:
            self.text.set_value(question)
            await self._send()

        return ask

    async def _stop(self) -> None:
        self.stopping = True
        self.stop.disable()

    async def _send(self) -> None:
        words = (self.text.value or "").strip()
        if not words or self.stop.visible:
            return
        assistant = self.visitor.desk.assistant
        if assistant is None:
            raise MissingDataError("this workbench was opened without an assistant")
        asked = conversation([*self.messages[-KEPT:], Message("user", words)])
        turn = assistant.turn(asked)
        self._writing(True)
        self.text.set_value("")
        with self.log:
            fragment(tag("p", words), "xc-you")
            with ui.element("section").classes("xl-card xc-turn"):
                shown = ui.html(str(_shown(self.visitor, turn, self.answers, True)), sanitize=True)
                actions = ui.element("div")
        iterator = assistant.stream(asked, turn)
        stopped = False
        try:
            while (await asyncio.to_thread(next, iterator, None)) is not None:
                shown.set_content(str(_shown(self.visitor, turn, self.answers, True)))
                self._show_sources(turn)
                if self.stopping:
                    stopped = True
                    break
        finally:
            await asyncio.to_thread(_close, iterator)
            self._writing(False)
        shown.set_content(str(_shown(self.visitor, turn, self.answers, False, stopped)))
        self._show_sources(turn)
        self.messages += [Message("user", words), Message("assistant", turn.text)]
        self._copy(actions, turn)
        self.answers += 1

    def _writing(self, now: bool) -> None:
        self.start.set_visibility(False)
        self.stopping = False
        self.stop.enable()
        self.send.set_visibility(not now)
        self.stop.set_visibility(now)
        self.new.set_visibility(not now)

    def _copy(self, actions: Any, turn: Turn) -> None:
        key, say = f"copied-{self.answers}", self.visitor.say
        text = "\n".join([turn.text, *bibliography(turn)])
        done = say("chat_copied")
        with actions:
            area = ui.textarea(value=text).props(f"readonly tabindex=-1 data-key={key}").classes("xc-copied")
            area.props["aria-label"] = say("chat_copy")
            button = ui.button(say("chat_copy")).props("flat no-caps dense")
            button.on("click", js_handler=f"() => xinglin.copy('[data-key={key}]', {done!r})")

    def _show_sources(self, turn: Turn | None) -> None:
        """Show the sources of every answer, those of the newest first."""
        if turn is not None and turn.book.sources:
            self.listed[self.answers] = self._listed(turn)
        lists = [self.listed[answer] for answer in sorted(self.listed, reverse=True)]
        nothing = tag("p", self.visitor.say("chat_sources_none"), cls="xl-muted")
        self.sources.set_content(str(tag("div", lists or nothing)))

    def _listed(self, turn: Turn) -> Markup:
        rows = [
            tag(
                "li",
                tag("span", self.visitor.say(f"chat_{source.kind}"), cls="xc-kind"),
                f"[{number}] {source.title}",
                tag("small", source.text) if source.text not in source.title else None,
                tag("small", source.where + (f" #{source.span[0]}–{source.span[1]}" if source.span else "")),
                id=f"s{self.answers}-{number}",
            )
            for number, source in enumerate(turn.book.sources, 1)
        ]
        return tag("ol", rows)


def _shown(visitor: Visitor, turn: Turn, answer: int, writing: bool, stopped: bool = False) -> Markup:
    """The answer so far as markup; every text in it is escaped."""
    say = visitor.say
    urgent = [item for item in turn.said if item.kind == "emergency"]
    rest = [item for item in turn.said if item.kind != "emergency"]
    return tag(
        "div",
        tag("div", [_sentence(visitor, item, answer) for item in urgent], cls="xc-emergency", role="alert")
        if urgent
        else None,
        tag("div", tag("span", say("chat_label"), cls="xc-label"), cls="xc-top"),
        [_sentence(visitor, item, answer) for item in rest],
        tag("p", say("chat_writing"), cls="xc-note") if writing else None,
        tag("p", say("chat_stopped"), cls="xc-note") if stopped else None,
    )


def _sentence(visitor: Visitor, item: Sentence, answer: int) -> Markup:
    marks = [tag("a", f"[{number}]", href=f"#s{answer}-{number}", cls="xc-cite") for number in item.cites]
    if item.support == "unsupported":
        mark = tag("span", visitor.say("chat_unsupported"), cls="xc-mark")
        return tag("p", tag("span", item.text, cls="xc-unsupported"), mark)
    look = {"refusal": "xc-refusal", "note": "xc-note"}.get(item.kind)
    return tag("p", item.text, marks, cls=look)


def _close(iterator: Iterator[Sentence]) -> None:
    iterator.close()  # type: ignore[attr-defined]


def register() -> None:
    """Register the page."""

    @ui.page("/chat")
    async def chat_page(request: Request) -> None:
        visitor = visit(request)
        with frame(visitor, "chat"):
            ChatPage(visitor).build()
