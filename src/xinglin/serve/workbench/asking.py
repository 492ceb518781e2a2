"""Ask mode: one question at a time, answered by one key; every answer can be taken back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui

from xinglin.errors import XinglinError
from xinglin.measure.markup import Markup, tag
from xinglin.serve.workbench.desk import Visitor
from xinglin.serve.workbench.icons import icon
from xinglin.serve.workbench.shell import fragment

KEYS = (("present", "ask_yes", "1"), ("absent", "ask_no", "2"), ("unknown", "ask_unknown", "3"))
Answered = Callable[[str, str | None], Awaitable[None]]


class Asking:
    """The panel; ``answered(finding, state)`` runs the case again, state ``None`` takes an answer back."""

    def __init__(self, visitor: Visitor, answered: Answered) -> None:
        self.visitor, self.answered = visitor, answered
        self.finding: str | None = None
        self.buttons: list[Any] = []

    def build(self) -> None:
        """Draw the panel, hidden until there is an answer."""
        say = self.visitor.say
        self.panel = ui.element("section").classes("xl-card xl-ask")
        self.panel.props["aria-label"] = say("ask")
        with self.panel:
            fragment(tag("h2", icon("ask"), tag("span", say("ask"))), "xl-heading")
            self.question = ui.html("", sanitize=True).classes("xl-question").props("aria-live=polite")
            self.choices = ui.element("div").classes("xl-choices")
            with self.choices:
                for state, word, key in KEYS:
                    button = ui.button(on_click=self.visitor.guarded(self._chooser(state)))
                    button.props(f"outline no-caps data-key=answer-{key}").classes(f"xl-choice-{state}")
                    with button:
                        fragment(tag("span", tag("span", say(word)), tag("kbd", key)))
                    self.buttons.append(button)
            self.given = ui.element("div").classes("xl-given")
        self.panel.set_visibility(False)

    def _chooser(self, state: str) -> Callable[[], Awaitable[None]]:
        async def choose() -> None:
            # Taken before the wait: a second key press must not answer the question that comes next.
            finding, self.finding = self.finding, None
            if finding is None:
                return
            try:
                await self.answered(finding, state)
            except XinglinError:
                self.finding = finding
                raise

        return choose

    def hide(self) -> None:
        """Hide the panel: there is no answer to ask about."""
        self.panel.set_visibility(False)

    def allow(self, allowed: bool) -> None:
        """Allow answers, or refuse them while the shown answer is out of date."""
        for button in self.buttons:
            button.set_enabled(allowed)

    def show(self, question: dict[str, Any] | None, answers: dict[str, str], names: dict[str, str]) -> None:
        """Show a question and the answers given so far.

        Args:
            question: as rendered; ``None`` when there is nothing more to ask.
            answers: state by finding key, in the order given.
            names: display of each answered finding.
        """
        self.finding = question["finding"] if question else None
        self.question.set_content(str(self._worded(question)))
        self.choices.set_visibility(question is not None)
        self.given.clear()
        if answers:
            with self.given:
                fragment(tag("span", self.visitor.say("answered"), cls="xl-label"))
                for key, state in answers.items():
                    self._given(key, state, names.get(key, key))
        self.panel.set_visibility(question is not None or bool(answers))
        self.allow(True)

    def _given(self, key: str, state: str, name: str) -> None:
        async def undo() -> None:
            await self.answered(key, None)

        word = self.visitor.say({"present": "ask_yes", "absent": "ask_no", "unknown": "ask_unknown"}[state])
        button = ui.button(on_click=self.visitor.guarded(undo)).props("flat no-caps dense")
        button.props["aria-label"] = f"{self.visitor.say('undo')}: {word} {name}"
        button.props["title"] = self.visitor.say("undo")
        with button.classes(f"xl-chip xl-chip-{state}"):
            fragment(tag("span", tag("b", word), f" {name} ", icon("cross", 13)))

    def _worded(self, question: dict[str, Any] | None) -> Markup:
        say = self.visitor.say
        if question is None:
            return tag("p", say("ask_done"), cls="xl-muted")
        if question["danger"]:
            why = tag(
                "small", icon("flag", 14), say("ask_danger", why=question["why"]), cls="xl-why xl-why-danger"
            )
        else:
            why = tag("small", say("ask_gain"), cls="xl-why")
        return tag("div", tag("p", question["text"]), why)
